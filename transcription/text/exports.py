"""A transcript as a file: txt, srt, vtt, tsv, json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from transcription.text.joining import tidy
from transcription.text.subtitles import Cue, TimedText, build_cues

__all__ = ["FORMATS", "ExportFormat", "Transcript", "UnknownExportFormat", "render"]


class UnknownExportFormat(ValueError):
    """There is no such export format; the message names those that exist."""


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """What of a transcription goes into a file."""

    #: The whole text, joined.
    text: str
    #: Code; None where no speech was heard.
    language: str | None
    duration_seconds: float
    #: In order of time.
    segments: tuple[TimedText, ...]


@dataclass(frozen=True, kw_only=True)
class ExportFormat:
    """How one format is written and what to call it over HTTP. All files are UTF-8."""

    #: The name in the address, and the ending of the file's name.
    name: str
    media_type: str
    write: Callable[[Transcript], str]


def render(transcript: Transcript, format_name: str) -> str:
    """The transcript in that format, as text that ends with a line break (unless it is empty).

    Raises ``UnknownExportFormat``.
    """
    export = FORMATS.get(format_name)
    if export is None:
        raise UnknownExportFormat(
            f"Unknown export format {format_name!r}: it is one of {', '.join(FORMATS)}."
        )
    return export.write(transcript)


def _to_txt(transcript: Transcript) -> str:
    """The plain text in one paragraph."""
    text = transcript.text.strip()
    return f"{text}\n" if text else ""


def _to_srt(transcript: Transcript) -> str:
    """SubRip, as players read it: a number, the times, the lines, an empty line.

    The format has no way to escape its arrow, so one in the text becomes "→".
    """
    return "\n".join(
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n"
        + "".join(f"{line.replace('-->', '→')}\n" for line in cue.lines)
        for number, cue in enumerate(build_cues(transcript.segments), start=1)
    )


def _to_vtt(transcript: Transcript) -> str:
    """WebVTT (W3C), with ``&``, ``<`` and ``>`` escaped, so that text is never taken for a tag."""
    return "WEBVTT\n" + "".join(map(_vtt_block, build_cues(transcript.segments)))


def _vtt_block(cue: Cue) -> str:
    lines = "".join(
        line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") + "\n"
        for line in cue.lines
    )
    return f"\n{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n{lines}"


def _to_tsv(transcript: Transcript) -> str:
    """A line per segment: start and end in whole milliseconds, text; tabs between, a heading."""
    rows = [
        f"{max(0, round(segment.start_seconds * 1000))}\t"
        f"{max(0, round(segment.end_seconds * 1000))}\t{tidy(segment.text)}\n"
        for segment in transcript.segments
    ]
    return "start\tend\ttext\n" + "".join(rows)


def _to_json(transcript: Transcript) -> str:
    """Everything, in seconds, the words too where there are any."""
    document = {
        "text": transcript.text,
        "language": transcript.language,
        "duration_seconds": round(transcript.duration_seconds, 3),
        "segments": [_segment(segment) for segment in transcript.segments],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _segment(segment: TimedText) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "start": round(segment.start_seconds, 3),
        "end": round(segment.end_seconds, 3),
        "text": segment.text,
    }
    if segment.words:
        plain["words"] = [
            {
                "start": round(word.start_seconds, 3),
                "end": round(word.end_seconds, 3),
                "text": word.text,
            }
            for word in segment.words
        ]
    return plain


def _clock(milliseconds: int, decimal_mark: str) -> str:
    """3,723,004 → "01:02:03,004" """
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{decimal_mark}{milliseconds:03}"


#: Name → format.
FORMATS: Mapping[str, ExportFormat] = MappingProxyType(
    {
        export.name: export
        for export in (
            ExportFormat(name="txt", media_type="text/plain", write=_to_txt),
            ExportFormat(name="srt", media_type="application/x-subrip", write=_to_srt),
            ExportFormat(name="vtt", media_type="text/vtt", write=_to_vtt),
            ExportFormat(name="tsv", media_type="text/tab-separated-values", write=_to_tsv),
            ExportFormat(name="json", media_type="application/json", write=_to_json),
        )
    }
)
