"""Which model a recording gets, by what it really is."""

from __future__ import annotations

import numpy as np
import pytest

from tests.work.conftest import SAMPLES, wav
from transcription.engines.fake import FakeOptions
from transcription.engines.qwen3.options import MAX_CLIP_SECONDS
from transcription.engines.whisper import WhisperEngine
from transcription.models import SpeechModel, Transcription
from transcription.models.speech_model import LONGEST_CLIP_SECONDS
from transcription.work.tasks import look_for_chores

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def two_models(transactional_db) -> None:
    """A quick one for up to ten seconds, and one for the rest."""
    options = {"max_clip_seconds": 60.0}
    SpeechModel.objects.create(
        name="quick", engine="fake", order=1, max_seconds=10.0, options={"voice": "quick"}
    )
    SpeechModel.objects.create(
        name="careful", engine="fake", order=2, chunk_seconds=60.0,
        options={"voice": "careful", **options},
    )  # fmt: skip


def said(speech: bytes, times: int) -> bytes:
    """The sentence of 8.5 s so many times, a second of silence after each."""
    samples = np.frombuffer(speech[44:], dtype="<i2")
    return wav(np.tile(np.concatenate([samples, np.zeros(16_000, "<i2")]), times))


def of_unknown_length(content: bytes) -> bytes:
    """A WAV file as one that was still being written says its length: not at all."""
    head = bytearray(content[:44])
    head[4:8] = head[40:44] = b"\xff\xff\xff\xff"
    return bytes(head) + content[44:]


@pytest.mark.parametrize("declared", [True, False])
def test_the_true_duration_decides(two_models, post, work, speech, declared) -> None:
    def as_sent(content: bytes) -> bytes:
        return content if declared else of_unknown_length(content)

    short, long = post(as_sent(said(speech, 1))), post(as_sent(said(speech, 2)))
    work()
    for row, name in ((short, "quick"), (long, "careful")):
        row.refresh_from_db()
        assert (row.status, row.model_name) == ("completed", name)
        assert row.text.lower().startswith(f"{name} ")
        assert row.routing_reason == "first_that_fits"


def test_a_header_that_lies_about_the_duration_changes_nothing(two_models, post, work) -> None:
    content = bytearray((SAMPLES / "formats" / "walk.flac").read_bytes())
    # The last 36 of these 64 bits are the number of samples (RFC 9639, 8.2).
    packed = int.from_bytes(content[18:26], "big")
    rate_hz = packed >> 44
    packed = (packed >> 36 << 36) | 100 * rate_hz
    content[18:26] = packed.to_bytes(8, "big")
    row = post(bytes(content))
    work()
    row.refresh_from_db()
    assert row.expected_seconds == pytest.approx(100.0)
    assert row.duration_seconds == pytest.approx(2.35, abs=0.15)
    assert (row.status, row.model_name) == ("completed", "quick")


def test_what_was_decoded_before_the_choice_is_split_like_the_rest(
    two_models, post, work, speech
) -> None:
    held = post(said(speech, 4))
    work()
    SpeechModel.objects.filter(name="quick").update(enabled=False)
    plain = post(said(speech, 4))
    work()
    spans = [list(row.chunks.values_list("start_sample", "end_sample")) for row in (held, plain)]
    assert spans[0] == spans[1]
    assert held.chunks.count() >= 1
    texts = Transcription.objects.values_list("text", flat=True)
    assert len(set(texts)) == 1


def test_the_reason_is_kept(two_models, post, work, speech) -> None:
    asked = post(said(speech, 3), requested_model="quick")
    work()
    asked.refresh_from_db()
    assert (asked.model_name, asked.routing_reason) == ("quick", "requested")
    SpeechModel.objects.filter(name="careful").update(enabled=False)
    too_long = post(said(speech, 3))
    work()
    too_long.refresh_from_db()
    assert (too_long.model_name, too_long.routing_reason) == ("quick", "longer_than_every_limit")


def test_chunks_are_never_longer_than_the_engine_takes(
    transactional_db, post, speech, work
) -> None:
    # Whatever a person set: the engine takes 30 s.
    SpeechModel.objects.create(name="fake", engine="fake", chunk_seconds=120.0)
    samples = np.frombuffer(speech[44:], dtype="<i2")
    row = post(wav(np.tile(samples, 9)))  # 77 s without a pause worth the name
    work()
    row.refresh_from_db()
    assert row.status == "completed"
    assert all(chunk.duration_seconds <= 30.0 for chunk in row.chunks.all())
    assert row.chunks.count() >= 3


def test_a_chunk_that_was_cut_for_another_engine_is_halved(
    transactional_db, post, speech, work, fresh_worker
) -> None:
    model = SpeechModel.objects.create(
        name="fake", engine="fake", chunk_seconds=60.0, options={"max_clip_seconds": 60.0}
    )
    samples = np.frombuffer(speech[44:], dtype="<i2")
    row = post(wav(np.tile(samples, 6)))
    look_for_chores()
    assert max(chunk.duration_seconds for chunk in row.chunks.all()) > 30.0
    model.options = {}
    model.save()
    work()
    row.refresh_from_db()
    assert (row.status, row.warnings) == ("completed", [])
    assert max(chunk.duration_seconds for chunk in row.chunks.all()) <= 30.0
    assert row.processed_seconds == pytest.approx(row.speech_seconds)


def test_the_limits_of_the_rows_are_those_of_the_engines() -> None:
    assert LONGEST_CLIP_SECONDS == {
        "fake": FakeOptions().max_clip_seconds,
        "qwen3_asr": MAX_CLIP_SECONDS,
        "whisper": WhisperEngine.max_clip_seconds,
    }
    assert set(LONGEST_CLIP_SECONDS) == set(SpeechModel.Engine.values)
    row = SpeechModel(engine="qwen3_asr", chunk_seconds=120.0)
    assert row.split_seconds == 120.0
    row.options = {"max_clip_seconds": 90.0}
    assert row.split_seconds == 90.0
