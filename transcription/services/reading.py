"""The text of a transcription that is not over yet: what its finished chunks say.

It is polished by the rules as it will be at the end, but for a stop at its end; a punctuation
model runs at the end only, in a worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings

from transcription.models import LeasedWork, Transcription
from transcription.services.transcript import TranscriptSegment, transcript_of
from transcription.text.script import Script


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
        .only("transcription_id", "start_sample", "end_sample", "text", "language", "segments")
    )
    transcript = transcript_of(
        chunks,
        script=cast(Script, settings.CHINESE_SCRIPT),
        polish=row.polish,
        complete=False,
    )
    return Content(text=transcript.text, segments=_running_segments(transcript.segments))


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


def _running_segments(segments: Sequence[TranscriptSegment]) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "start_seconds": segment.start_seconds,
            "end_seconds": segment.end_seconds,
            "text": segment.text,
            "language": segment.language or None,
            "words": segment.words,
        }
        for index, segment in enumerate(segments)
    ]
