"""Why nothing moves, as the engine room says it."""

from __future__ import annotations

from typing import Any

import pytest

from transcription.models import Transcription
from transcription.services import engine_room
from transcription.services.engine_room import counted, obstacles


def found(**changes: Any) -> tuple[str, ...]:
    facts = {
        "paused": False,
        "chores_workers": 2,
        "engine_workers": 1,
        "statuses": ["loaded"],
        "any_serves": True,
        **changes,
    }
    return obstacles(**facts)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ()),
        ({"paused": True}, ("paused",)),
        ({"paused": True, "chores_workers": 0}, ("paused", "no_chores_worker")),
        ({"engine_workers": 0, "any_serves": False, "statuses": ["no_worker"]},
         ("no_engine_worker",)),
        ({"statuses": [], "any_serves": False}, ("no_model",)),
        ({"statuses": ["failed"], "any_serves": False}, ("model_failed",)),
        # The generation before goes on serving.
        ({"statuses": ["failed"]}, ()),
        ({"statuses": ["failed", "reloading"], "any_serves": False}, ("model_loading",)),
        # Loaded when the first recording needs it.
        ({"statuses": ["unloaded", "failed"], "any_serves": False}, ()),
    ],
)  # fmt: skip
def test_what_keeps_recordings_waiting_is_named(
    changes: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert found(**changes) == expected


def test_counting_ends_at_a_limit(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_room, "COUNT_LIMIT", 3)
    Transcription.objects.bulk_create([Transcription() for _ in range(9)])
    assert counted(Transcription.objects.all()) == 4
