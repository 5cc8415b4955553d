"""A pipeline in one process: the tasks are called as the workers call them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.utils import timezone

from transcription.models import SpeechModel, Transcription
from transcription.services.submit import IncomingFile, submit
from transcription.work import runtime as runtime_module
from transcription.work.prepare import stand_down
from transcription.work.tasks import look_for_chores, look_for_speech
from transcription.work.waiting import look_after_models

SAMPLES = Path(__file__).parent.parent.parent / "samples"


@pytest.fixture
def fake_model(transactional_db: None) -> SpeechModel:
    """The deterministic engine as the only model."""
    return SpeechModel.objects.create(name="fake", engine="fake", chunk_seconds=30.0)


@pytest.fixture
def fresh_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker that has loaded nothing yet and has served nobody."""
    monkeypatch.setattr(runtime_module, "_runtime", None)
    yield
    stand_down()


@pytest.fixture
def upload() -> Callable[[bytes, str], IncomingFile]:
    """A received file, as the web process hands it over."""

    def make(content: bytes, name: str = "recording.wav") -> IncomingFile:
        path = Path(django_settings.INCOMING_DIR, uuid.uuid4().hex)
        path.write_bytes(content)
        return IncomingFile(
            path=path,
            file_name=name,
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            head=content[:4096],
        )

    return make


@pytest.fixture
def post(
    upload: Callable[[bytes, str], IncomingFile],
) -> Callable[..., Transcription]:
    """Submit a recording."""

    def make(content: bytes, owner: User | None = None, **options: str) -> Transcription:
        return submit(upload(content), owner=owner, **options)

    return make


@pytest.fixture
def work(fresh_worker: None) -> Callable[[], None]:
    """Let both clusters work until nothing waits."""

    def run() -> None:
        look_for_chores()
        look_for_speech()
        look_for_chores()

    return run


def follow_the_rows() -> None:
    """Let this worker load what the rows of the models ask for."""
    here = runtime_module.runtime()
    look_after_models(here)
    assert here.engines.wait_until_loaded(30.0)


@pytest.fixture
def speech() -> bytes:
    """A WAV file with a spoken sentence."""
    return (SAMPLES / "english.wav").read_bytes()


def wav(samples: np.ndarray) -> bytes:
    """Return int16 mono samples at 16 kHz as a WAV file."""
    import io
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


@pytest.fixture
def made(data_dir: Path) -> Callable[..., Transcription]:
    """A recording that has been over for so many days."""

    def make(days: float, *, audio: bool = True, **fields: Any) -> Transcription:
        row = Transcription.objects.create(
            **{
                "status": Transcription.Status.COMPLETED,
                "step": Transcription.Step.OVER,
                "state": "done",
                "text": "what was said",
                "completed_at": timezone.now() - timedelta(days=days),
                **fields,
            }
        )
        if audio:
            row.audio.save(f"{row.pk}.wav", ContentFile(b"sound"))
        return row

    return make


@pytest.fixture
def audio_for_a_week(settings: Any) -> None:
    settings.AUDIO_KEPT_DAYS = 7.0


@pytest.fixture
def text_for_a_month(settings: Any) -> None:
    settings.TEXT_KEPT_DAYS = 30.0
