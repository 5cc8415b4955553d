"""What a stream tells of a transcription while it runs: its chunks as they are finished."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, cast

from django.conf import settings

from transcription.models import Chunk, LeasedWork
from transcription.text.joining import Piece, join
from transcription.text.script import Script, convert

State = LeasedWork.State


def text_so_far(row_id: uuid.UUID) -> str:
    """Return the text of a running transcription up to its first stretch without one yet.

    Longer each time, and never another text in front, for those who are sent only what is new.
    """
    pieces = []
    for state, text, language in (
        Chunk.objects.filter(transcription=row_id)
        .order_by("start_sample")
        .values_list("state", "text", "language")
    ):
        if state in {State.PENDING, State.LEASED}:
            break
        if state == State.DONE:
            pieces.append(Piece(text=_written(text, language), language=language or None))
    return join(pieces)


def segments_of_chunks(ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the segments of these finished chunks as the engine wrote them; one query.

    Without their index: their number among all segments is known at the end only.
    """
    chunks = (
        Chunk.objects.filter(pk__in=ids)
        .order_by("start_sample")
        .values_list("language", "segments")
    )
    return [
        {
            "start_seconds": raw["start"],
            "end_seconds": raw["end"],
            "text": _written(raw["text"], language),
            "language": language or None,
            "words": [
                {**word, "word": _written(word["word"], language)}
                for word in raw.get("words") or []
            ]
            or None,
        }
        for language, segments in chunks.values_list("language", "segments")
        for raw in segments
    ]


def _written(text: str, language: str) -> str:
    return convert(text, cast(Script, settings.CHINESE_SCRIPT), language=language or None)
