"""What is entered as a model, and which recordings it then gets."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from transcription.models import SpeechModel
from transcription.services import routing
from transcription.services.models import Entered, ensure_default_models, enter_model

pytestmark = pytest.mark.django_db


def enter(name: str, **more: Any) -> Entered:
    return enter_model(name, **{"engine": "qwen3_asr", "weights": name, **more})


def route(seconds: float) -> str | None:
    return routing.choose(routing.enabled_candidates(), seconds=seconds)


def test_a_model_is_entered_enabled_and_before_the_embedded_one() -> None:
    ensure_default_models()
    entered = enter("qwen3-asr-0.6b", title="Qwen3-ASR 0.6B", languages=["zh", "en"])
    row = SpeechModel.objects.get(name="qwen3-asr-0.6b")
    assert entered == Entered(model=row, created=True, shortened=None)
    assert (row.title, row.engine, row.weights) == ("Qwen3-ASR 0.6B", "qwen3_asr", row.name)
    assert (row.enabled, row.chunk_seconds, row.languages) == (True, 90.0, ["zh", "en"])
    assert [model.name for model in SpeechModel.objects.all()] == [row.name, "whisper-base"]


def test_a_language_that_it_does_not_know_goes_to_the_embedded_model() -> None:
    ensure_default_models()
    enter("qwen3-asr-0.6b", languages=["zh", "en"])
    candidates = routing.enabled_candidates()
    assert routing.choose(candidates, language="cy") == "whisper-base"
    assert routing.choose(candidates, language="zh") == "qwen3-asr-0.6b"


@pytest.mark.parametrize("alone", ["qwen3-asr-0.6b", "qwen3-asr-1.7b"])
def test_one_alone_gets_recordings_of_any_length(alone: str) -> None:
    ensure_default_models()
    enter(alone)
    assert (route(5), route(7200)) == (alone, alone)


@pytest.mark.parametrize(
    "names", [("qwen3-asr-0.6b", "qwen3-asr-1.7b"), ("qwen3-asr-1.7b", "qwen3-asr-0.6b")]
)
def test_of_two_the_fast_one_gets_the_short_recordings(names: tuple[str, str]) -> None:
    ensure_default_models()
    first, second = map(enter, names)
    assert first.shortened is None
    assert second.shortened is not None
    assert second.shortened.name == "qwen3-asr-0.6b"
    assert (route(60), route(61), route(7200)) == (
        "qwen3-asr-0.6b",
        "qwen3-asr-1.7b",
        "qwen3-asr-1.7b",
    )


def test_a_limit_that_somebody_set_is_kept() -> None:
    enter("qwen3-asr-0.6b")
    SpeechModel.objects.update(max_seconds=600)
    assert enter("qwen3-asr-1.7b").shortened is None
    assert SpeechModel.objects.get(name="qwen3-asr-0.6b").max_seconds == 600


def test_a_model_that_is_switched_off_takes_no_recordings_from_the_other() -> None:
    enter("qwen3-asr-1.7b")
    SpeechModel.objects.update(enabled=False)
    assert enter("qwen3-asr-0.6b").shortened is None
    assert route(7200) == "qwen3-asr-0.6b"


def test_a_model_that_is_there_is_left_as_it_is() -> None:
    enter("qwen3-asr-0.6b")
    SpeechModel.objects.update(enabled=False, order=7, weights="elsewhere", max_seconds=None)
    before = SpeechModel.objects.values().get()
    entered = enter("qwen3-asr-0.6b", languages=["zh"])
    assert (entered.created, entered.shortened) == (False, None)
    assert SpeechModel.objects.values().get() == before


@pytest.mark.parametrize(
    ("name", "more"),
    [("no good", {}), ("-dash", {}), ("a/b", {}), ("good", {"engine": "steam"})],
)
def test_what_cannot_be_a_model_is_refused(name: str, more: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        enter(name, **more)
    assert not SpeechModel.objects.exists()
