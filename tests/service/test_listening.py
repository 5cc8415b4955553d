"""What the embedded model makes of real speech, through HTTP."""

from __future__ import annotations

import pytest
from django.conf import settings

from tests.speech import read_audio, speech_samples
from transcription.management.benchmarks.common import Measured
from transcription.text.scoring import character_error_rate, word_error_rate

FORMATS = sorted(
    path.suffix.removeprefix(".")
    for path in (settings.BASE_DIR / "samples" / "formats").iterdir()
    if path.suffix != ".txt"
)
MOST_WORD_ERRORS = 0.15


def test_the_sample_of_the_readme_is_right_word_for_word(whisper_service: Measured) -> None:
    folder = settings.BASE_DIR / "samples"
    answer = whisper_service.client.transcribe_file(folder / "english.wav")
    assert answer.status == 200, answer.body
    data = answer.body["data"]
    assert set(data) == {"text", "language", "duration_sec", "model", "id"}
    said = (folder / "english.txt").read_text(encoding="utf-8")
    assert word_error_rate([(said, data["text"])], language="en") == 0
    assert data["language"] == "en"
    assert data["duration_sec"] == pytest.approx(8.525, abs=0.01)


def test_chinese_is_written_in_simplified_characters(whisper_service: Measured) -> None:
    folder = settings.BASE_DIR / "samples"
    answer = whisper_service.client.transcribe_file(folder / "chinese.wav")
    data = answer.body["data"]
    assert data["language"] == "zh"
    said = (folder / "chinese.txt").read_text(encoding="utf-8")
    assert character_error_rate([(said, data["text"])], language="zh") <= 0.05


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_recognised_by_its_content(whisper_service: Measured, name: str) -> None:
    folder = settings.BASE_DIR / "samples" / "formats"
    content = (folder / f"walk.{name}").read_bytes()
    # Neither the name nor the header helps, and neither misleads.
    answer = whisper_service.client.transcribe("upload.txt", content)
    assert answer.status == 200, answer.body
    data = answer.body["data"]
    assert data["duration_sec"] == pytest.approx(2.35, abs=0.15)
    said = (folder / "walk.txt").read_text(encoding="utf-8")
    assert word_error_rate([(said, data["text"])], language="en") <= MOST_WORD_ERRORS


@pytest.mark.parametrize("language", ["en", "fr"])
def test_speech_of_people_is_recognised_with_few_errors(
    whisper_service: Measured, language: str
) -> None:
    pairs = []
    for sample in speech_samples(language):
        answer = whisper_service.client.transcribe_file(sample.path)
        assert answer.status == 200, answer.body
        assert answer.body["data"]["language"] == language, sample.name
        expected = len(read_audio(sample.path)) / 16_000
        assert answer.body["data"]["duration_sec"] == pytest.approx(expected, abs=0.05)
        pairs.append((sample.reference, answer.body["data"]["text"]))
    assert word_error_rate(pairs, language=language) <= MOST_WORD_ERRORS


def test_a_language_can_be_asked_for(whisper_service: Measured) -> None:
    path = settings.BASE_DIR / "samples" / "english.wav"
    answer = whisper_service.client.transcribe_file(path, {"language": "English"})
    assert answer.body["data"]["language"] == "en"
    answer = whisper_service.client.transcribe_file(path, {"language": "tlh"})
    assert (answer.status, answer.body["code"]) == (400, 2004)
