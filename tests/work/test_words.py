"""Times of single words from the upload to the stored segments."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.engines.tone_words import speak
from tests.work.conftest import follow_the_rows, wav
from transcription.audio import split
from transcription.engines.base import EngineError
from transcription.models import SpeechModel
from transcription.work.engine_config import config_of

pytestmark = pytest.mark.django_db(transaction=True)

ENGINES = Path(__file__).parent.parent / "engines"
RECOGNISER, ALIGNER = ENGINES / "tiny-qwen3-asr", ENGINES / "tiny-qwen3-aligner"


class LoudnessDetector:
    """Hears speech in whatever is not silent: to Silero, tones are none."""

    def feed(self, windows: np.ndarray) -> np.ndarray:
        return (np.abs(windows).max(axis=1) > 0.02).astype(np.float32)


@pytest.fixture(autouse=True)
def _tones_are_speech(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "speech" not in request.fixturenames:
        monkeypatch.setattr(split, "SileroVad", LoudnessDetector)


def tones(text: str) -> bytes:
    return wav(speak(text, seed=4) * 32_000)


def qwen(**options: object) -> SpeechModel:
    return SpeechModel.objects.create(
        name="qwen",
        engine="qwen3_asr",
        weights=str(RECOGNISER),
        options={"aligner": str(ALIGNER), "dtype": "float32", **options},
    )


def test_words_come_with_their_times_and_marks_when_they_are_wanted(
    transactional_db, post, work
) -> None:
    model = qwen()
    row = post(tones("River stone light."), want_words=True)
    work()
    row.refresh_from_db()
    model.refresh_from_db()
    assert (row.status, row.warnings) == ("completed", [])
    assert model.gives_words is True
    [segment] = row.segments.all()
    assert " ".join(word["word"] for word in segment.words) == segment.text == row.text
    times = [at for word in segment.words for at in (word["start"], word["end"])]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (segment.start_seconds, segment.end_seconds)
    assert 0.0 <= times[0] < times[-1] <= row.duration_seconds


def test_nobody_gets_words_who_did_not_ask(transactional_db, post, work) -> None:
    qwen()
    row = post(tones("River stone light."))
    work()
    row.refresh_from_db()
    assert row.text
    assert [segment.words for segment in row.segments.all()] == [None]


def test_without_an_aligner_the_text_is_there_and_says_that_it_has_no_words(
    transactional_db, post, work
) -> None:
    model = qwen(aligner=None)
    row = post(tones("River stone light."), want_words=True)
    work()
    row.refresh_from_db()
    model.refresh_from_db()
    assert (row.status, row.warnings) == ("completed", ["no_words"])
    assert row.text.startswith("River")
    # From now on it is known before anything is uploaded.
    assert model.gives_words is False


def test_an_aligner_that_breaks_when_it_is_needed_costs_no_text(
    transactional_db, post, work, tmp_path
) -> None:
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "aligner"
    shutil.copytree(ALIGNER, broken)
    weights = load_file(broken / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    model = qwen(aligner=str(broken))
    rows = [post(tones("River stone light."), want_words=True) for _ in range(2)]
    for row in rows:
        work()
        row.refresh_from_db()
        assert (row.status, row.warnings) == ("completed", ["no_words"])
        assert row.text.startswith("River")
    look_again = post(tones("River."))
    work()
    look_again.refresh_from_db()
    model.refresh_from_db()
    assert look_again.warnings == []
    assert model.gives_words is False


def test_silence_lacks_no_words(transactional_db, post, work) -> None:
    qwen(aligner=None)
    row = post(wav(np.zeros(48_000)), want_words=True)
    work()
    row.refresh_from_db()
    assert (row.status, row.warnings) == ("completed", ["no_speech"])


def test_a_recording_with_words_goes_to_the_model_that_gives_them(
    transactional_db, post, work, speech
) -> None:
    SpeechModel.objects.create(
        name="mute", engine="fake", order=1, options={"gives_words": False}, gives_words=False
    )
    SpeechModel.objects.create(name="telling", engine="fake", order=2, gives_words=True)
    plain, timed = post(speech), post(speech, want_words=True)
    for _ in range(2):
        work()
    for row in (plain, timed):
        row.refresh_from_db()
    assert (plain.model_name, timed.model_name) == ("mute", "telling")
    assert all(segment.words for segment in timed.segments.all())


# --- where the aligner is looked for


def row(**options: object) -> SpeechModel:
    return SpeechModel(name="m", engine="qwen3_asr", weights="w", options=options)


def test_the_aligner_that_was_fetched_is_used_by_itself(settings, tmp_path) -> None:
    settings.WEIGHTS_DIR = tmp_path
    assert config_of(row()).aligner_dir is None
    (tmp_path / "qwen3-forced-aligner").mkdir()
    assert config_of(row()).aligner_dir == tmp_path / "qwen3-forced-aligner"
    # It is Qwen3-ASR's alone.
    assert config_of(SpeechModel(name="m", engine="whisper")).aligner_dir is None


@pytest.mark.parametrize(
    ("named", "folder"),
    [("other", "/weights/other"), ("/srv/aligner", "/srv/aligner"), ("", None), (None, None)],
)
def test_a_model_names_its_own_aligner_or_none(settings, named, folder) -> None:
    settings.WEIGHTS_DIR = "/weights"
    config = config_of(row(aligner=named, dtype="float32"))
    assert config.aligner_dir == (folder and Path(folder))
    # The engine itself has no such option.
    assert config.options == {"dtype": "float32"}


def test_an_aligner_that_is_no_name_is_an_error_in_words() -> None:
    with pytest.raises(EngineError, match="aligner is 7"):
        config_of(row(aligner=7))


# --- the embedded default


def test_whisper_gives_words_too(transactional_db, post, work, speech) -> None:
    SpeechModel.objects.create(name="whisper-base", engine="whisper", weights="whisper-base")
    row = post(speech, want_words=True)
    work()
    row.refresh_from_db()
    assert (row.status, row.warnings) == ("completed", [])
    segments = list(row.segments.all())
    words = [word for segment in segments for word in segment.words]
    assert " ".join(word["word"] for word in words) == row.text
    times = [at for word in words for at in (word["start"], word["end"])]
    assert times == sorted(times)
    assert 0.0 <= times[0] < times[-1] <= row.duration_seconds
    assert all(0.0 < word["probability"] <= 1.0 for word in words)
    follow_the_rows()  # as the ticker does, which saw nothing while it was being loaded
    assert SpeechModel.objects.get().gives_words is True
