"""The text of a transcription that is not over yet: what its finished chunks say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings

from transcription.models import Chunk, LeasedWork, Transcription
from transcription.text.joining import Piece, join
from transcription.text.script import Script, convert


@dataclass(frozen=True, kw_only=True)
class Content:
    """What can be read of a transcription: the same shape while it runs and when it is over."""

    text: str
    #: index, start_seconds, end_seconds, text, language, words (None, or a list).
    segments: list[dict[str, Any]]


def content_of(row: Transcription) -> Content:
    """Return text and segments as far as they are there; one query."""
    if row.step == Transcription.Step.OVER:
        return Content(text=row.text, segments=_stored_segments(row))
    chunks = list(
        row.chunks.filter(state=LeasedWork.State.DONE)
        .order_by("start_sample")
        .only("transcription_id", "start_sample", "text", "language", "segments")
    )
    return Content(
        text=join(
            [
                Piece(text=_written(chunk.text, chunk.language), language=chunk.language or None)
                for chunk in chunks
            ]
        ),
        segments=_running_segments(chunks),
    )


def segments_from(row: Transcription, start: int, count: int) -> list[dict[str, Any]]:
    """Return up to ``count`` segments from that index on; one query."""
    if row.step == Transcription.Step.OVER:
        return _stored_segments(row, index__gte=start, index__lt=start + count)
    return content_of(row).segments[start : start + count]


def _stored_segments(row: Transcription, **which: int) -> list[dict[str, Any]]:
    fields = ("index", "start_seconds", "end_seconds", "text", "language", "words")
    return [
        {**segment, "language": segment["language"] or None}
        for segment in row.segments.filter(**which).order_by("index").values(*fields)
    ]


def _running_segments(chunks: Sequence[Chunk]) -> list[dict[str, Any]]:
    raw_segments: Iterable[tuple[Chunk, dict[str, Any]]] = (
        (chunk, raw) for chunk in chunks for raw in chunk.segments
    )
    return [
        {
            "index": index,
            "start_seconds": raw["start"],
            "end_seconds": raw["end"],
            "text": _written(raw["text"], chunk.language),
            "language": chunk.language or None,
            "words": [
                {**word, "word": _written(word["word"], chunk.language)}
                for word in raw.get("words") or []
            ]
            or None,
        }
        for index, (chunk, raw) in enumerate(raw_segments)
    ]


def _written(text: str, language: str) -> str:
    script = cast(Script, settings.CHINESE_SCRIPT)
    return convert(text, script, language=language or None)
