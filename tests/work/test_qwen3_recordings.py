"""Long recordings on the trained tiny Qwen3-ASR, from chunk to chunk and from worker to worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User

from tests.engines.tiny import TINY
from tests.engines.tone_words import speak
from tests.work.conftest import wav
from tests.work.test_words import LoudnessDetector
from transcription.audio import split
from transcription.engines.qwen3.recognizer import Recognizer, Request
from transcription.models import Chunk, SpeechModel, Transcription
from transcription.services import glossary
from transcription.work import runtime as runtime_module
from transcription.work.recognise import recognise_next
from transcription.work.runtime import runtime
from transcription.work.tasks import look_for_chores
from transcription.work.upkeep import release_leases_of

pytestmark = pytest.mark.django_db(transaction=True)

SAID = [
    *(("Cloud tiger.", "en"), ("云老虎。", "zh"), ("River stone light.", "en")),
    *(("Seven.", "en"), ("河流石头光。", "zh"), ("Small bread.", "en")),
]


@pytest.fixture(autouse=True)
def _tones_are_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "SileroVad", LoudnessDetector)


@pytest.fixture
def tiny_model(transactional_db: None, settings: Any) -> SpeechModel:
    settings.ENGINE_THREADS = 1
    settings.DEVICE = "cpu"
    return SpeechModel.objects.create(
        name="qwen3-asr-0.6b", engine="qwen3_asr", weights=str(TINY), chunk_seconds=3.0
    )


def recording() -> bytes:
    """Sentences of two languages, each a chunk of its own by the pause behind it."""
    pause = np.zeros(32_000, np.float32)
    parts = [
        part
        for number, (text, voice) in enumerate(SAID)
        for part in (speak(text, voice=voice, seed=number), pause)
    ]
    return wav(np.concatenate(parts) * 32_000)


def test_a_recording_of_two_languages_is_joined_and_told_by_its_shares(
    tiny_model: SpeechModel, post: Callable[..., Transcription], work: Callable[[], None]
) -> None:
    row = post(recording())
    work()
    row.refresh_from_db()
    assert row.status == "completed"
    assert row.chunks.count() == len(SAID)
    # A full-width mark brings its own blank, an English one needs one behind it.
    assert row.text == "Cloud tiger. 云老虎。River stone light. Seven. 河流石头光。Small bread."
    assert row.language == "en"
    assert [share["language"] for share in row.languages] == ["en", "zh"]
    assert sum(share["share"] for share in row.languages) == pytest.approx(1.0)
    assert [segment.text for segment in row.segments.all()] == [text for text, _ in SAID]


def test_a_worker_that_dies_is_followed_by_one_that_goes_on_where_it_was(
    tiny_model: SpeechModel,
    post: Callable[..., Transcription],
    fresh_worker: None,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.BATCH_SECONDS = 3.0
    settings.CLUSTER = "engine-0"
    heard: list[float] = []
    really = Recognizer.answer

    def answer(self: Recognizer, requests: list[Request]) -> Any:
        heard.extend(len(request.clip.samples) for request in requests)
        return really(self, requests)

    row = post(recording())
    look_for_chores()
    assert runtime().engines.ready(tiny_model) is not None
    monkeypatch.setattr(Recognizer, "answer", answer)
    assert recognise_next(runtime())
    row.refresh_from_db()
    done = list(row.chunks.filter(state=Chunk.State.DONE).values_list("pk", flat=True))
    assert 0 < len(done) < len(SAID)
    assert 0.0 < row.progress < 1.0
    first_texts = list(row.chunks.filter(pk__in=done).values_list("text", flat=True))

    # It claims the next batch and is killed; the launcher gives back what it held.
    def killed(self: Recognizer, requests: list[Request]) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Recognizer, "answer", killed)
    with pytest.raises(KeyboardInterrupt):
        recognise_next(runtime())
    assert release_leases_of("engine-0") > 0
    monkeypatch.setattr(runtime_module, "_runtime", None)
    monkeypatch.setattr(Recognizer, "answer", answer)
    assert runtime().engines.ready(tiny_model) is not None

    heard.clear()
    while recognise_next(runtime()):
        pass
    row.refresh_from_db()
    assert row.status == "completed"
    assert row.text == "Cloud tiger. 云老虎。River stone light. Seven. 河流石头光。Small bread."
    # What was written before the kill was not heard again.
    assert len(heard) == len(SAID) - len(done)
    assert list(row.chunks.filter(pk__in=done).values_list("text", flat=True)) == first_texts


def test_a_glossary_decides_how_a_word_is_spelled(
    tiny_model: SpeechModel, post: Callable[..., Transcription], work: Callable[[], None]
) -> None:
    ann = User.objects.create_user("ann")
    glossary.create(ann, term="cate", language="zh")
    glossary.create(ann, term="colour")
    sound = wav(speak("Kate color.", seed=1) * 32_000)
    hers, nobodys = post(sound, owner=ann, language_hint="en"), post(sound, language_hint="en")
    work()
    hers.refresh_from_db()
    nobodys.refresh_from_db()
    assert (hers.text, hers.warnings) == ("Kate colour.", [])
    assert (nobodys.text, nobodys.warnings) == ("Kate color.", [])
