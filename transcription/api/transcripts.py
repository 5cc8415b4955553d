"""A transcription's row as the plain transcript that is written to files."""

from __future__ import annotations

from transcription.api.partial import content_of
from transcription.models import Transcription
from transcription.text.exports import Transcript
from transcription.text.subtitles import TimedText, TimedWord


def transcript_of(row: Transcription) -> Transcript:
    """Return what of a transcription goes into a file; one query."""
    content = content_of(row)
    return Transcript(
        text=content.text,
        language=row.language or None,
        duration_seconds=row.duration_seconds or 0.0,
        segments=tuple(
            TimedText(
                start_seconds=segment["start_seconds"],
                end_seconds=segment["end_seconds"],
                text=segment["text"],
                words=tuple(
                    TimedWord(
                        start_seconds=word["start"], end_seconds=word["end"], text=word["word"]
                    )
                    for word in segment["words"] or []
                ),
            )
            for segment in content.segments
        ),
    )
