"""Bad input gets its own error in seconds, and the next good file is served as ever."""

from __future__ import annotations

import time

import numpy as np
import pytest
from django.conf import settings

from tests.audio.made import flac_silence, video_without_sound
from transcription.management.benchmarks.common import Measured, write_wav
from transcription.services.errors import ERRORS

#: "In seconds": far above what it takes, far below what would make anybody wait.
SECONDS = 30.0


@pytest.fixture(scope="module")
def good() -> bytes:
    return (settings.BASE_DIR / "samples" / "english.wav").read_bytes()


CASES = {
    "an empty file": (lambda: b"", "empty_file"),
    "a letter named .wav": (lambda: b"Dear Sir or Madam, " * 500, "not_audio"),
    "a video without sound": (video_without_sound, "no_audio_track"),
    "a recording of 10 ms": (lambda: write_wav(np.full(160, 5_000)), "audio_too_short"),
    "a day of silence": (lambda: flac_silence(24 * 3600), "audio_too_long"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_has_its_own_error_and_the_next_good_file_is_served(
    fake_service: Measured, good: bytes, case: str
) -> None:
    make, code = CASES[case]
    answer = fake_service.client.transcribe("recording.wav", make())
    kind = ERRORS[code]
    assert (answer.status, answer.body["code"]) == (kind.status, kind.number), answer.body
    assert answer.body["data"] is None
    assert len(answer.body["message"]) > 20
    assert "{" not in answer.body["message"]
    assert answer.seconds < SECONDS
    after = fake_service.client.transcribe("good.wav", good)
    assert (after.status, after.body["code"]) == (200, 0)
    assert after.body["data"]["text"]


def test_a_truncated_mp3_is_recognised_as_far_as_it_goes(fake_service: Measured) -> None:
    whole = (settings.BASE_DIR / "samples" / "formats" / "walk.mp3").read_bytes()
    answer = fake_service.client.transcribe("cut.mp3", whole[: len(whole) * 2 // 3])
    assert answer.status == 200, answer.body
    assert 0.5 < answer.body["data"]["duration_sec"] < 2.3
    row = fake_service.client.get(f"/api/v1/transcriptions/{answer.body['data']['id']}/")
    assert row.body["status"] == "completed"


def test_silence_is_an_answer_not_an_error(fake_service: Measured) -> None:
    answer = fake_service.client.transcribe("silence.wav", write_wav(np.zeros(32_000)))
    assert answer.status == 200
    data = answer.body["data"]
    assert (data["text"], data["language"], data["duration_sec"]) == ("", None, 2.0)


def test_nothing_is_left_of_a_request_that_was_refused(fake_service: Measured) -> None:
    fake_service.client.transcribe("empty.wav", b"")
    incoming = fake_service.data_dir / "incoming"
    # It goes when the request is closed, which the caller does not wait for.
    deadline = time.monotonic() + SECONDS
    while list(incoming.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(incoming.iterdir()) == []
