"""``GET /api/v1/transcriptions/{id}/events``: progress and segments as they come about.

Server-sent events, five kinds:

- ``progress``: status and progress, at every change;
- ``segment``: a stretch of text with its times, as the engine wrote it, in the order in which
  they are finished, which need not be that of their times; of a text that people have corrected
  since, as it is now;
- ``reset``: the segments sent so far no longer hold (another model was loaded in the midst of
  the recording, or it is split anew); those that hold follow;
- ``end``: the transcription is over; status, warnings and error, and where its text is;
- ``gone``: it was deleted.

Every event has an id. A client that comes back with it in ``Last-Event-ID``, as browsers do by
themselves, gets what it has not had yet.
"""

from __future__ import annotations

import re
import uuid
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import translation

from transcription.api import sse
from transcription.api.live import reviewed_segments, segments_of_chunks
from transcription.models import Chunk, LeasedWork, Transcription
from transcription.services.errors import error_message
from transcription.web.changes import Stopping, ask, changes_of
from transcription.web.watcher import GONE, Seen

#: What a browser waits before it comes back.
RETRY_MILLISECONDS = 2000


@dataclass(frozen=True, kw_only=True, order=True)
class Piece:
    """A finished chunk, as far as it tells whether its segments are still those that were sent."""

    start_sample: int
    end_sample: int
    #: Digest of the weights that wrote its text.
    weights_digest: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a client has had: the id of an event, which it brings along when it comes back."""

    #: Everything that was finished before this sample.
    until_sample: int
    #: First samples of what was finished behind it.
    others: frozenset[int]
    #: Checksum over all these pieces.
    checksum: int

    def __str__(self) -> str:
        others = "".join(f"+{sample}" for sample in sorted(self.others))
        return f"{self.until_sample}{others}.{self.checksum:08x}"


_MARK = re.compile(r"(\d{1,12})((?:\+\d{1,12}){0,1000})\.([0-9a-f]{8})")


def read_mark(event_id: str) -> Mark | None:
    """Return what an event's id says; None where it is none of ours."""
    found = _MARK.fullmatch(event_id)
    if found is None:
        return None
    until, others, checksum = found.groups()
    return Mark(
        until_sample=int(until),
        others=frozenset(map(int, others.split("+")[1:])),
        checksum=int(checksum, 16),
    )


def mark_of(had: Iterable[Piece], first_missing_sample: int | None) -> Mark:
    """Return the mark of a client that has had these pieces.

    ``first_missing_sample``: start of the first chunk that it has not had; None: there is none.
    """
    pieces = sorted(had)
    if first_missing_sample is None:
        until = pieces[-1].end_sample if pieces else 0
    else:
        until = first_missing_sample
    return Mark(
        until_sample=until,
        others=frozenset(one.start_sample for one in pieces if one.start_sample >= until),
        checksum=_checksum(pieces),
    )


def had_by(mark: Mark | None, finished: Sequence[Piece]) -> list[Piece] | None:
    """Return those of the finished pieces that a client with this mark has had.

    None: what it has had is not what is there now, so it must start anew.
    """
    if mark is None:
        return []
    had = [
        piece
        for piece in sorted(finished)
        if piece.start_sample < mark.until_sample or piece.start_sample in mark.others
    ]
    return had if _checksum(had) == mark.checksum else None


def _checksum(pieces: Sequence[Piece]) -> int:
    told = "".join(
        f"{piece.start_sample}-{piece.end_sample}:{piece.weights_digest};" for piece in pieces
    )
    return zlib.crc32(told.encode())


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look at the rows found; ``Stream`` says what of it is news."""

    #: Finished chunks.
    finished: list[Piece]
    #: Segments of those finished chunks that the client has not had.
    fresh: list[dict[str, Any]]
    #: Whether what the client has had no longer holds.
    is_reset: bool
    first_missing_sample: int | None


def look_at(row_id: uuid.UUID, had: set[Piece] | None) -> Look:
    """Read the finished chunks, light, and the text of those that are not in ``had``.

    None: the client has had something that is not there any more. Two queries, one where
    nothing new is finished.
    """
    rows = list(
        Chunk.objects.filter(transcription=row_id)
        .order_by("start_sample")
        .values_list("pk", "state", "start_sample", "end_sample", "weights_digest")
    )
    done = {
        Piece(start_sample=start, end_sample=end, weights_digest=digest): pk
        for pk, state, start, end, digest in rows
        if state == LeasedWork.State.DONE
    }
    is_reset = had is None or not had <= done.keys()
    known = set() if had is None or is_reset else had
    fresh_ids = [pk for piece, pk in done.items() if piece not in known]
    missing = (
        start
        for _pk, state, start, _end, _digest in rows
        if state in {LeasedWork.State.PENDING, LeasedWork.State.LEASED}
    )
    return Look(
        finished=list(done),
        fresh=segments_of_chunks(fresh_ids) if fresh_ids else [],
        is_reset=is_reset,
        first_missing_sample=next(missing, None),
    )


async def transcription_events(
    row_id: uuid.UUID, *, last_event_id: str, language: str, url: str
) -> AsyncIterator[bytes]:
    """Yield the events of a transcription from where the client left off until it is over.

    ``language`` is that of the words in an error; ``url`` leads to the transcription.
    """
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    stream = _Stream(row_id, last_event_id)
    try:
        async with changes_of(row_id) as changes:
            while True:
                seen = await changes.next(settings.KEEP_ALIVE_SECONDS)
                if seen is None:
                    yield sse.KEEP_ALIVE
                elif seen == GONE:
                    yield sse.event({"id": str(row_id)}, name="gone")
                    return
                else:
                    for one in await ask(stream.news, seen, language=language, url=url):
                        yield one
                    if seen.is_final:
                        return
    except Stopping:
        return  # the client comes back to the process that is started next


class _Stream:
    """What one client has had."""

    def __init__(self, row_id: uuid.UUID, last_event_id: str) -> None:
        self._row_id = row_id
        self._last_event_id = last_event_id
        self._had: set[Piece] | None = None

    def news(self, seen: Seen, *, language: str, url: str) -> list[bytes]:
        """Return the events that bring the client up to date; asks the database."""
        is_first = self._had is None
        had = self._had
        if is_first:
            had = self._had_before()
        look = look_at(self._row_id, had)
        self._had = set(look.finished)
        mark = str(mark_of(look.finished, look.first_missing_sample))
        light = Transcription.objects.defer(*Transcription.HEAVY_FIELDS)
        row = light.filter(pk=self._row_id).first()
        fresh, is_reset = look.fresh, look.is_reset
        if fresh and row is not None and row.revision:
            # What was had of it is the machine's.
            fresh, is_reset = reviewed_segments(row), is_reset or bool(had)
        events = []
        if is_reset:
            events.append(sse.event({}, name="reset", event_id=mark_before_all()))
        # The id says that all of them were had, so only the last may bear it: a connection
        # that breaks between two of them brings both again.
        for index, segment in enumerate(fresh):
            is_last = index == len(fresh) - 1
            events.append(sse.event(segment, name="segment", event_id=mark if is_last else ""))
        if row is not None:
            with translation.override(language):
                if seen.is_final and row.is_final:
                    events.append(sse.event(_end(row, url), name="end", event_id=mark))
                else:
                    events.append(sse.event(_progress(row), name="progress", event_id=mark))
        return events

    def _had_before(self) -> set[Piece] | None:
        if not self._last_event_id:
            return set()
        mark = read_mark(self._last_event_id)
        if mark is None:
            return None
        finished = [
            Piece(start_sample=start, end_sample=end, weights_digest=digest)
            for start, end, digest in Chunk.objects.filter(
                transcription=self._row_id, state=LeasedWork.State.DONE
            ).values_list("start_sample", "end_sample", "weights_digest")
        ]
        had = had_by(mark, finished)
        return None if had is None else set(had)


def mark_before_all() -> str:
    """Return the id of an event before which nothing was had."""
    return str(mark_of([], 0))


def _progress(row: Transcription) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "status": row.status,
        "progress": row.progress,
        "processed_seconds": round(row.processed_seconds, 3),
        "duration_seconds": row.duration_seconds,
    }


def _end(row: Transcription, url: str) -> dict[str, Any]:
    error = {"code": row.error_code, "message": error_message(row)} if row.error_code else None
    return {
        **_progress(row),
        "language": row.language or None,
        "warnings": row.warnings,
        "error": error,
        "url": url,
    }
