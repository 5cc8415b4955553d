"""After the weights, one command makes the service use them."""

from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.weights.hub import running_hub
from tests.weights.tiny import TINY, huggingface, tiny_entry, tiny_files
from transcription.models import SpeechModel
from transcription.weights.catalogue import ModelEntry

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def weights(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Path:
    """An empty folder for weights, and a catalogue whose two models are the tiny checkpoint."""
    catalogue: dict[str, ModelEntry] = {
        name: tiny_entry(name=name, title=name) for name in ("qwen3-asr-0.6b", "qwen3-asr-1.7b")
    }
    catalogue["qwen3-forced-aligner"] = tiny_entry(name="qwen3-forced-aligner", role="aligner")
    for command in ("add_model", "fetch_model"):
        monkeypatch.setattr(
            f"transcription.management.commands.{command}.read_catalogue", lambda path: catalogue
        )
    settings.WEIGHTS_DIR = tmp_path / "weights"
    return settings.WEIGHTS_DIR


def copy_to(folder: Path) -> None:
    shutil.copytree(TINY, folder)


def add(*arguments: str) -> str:
    output = StringIO()
    call_command("add_model", *arguments, stdout=output)
    return output.getvalue()


def test_a_fetched_model_is_entered_by_the_line_that_the_fetch_ends_with(settings: Any) -> None:
    output = StringIO()
    with running_hub(huggingface(tiny_files())) as hub:
        settings.HF_ENDPOINT = hub.url
        call_command("fetch_model", "qwen3-asr-0.6b", stdout=output, verbosity=0)
    words = output.getvalue().splitlines()[-1].removeprefix("To use it: python manage.py ").split()
    assert words == ["add_model", "qwen3-asr-0.6b"]
    assert add(*words[1:]) == (
        "qwen3-asr-0.6b is entered: engine qwen3_asr, weights qwen3-asr-0.6b, place 10, chunks of "
        "90 s, recordings of any length.\n"
    )
    row = SpeechModel.objects.get()
    assert len(row.languages) == 30
    assert row.enabled


def test_a_second_call_changes_nothing_and_says_so(weights: Path) -> None:
    copy_to(weights / "qwen3-asr-0.6b")
    add("qwen3-asr-0.6b")
    assert "entered already (enabled)" in add("qwen3-asr-0.6b")
    SpeechModel.objects.update(enabled=False)
    assert "not enabled" in add("qwen3-asr-0.6b")
    assert SpeechModel.objects.count() == 1


def test_the_command_says_how_two_models_share_the_recordings(weights: Path) -> None:
    copy_to(weights / "qwen3-asr-0.6b")
    copy_to(weights / "qwen3-asr-1.7b")
    add("qwen3-asr-0.6b")
    assert (
        "qwen3-asr-0.6b takes recordings of up to 60 s from now on; longer ones go to "
        "qwen3-asr-1.7b." in add("qwen3-asr-1.7b")
    )


def test_weights_elsewhere_are_entered_by_their_whole_path(tmp_path: Path) -> None:
    copy_to(tmp_path / "disk")
    add("qwen3-asr-1.7b", f"--weights={tmp_path / 'disk'}")
    assert SpeechModel.objects.get().weights == str(tmp_path / "disk")


def test_a_model_without_its_weights_is_not_entered(weights: Path) -> None:
    with pytest.raises(CommandError, match=r"manage\.py fetch_model qwen3-asr-0\.6b"):
        add("qwen3-asr-0.6b")
    copy_to(weights / "qwen3-asr-0.6b")
    (weights / "qwen3-asr-0.6b" / "tokenizer.json").unlink()
    with pytest.raises(CommandError, match=r"tokenizer\.json .* is missing"):
        add("qwen3-asr-0.6b")
    assert not SpeechModel.objects.exists()


def test_the_aligner_is_not_entered_as_a_model() -> None:
    with pytest.raises(CommandError, match="writes no text"):
        add("qwen3-forced-aligner")


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(CommandError, match=r"It has: qwen3-asr-0\.6b"):
        add("qwen3-asr-7b")
