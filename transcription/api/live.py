"""What a stream tells of a transcription while it runs: its chunks as they are finished."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, cast

from django.conf import settings
from django.db.models import QuerySet

from transcription.models import Chunk, LeasedWork, Transcription
from transcription.services.transcript import Transcript, transcript_of
from transcription.text.script import Script

State = LeasedWork.State


def text_so_far(row_id: uuid.UUID) -> str:
    """Return the text of a running transcription up to its first stretch without one yet.

    Written as it will be at the end, but for the end itself; one query. For those who are sent
    only what is new: what the next stretch changes in front of itself is rare (a mark that falls
    away at a cut), and they are told the whole text at the end.
    """
    chunks = _with_what_was_asked(Chunk.objects.filter(transcription=row_id))
    over = takewhile(lambda chunk: chunk.state not in {State.PENDING, State.LEASED}, chunks)
    return _written([chunk for chunk in over if chunk.state == State.DONE]).text


def segments_of_chunks(ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the segments of these finished chunks, each written by itself; one query.

    Without their index: their number among all segments is known at the end only.
    """
    chunks = _with_what_was_asked(Chunk.objects.filter(pk__in=ids))
    return [
        {
            "start_seconds": segment.start_seconds,
            "end_seconds": segment.end_seconds,
            "text": segment.text,
            "language": segment.language or None,
            "words": segment.words,
        }
        for chunk in chunks
        for segment in _written([chunk]).segments
    ]


def reviewed_segments(row: Transcription) -> list[dict[str, Any]]:
    """Return the segments of a finished text as they are now, in the same form; one query."""
    return [
        {**segment, "language": segment["language"] or None}
        for segment in row.segments.order_by("index").values(
            "start_seconds", "end_seconds", "text", "language", "words"
        )
    ]


def _with_what_was_asked(chunks: QuerySet[Chunk]) -> QuerySet[Chunk]:
    return (
        chunks.order_by("start_sample")
        .select_related("transcription")
        .only(
            "state",
            "start_sample",
            "end_sample",
            "text",
            "language",
            "segments",
            "transcription__polish",
        )
    )


def _written(chunks: Sequence[Chunk]) -> Transcript:
    return transcript_of(
        chunks,
        script=cast(Script, settings.CHINESE_SCRIPT),
        polish=chunks[0].transcription.polish if chunks else "",
        complete=False,
    )
