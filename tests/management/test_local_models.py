"""Which models a command may use, and with which settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from transcription.management.local_models import (
    Choice,
    UnknownModel,
    model_of_weights,
    models_of,
)
from transcription.models import SpeechModel

pytestmark = pytest.mark.django_db


@pytest.fixture
def weights(settings: Any, tmp_path: Path) -> Path:
    """A folder of weights with the embedded model's in it, as far as anybody looks here."""
    settings.WEIGHTS_DIR = tmp_path
    (tmp_path / "whisper-base").mkdir()
    return tmp_path


def test_settings_are_json_where_they_can_be() -> None:
    choice = Choice.parse("base, beam_size=1, voice=a b, flag=true")
    assert choice.name == "base"
    assert choice.settings == {"beam_size": 1, "voice": "a b", "flag": True}


@pytest.mark.parametrize("given", ["", ",a=1", "base,a", "base,=1"])
def test_what_is_no_choice_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"no model|no setting"):
        Choice.parse(given)


def test_without_a_database_the_weights_in_place_are_the_models(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection.introspection, "table_names", list)
    [row] = models_of(None)
    assert (row["name"], row["engine"], row["weights"]) == (
        "whisper-base",
        "whisper",
        "whisper-base",
    )


def test_without_any_model_it_is_said_how_to_get_one(settings: Any, tmp_path: Path) -> None:
    settings.WEIGHTS_DIR = tmp_path
    with pytest.raises(UnknownModel, match="fetch_model whisper-base"):
        models_of(None)


def test_a_service_that_is_set_up_decides_what_the_routing_uses(weights: Path) -> None:
    SpeechModel.objects.create(name="own", engine="fake", options={"voice": "own"})
    SpeechModel.objects.create(name="off", engine="fake", enabled=False)
    assert [row["name"] for row in models_of(None)] == ["own"]
    assert [row["name"] for row in models_of(Choice.parse("auto"))] == ["own"]
    # By name anything can be looked at.
    for name in ("off", "whisper-base"):
        [row] = models_of(Choice.parse(name))
        assert (row["name"], row["enabled"]) == (name, True)


def test_settings_change_the_copy_and_never_the_row_of_the_service() -> None:
    SpeechModel.objects.create(name="own", engine="fake", options={"voice": "own"})
    [row] = models_of(Choice.parse("own,voice=other,chunk_seconds=12"))
    assert (row["options"], row["chunk_seconds"]) == ({"voice": "other"}, 12.0)
    stored = SpeechModel.objects.get()
    assert (stored.options, stored.chunk_seconds) == ({"voice": "own"}, 30.0)


def test_a_database_that_does_not_answer_is_no_reason_to_guess(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> list[str]:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection.introspection, "table_names", refuse)
    with pytest.raises(UnknownModel, match=r"database \(connection refused\).*--engine"):
        models_of(None)


def test_weights_are_found_from_where_a_person_stands(
    weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    row = model_of_weights(Choice.parse("whisper"), Path("mine"))
    assert row["weights"] == str(tmp_path / "mine")
    # A name below the folder of weights, and one that the engine will complain of.
    assert model_of_weights(Choice.parse("whisper"), Path("other"))["weights"] == "other"
