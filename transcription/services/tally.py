"""Counts what happens, where it can in the transaction in which it happens."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from django.db import connection

from transcription.models import Tally


class Count(StrEnum):
    """What is counted; the label is said behind it."""

    #: Recordings that ended: completed, failed.
    RECORDINGS = "recordings"
    #: Recordings that failed, by the code of the error.
    FAILURES = "failures"
    #: Seconds of the completed recordings, and what the engines needed for them.
    AUDIO_SECONDS = "audio_seconds"
    ENGINE_SECONDS = "engine_seconds"
    #: Calls of an engine, the clips in them, their seconds, and those with the padding: every
    #: clip of a batch costs as much as the longest.
    BATCHES = "batches"
    BATCH_CLIPS = "batch_clips"
    BATCH_AUDIO_SECONDS = "batch_audio_seconds"
    BATCH_PADDED_SECONDS = "batch_padded_seconds"
    #: Work whose worker died or stopped renewing, by kind: recording, chunk, delivery.
    LEASES_EXPIRED = "leases_expired"


def add(amounts: Mapping[tuple[Count, str], float]) -> None:
    """Add to counts, each by its name and label; one statement.

    To be called at the end of a transaction: the rows are the same for everybody, and are locked
    until it ends. In one order, so that no two of them wait for each other.
    """
    rows = sorted((str(name), label, amount) for (name, label), amount in amounts.items() if amount)
    if not rows:
        return
    table = connection.ops.quote_name(Tally._meta.db_table)
    places = ", ".join(["(%s, %s, %s)"] * len(rows))
    with connection.cursor() as cursor:
        # The ORM can overwrite on a conflict, but not add.
        cursor.execute(
            f"INSERT INTO {table} (name, label, value) VALUES {places} "
            f"ON CONFLICT (name, label) DO UPDATE SET value = {table}.value + excluded.value",
            [part for row in rows for part in row],
        )


def counts() -> dict[tuple[str, str], float]:
    """Return all counts by name and label; one query."""
    return {
        (name, label): value
        for name, label, value in Tally.objects.values_list("name", "label", "value")
    }
