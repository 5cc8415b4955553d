"""``manage.py evaluate``: how many errors a model makes on recordings whose text is known."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.engines.tone_words import speak
from tests.management.conftest import SAMPLES, TINY, left_behind, write_wav
from transcription.models import Transcription

ENGLISH = {
    "audio": str(SAMPLES / "english.wav"),
    "text": (SAMPLES / "english.txt").read_text(encoding="utf-8"),
    "language": "en",
}
CHINESE = {
    "audio_filepath": str(SAMPLES / "chinese.wav"),
    "transcript": (SAMPLES / "chinese.txt").read_text(encoding="utf-8"),
    "lang": "zh-CN",
}


class Ran:
    """What a run of the command said and how it ended."""

    def __init__(self, *words: object) -> None:
        output, errors = io.StringIO(), io.StringIO()
        self.refusal = ""
        try:
            call_command("evaluate", *map(str, words), stdout=output, stderr=errors)
        except CommandError as error:
            self.refusal = str(error)
        self.output, self.errors = output.getvalue(), errors.getvalue()

    def line(self, beginning: str) -> list[str]:
        """The words of the one line that begins so."""
        [found] = [line for line in self.output.splitlines() if line.startswith(beginning)]
        return found.split()


def manifest(folder: Path, *entries: dict[str, str]) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in entries), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def nothing_is_left_behind(db: None) -> Iterator[None]:
    """The service's tables are there, empty; and no run leaves anything, however it ended."""
    yield
    assert left_behind() == []
    assert not Transcription.objects.exists()


def test_the_embedded_model_is_measured_by_language(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ran = Ran(
        manifest(tmp_path, ENGLISH, CHINESE), "--language", "detect", "--worst", 3, "--json", report
    )
    assert ran.refusal == ""
    assert ran.line("en ")[:4] == ["en", "1", "WER", "0.00%"]
    assert ran.line("zh ")[:3] == ["zh", "1", "CER"]
    assert ran.line("all ")[:3] == ["all", "2", "WER+CER"]
    assert "languages heard rightly: 2 of 2 files (100.0%)" in ran.output
    assert "whisper-base on cpu as int8" in ran.output
    written = json.loads(report.read_text(encoding="utf-8"))
    [run] = written["runs"]
    assert run["overall"]["reference_length"] == 25 + 28
    assert run["overall"]["rate"] < 0.05
    assert [one["heard_language"] for one in run["files"]] == ["en", "zh"]
    assert [one["unit"] for one in run["files"]] == ["word", "character"]
    assert run["audio_seconds"] == pytest.approx(15.4, abs=0.1)
    assert run["rtfx"] == pytest.approx(run["audio_seconds"] / run["seconds"], rel=0.01)
    assert 0 < run["engine_seconds"] < run["seconds"]
    assert run["peak_bytes"] > 100_000_000


def test_qwen3_asr_is_measured_with_weights_from_any_folder(tmp_path: Path) -> None:
    entries = []
    for number, (said, reference) in enumerate(
        [("河流石头。苹果房子水。", "河流石头苹果房子水"), ("夜绿七小面包。", "夜绿七小面条")]
    ):
        # Tones that the voice detection takes for speech from the first to the last.
        write_wav(tmp_path / f"{number}.wav", speak(said, voice="zh", seed=number))
        entries.append({"audio": f"{number}.wav", "text": reference, "language": "zh"})
    ran = Ran(
        manifest(tmp_path, *entries), "--engine", "qwen3_asr", "--weights", TINY, "--worst", 1
    )
    assert ran.refusal == ""
    # One wrong character, which the manifest has, not the model.
    assert ran.line("zh ") == ["zh", "2", "CER", "6.67%", "1", "1", "0", "0", "15"]
    assert "夜绿七小面[-条-]{+包+}" in ran.output


def test_files_that_come_to_nothing_are_named_and_left_out_of_the_rates(
    tmp_path: Path, broken: Path, empty: Path
) -> None:
    ran = Ran(
        manifest(
            tmp_path,
            {"audio": broken.name, "text": "a", "language": "en"},
            ENGLISH,
            {"audio": "missing.wav", "text": "a", "language": "en"},
            {"audio": empty.name, "text": "a", "language": "en"},
        ),
        "--engine",
        "fake",
    )
    assert ran.refusal == "3 of 4 files came to nothing; the rates are without them."
    assert f"line 1, {broken}: not_audio (3001):" in ran.errors
    assert f"line 3, {tmp_path / 'missing.wav'}: file_not_found (7001):" in ran.errors
    assert f"line 4, {empty}: empty_file (2002):" in ran.errors
    assert ran.line("en ")[:5] == ["en", "4", "(3", "failed)", "WER"]
    assert ran.line("en ")[-1] == "25"
    assert ran.line("broken.wav")[2:4] == ["en", "failed"]


def test_two_settings_stand_side_by_side(tmp_path: Path) -> None:
    entries = manifest(tmp_path, ENGLISH, CHINESE)
    ran = Ran(
        *(entries, "--model", "whisper-base", "--model", "whisper-base,beam_size=1"),
        *("--limit", 1, "--verbosity", 0),
    )
    assert ran.refusal == ""
    assert ran.line("en WER")[2:] == ["0.00%", "0.00%"]
    assert len(ran.line("RTFx of the engine ")) == 6
    assert "over whisper-base: +0.00% errors; 0 of 1 files better, 0 worse" in ran.output
    assert "english.wav" not in ran.output
    assert ran.errors == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "whisper-base", "--model", "large"], "There is no model 'large'"),
        (["--limit", "0"], "--limit takes a number from 1"),
        (["--engine", "fake", "--model", "whisper-base"], "not allowed with argument"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_starts(
    words: list[str], said: str, tmp_path: Path
) -> None:
    ran = Ran(manifest(tmp_path, ENGLISH), *words)
    assert said in ran.refusal
    assert ran.output == ""


def test_a_manifest_with_a_bad_line_starts_nothing(tmp_path: Path) -> None:
    path = manifest(tmp_path, ENGLISH, {"audio": "a.wav"})
    ran = Ran(path, "--engine", "fake")
    assert "line 2: it has no text or transcript" in ran.refusal
    assert ran.output == ""


def test_a_missing_package_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcription.management.commands.evaluate.find_spec", lambda name: None)
    ran = Ran(manifest(tmp_path, ENGLISH))
    assert "the package jiwer, which is not installed. Run: pip install" in ran.refusal
