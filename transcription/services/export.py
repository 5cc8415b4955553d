"""Transcripts as files to keep: one by itself, several in a ZIP, or a table of them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Container, Iterable, Iterator, Sequence
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from transcription.models import Transcription
from transcription.services.reading import content_of
from transcription.text.docx import DOCX_MEDIA_TYPE, render_docx
from transcription.text.exports import FORMATS, Transcript, render
from transcription.text.subtitles import TimedText, TimedWord
from transcription.text.table import CSV_START, csv_row

#: Names of formats; the first is the usual one.
DOWNLOAD_FORMATS = (*FORMATS, "docx")
#: Statuses of a transcription that there is a text of.
WITH_TEXT = frozenset({Transcription.Status.COMPLETED, Transcription.Status.CANCELLED})
#: Rows that are read at a time for a table, texts and all.
ROWS_AT_ONCE = 50

# What some file system does not take in a name, and what would turn the direction of writing
# (U+202E makes "exe.txt" of "txt.exe").
_UNSAFE = re.compile('[\x00-\x1f\x7f-\x9f"*/:<>?\\\\|\u200e\u200f\u202a-\u202e\u2066-\u2069]+')
_LONGEST_NAME = 100


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


def rendered(row: Transcription, format_name: str) -> bytes:
    """Return the transcript in one of ``DOWNLOAD_FORMATS``; one query."""
    transcript = transcript_of(row)
    if format_name == "docx":
        return render_docx(transcript, title=str(row))
    return render(transcript, format_name).encode()


def media_type_of(format_name: str) -> str:
    """Return what a file of this format is called over HTTP."""
    if format_name == "docx":
        return DOCX_MEDIA_TYPE
    return f"{FORMATS[format_name].media_type}; charset=utf-8"


def file_name(row: Transcription, ending: str) -> str:
    """Return a name for a file of this transcription: its title, made safe, with the ending."""
    return f"{_stem(row)}.{ending}"


def safe_name(name: str) -> str:
    """Return as much of a name as every file system takes; "" where nothing is left."""
    return _UNSAFE.sub(" ", name).strip(" .")[:_LONGEST_NAME].strip(" .")


def archive(
    ids: Sequence[UUID], format_name: str, *, only: Container[UUID] | None = None
) -> Iterator[bytes]:
    """Yield a ZIP with a file for each of these transcriptions that has a text.

    No more than one transcript is in memory at a time; two queries for each. What has no text is
    named in a file of its own, so that nobody looks for it. ``only``: those that had one when they
    were entered in the audit; a text that comes while the others are sent stays out. None: all.
    """
    sink = _Sink()
    taken: set[str] = set()
    left_out: list[str] = []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed:
        for pk in ids:
            row = Transcription.objects.filter(pk=pk).first()
            if row is None:
                continue  # deleted meanwhile
            if row.status not in WITH_TEXT or (only is not None and pk not in only):
                left_out.append(f"{row} ({row.pk}): {row.get_status_display()}")
                continue
            name = _free_name(row, format_name, taken)
            packed.writestr(_entry(name), rendered(row, format_name))
            yield sink.taken()
        if left_out:
            words = _("These have no text yet, or none at all:")
            listed = "\n".join([words, *left_out, ""])
            packed.writestr(_entry("left-out.txt"), listed.encode())
    yield sink.taken()


def table(ids: Sequence[UUID]) -> Iterator[bytes]:
    """Yield a CSV file with a line for each of these transcriptions, in their order."""
    heading = ("id", "title", "file_name", "owner", "status", "language", "duration_seconds",
               "model", "review_state", "created_at", "text")  # fmt: skip
    yield (CSV_START + csv_row(heading)).encode()
    for first in range(0, len(ids), ROWS_AT_ONCE):
        portion = ids[first : first + ROWS_AT_ONCE]
        rows = Transcription.objects.select_related("owner").in_bulk(portion)
        yield "".join(csv_row(_cells(rows[pk])) for pk in portion if pk in rows).encode()


def _cells(row: Transcription) -> tuple[str | float | None, ...]:
    return (
        str(row.pk),
        row.title,
        row.file_name,
        row.owner.get_username() if row.owner else "",
        row.status,
        row.language,
        row.duration_seconds,
        row.model_name,
        row.review_state,
        row.created_at.isoformat(timespec="seconds"),
        row.text,
    )


def _stem(row: Transcription) -> str:
    without_ending = re.sub(r"\.\w{1,5}$", "", row.file_name)
    return safe_name(row.title or without_ending) or str(row.pk)


def _free_name(row: Transcription, ending: str, taken: set[str]) -> str:
    """Return a name that no other file of the archive has, whatever the case of its letters."""
    name = file_name(row, ending)
    if name.casefold() in taken:
        name = f"{_stem(row)} {str(row.pk)[:8]}.{ending}"
    if name.casefold() in taken:
        name = f"{row.pk}.{ending}"
    taken.add(name.casefold())
    return name


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, timezone.localtime().timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry


class _Sink(io.RawIOBase):
    """Where a ZIP is written to that is sent at once: nothing of it is kept."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Iterable[int]) -> int:  # type: ignore[override]
        self._pieces.append(bytes(piece))
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
