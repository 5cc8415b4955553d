"""What people do to a text: correct it, split and merge its segments, approve it, take it back.

Each function is one transaction under the lock of the transcription's row: two people who change
the same text come one after the other, and whoever saw an older state of a segment is told.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from transcription.models import Revision, Transcription
from transcription.services import quality
from transcription.services.change import STATUS_WORDS
from transcription.services.errors import ServiceError
from transcription.services.revisions import (
    By,
    Changed,
    lines_at,
    lines_of,
    lock,
    machine_text,
    order_of,
    store,
)
from transcription.text.edits import Line, edited, merged, reconciled, split, timed
from transcription.text.finding import pattern_of

logger = logging.getLogger(__name__)
Kind, ReviewState, Status = Revision.Kind, Transcription.ReviewState, Transcription.Status

MOST_OPERATIONS = 1_000
#: Of a segment: as many as are said in ten minutes or so.
MOST_CHARACTERS = 10_000
#: Times are rounded to this by everything that shows them.
TOLERANCE_SECONDS = 0.001

KIND_OF = {"text": Kind.EDIT, "split": Kind.SPLIT, "merge": Kind.MERGE, "times": Kind.TIMES}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing that is done to one segment."""

    op: Literal["text", "split", "merge", "times"]
    id: int
    #: Of the segment, as the client saw it.
    revision: int
    #: Of *text*.
    text: str = ""
    #: Of *split*: how many characters (code points) stay in front.
    at_character: int = 0
    at_seconds: float | None = None
    #: Of *merge*: the revision of the segment behind it, and its id where the client says it.
    next_revision: int = 0
    next_id: int | None = None
    #: Of *times*.
    start_seconds: float = 0.0
    end_seconds: float = 0.0


class ReviewConflict(ServiceError):
    """Others have changed what somebody wanted to change; ``data`` says what it is now."""

    def __init__(self, revision: int, conflicts: list[dict[str, object]]) -> None:
        super().__init__("review_conflict")
        self.data = {"revision": revision, "conflicts": conflicts}


def apply(
    row: Transcription, by: By, operations: Sequence[Operation], *, since: int | None = None
) -> Changed:
    """Do all of it, or nothing; return what changed, with what others changed since ``since``.

    Raises ``review_conflict`` where a segment is not the one that the client saw any more, but
    for a text that is there already: that was sent twice. Others: ``not_reviewable``,
    ``review_approved``, ``too_many_operations``, ``segment_unknown``, ``segment_text_too_long``,
    ``split_outside_text``, ``nothing_to_merge``, ``times_not_possible``.
    """
    if len(operations) > MOST_OPERATIONS:
        raise ServiceError("too_many_operations", count=len(operations), limit=MOST_OPERATIONS)
    with _open_for_changes(row):
        is_merging = any(one.op == "merge" for one in operations)
        before = lines_of(row.pk, whole=None if is_merging else {one.id for one in operations})
        after = _Text(row, before).done(operations)
        kinds = {KIND_OF[one.op] for one in operations}
        done = store(row, by, kinds.pop() if len(kinds) == 1 else Kind.EDIT, before, after)
        told = {at for at, _ in done.changed}
        ids = {one.id for one in operations}
        # What was there already: the client has to learn its revision.
        same = [(at, one) for at, one in enumerate(after) if one.id in ids and at not in told]
        done = replace(done, changed=tuple(sorted((*done.changed, *same), key=_by_index)))
        return done if since is None else _with_all_since(row, since, done)


def replace_all(
    row: Transcription,
    by: By,
    *,
    find: str,
    replacement: str,
    match_case: bool,
    whole_words: bool,
    revision: int,
) -> tuple[Changed, int]:
    """Replace words wherever they are; return what changed, and how many were replaced.

    ``revision`` is the transcription's, as the client saw it. Raises as ``apply`` does;
    ``review_conflict`` where another page has changed one of those segments since.
    """
    pattern = pattern_of(find, match_case=match_case, whole_words=whole_words)
    with _open_for_changes(row):
        hits = {
            line.id: count
            for line in lines_of(row.pk, whole=())
            if line.id and (count := len(pattern.findall(line.text)))
        }
        before = lines_of(row.pk, whole=hits)
        stale = [line.id for line in before if line.id in hits and line.revision > revision]
        if stale and (others := _changed_by_others(row, by, revision) & set(stale)):
            raise _conflict(row, dict.fromkeys(others, revision), before)
        after = [
            edited(line, _checked(pattern.sub(lambda _: replacement, line.text)))
            if line.id in hits
            else line
            for line in before
        ]
        return store(row, by, Kind.REPLACE, before, after), sum(hits.values())


def restore(row: Transcription, by: By, number: int, *, revision: int | None = None) -> Changed:
    """Bring the text of a revision back, as a new one; 0: the machine's.

    ``revision``: the transcription's, as the client saw it; where that is given and another page
    has changed something since, ``review_conflict``. Raises ``Revision.DoesNotExist`` where there
    is none of that number; ``not_reviewable`` and ``review_approved``.
    """
    with _open_for_changes(row):
        before = lines_of(row.pk)
        if revision is not None and (others := _changed_by_others(row, by, revision)):
            raise _conflict(row, dict.fromkeys(others, revision), before)
        after = reconciled(before, lines_at(row, number))
        text = None if number else machine_text(row)
        return store(row, by, Kind.RESTORE, before, after, text=text)


def set_state(row: Transcription, by: By, state: str) -> None:
    """Say how far the review is. Raises ``not_reviewable``."""
    with _locked(row):
        is_approved = state == ReviewState.APPROVED
        if row.review_state == state:
            return
        row.review_state = state
        row.reviewed_by = by.user if is_approved else None
        row.reviewed_at = timezone.now() if is_approved else None
        row.save(update_fields=["review_state", "reviewed_by", "reviewed_at"])
        if is_approved:
            quality.ask_for(row)
        else:
            quality.forget(row.pk)
    logger.info("The review of %s is %s.", row.pk, state)


def changes_since(row: Transcription, after: int, *, session: uuid.UUID | None) -> Changed:
    """Return what other pages have changed since revision ``after``.

    No query where nothing has changed, six at most. Without a session: what anybody changed.
    """
    if after >= row.revision:
        return Changed(revision=row.revision, review_state=row.review_state)
    with transaction.atomic():
        # Segments and revisions have to be of the same moment.
        lock(row)
        steps = list(
            row.revisions.filter(number__gt=after)
            .filter(_of_others(session))
            .values_list("number", "gone", "reordered")
        )
        if not steps:
            return Changed(revision=row.revision, review_state=row.review_state)
        numbers = {number for number, _, _ in steps}
        ids = row.segments.filter(revision__gt=after).values_list("id", "revision")
        fresh = {pk for pk, number in ids if number in numbers}
        lines = lines_of(row.pk, whole=fresh)
    order = order_of(lines)
    return Changed(
        revision=row.revision,
        review_state=row.review_state,
        changed=tuple((at, line) for at, line in enumerate(lines) if line.id in fresh),
        removed=tuple(sorted({pk for _, gone, _ in steps for pk in gone} - set(order))),
        order=order if any(reordered for _, _, reordered in steps) else None,
    )


def _with_all_since(row: Transcription, after: int, done: Changed) -> Changed:
    """Return what was changed just now, with all that anybody changed since ``after``."""
    since = changes_since(row, after, session=None)
    told = {line.id for _, line in since.changed}
    both = (*since.changed, *(one for one in done.changed if one[1].id not in told))
    return replace(since, changed=tuple(sorted(both, key=_by_index)))


def _by_index(one: tuple[int, Line]) -> int:
    return one[0]


# --- locks ------------------------------------------------------------------------------------


def is_reviewable(row: Transcription) -> bool:
    """Whether there is a finished text; one that was cancelled may have some as well."""
    return row.step == Transcription.Step.OVER and (
        row.status == Status.COMPLETED or (row.status == Status.CANCELLED and has_text(row))
    )


def require_reviewable(row: Transcription) -> None:
    """Raise ``not_reviewable`` unless there is a finished text."""
    if not is_reviewable(row):
        raise ServiceError("not_reviewable", status=STATUS_WORDS[row.Status(row.status)])


def has_text(row: Transcription) -> bool:
    """Whether there is a text, or was before somebody emptied it."""
    return row.revision > 0 or bool(row.text)


@contextmanager
def _locked(row: Transcription) -> Iterator[None]:
    with transaction.atomic():
        lock(row)
        require_reviewable(row)
        yield


@contextmanager
def _open_for_changes(row: Transcription) -> Iterator[None]:
    with _locked(row):
        if row.review_state == ReviewState.APPROVED:
            raise ServiceError("review_approved")
        yield


# --- operations -------------------------------------------------------------------------------


class _Text:
    """A text on which operations are done, one after the other."""

    def __init__(self, row: Transcription, lines: Sequence[Line]) -> None:
        self._row = row
        self._before = lines
        self._lines = list(lines)
        #: Id of what is not as the client saw it -> the revision that he saw.
        self._stale: dict[int, int] = {}

    def done(self, operations: Sequence[Operation]) -> list[Line]:
        """Return the lines afterwards. Raises what ``apply`` does."""
        for operation in operations:
            at = self._place(operation.id)
            # Each sees the segments that the client saw: what one operation of a request did is
            # no change of somebody else's for the next.
            if at is None or not self._is_current(self._lines[at], operation):
                self._stale[operation.id] = operation.revision
            else:
                getattr(self, f"_{operation.op}")(at, operation)
        if self._stale:
            raise _conflict(self._row, self._stale, self._before)
        return self._lines

    def _place(self, pk: int) -> int | None:
        return next((at for at, line in enumerate(self._lines) if line.id == pk), None)

    def _is_current(self, line: Line, operation: Operation) -> bool:
        if line.revision == operation.revision:
            return True
        # Sent again, since the answer was lost on the way: it is done already.
        return operation.op == "text" and edited(line, operation.text) is line

    def _text(self, at: int, operation: Operation) -> None:
        self._lines[at] = edited(self._lines[at], _checked(operation.text))

    def _split(self, at: int, operation: Operation) -> None:
        if not 0 < operation.at_character < len(self._lines[at].text):
            raise ServiceError("split_outside_text")
        self._lines[at : at + 1] = split(
            self._lines[at], operation.at_character, operation.at_seconds
        )

    def _merge(self, at: int, operation: Operation) -> None:
        if at + 1 == len(self._lines):
            raise ServiceError("nothing_to_merge")
        following = self._lines[at + 1]
        is_new = following.id is None
        if not is_new and (
            following.revision != operation.next_revision
            or operation.next_id not in (None, following.id)
        ):
            self._stale[following.id or 0] = operation.next_revision
            return
        one = merged(self._lines[at], following)
        _checked(one.text)
        self._lines[at : at + 2] = [one]

    def _times(self, at: int, operation: Operation) -> None:
        line = self._lines[at]
        earliest, latest = self._room(at)
        start, end = round(operation.start_seconds, 3), round(operation.end_seconds, 3)
        if not (earliest - TOLERANCE_SECONDS <= start < end <= latest + TOLERANCE_SECONDS):
            raise ServiceError(
                "times_not_possible", earliest=f"{earliest:.2f}", latest=f"{latest:.2f}"
            )
        self._lines[at] = timed(line, start, end)

    def _room(self, at: int) -> tuple[float, float]:
        """Return from when to when a line may be; where they overlap already, they may go on to."""
        line = self._lines[at]
        earliest, latest = 0.0, self._row.duration_seconds or float("inf")
        if at > 0:
            earliest = self._lines[at - 1].end_seconds
        if at + 1 < len(self._lines):
            latest = self._lines[at + 1].start_seconds
        return min(earliest, line.start_seconds), max(latest, line.end_seconds)


def _checked(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise ServiceError("segment_text_too_long", limit=MOST_CHARACTERS)
    return text


# --- what others did --------------------------------------------------------------------------


def _of_others(session: uuid.UUID | None) -> Q:
    return Q() if session is None else Q(session__isnull=True) | ~Q(session=session)


def _changed_by_others(row: Transcription, by: By, revision: int) -> set[int]:
    """Return the ids of the segments that other pages have changed or removed since."""
    steps = list(
        row.revisions.filter(number__gt=revision)
        .filter(_of_others(by.session))
        .values_list("number", "gone")
    )
    numbers = {number for number, _ in steps}
    rows = row.segments.filter(revision__gt=revision).values_list("id", "revision")
    return {pk for pk, number in rows if number in numbers} | {
        pk for _, gone in steps for pk in gone
    }


def _conflict(row: Transcription, stale: dict[int, int], lines: Sequence[Line]) -> ServiceError:
    """Return the error that says how those segments are now, and who changed them last.

    ``stale``: their ids, and the revisions that the client saw. An id that never was one of this
    text makes it ``segment_unknown``.
    """
    here = {line.id: line for line in lines}
    seen = Q(number__in={here[pk].revision for pk in stale if pk in here})
    steps: list[dict[str, Any]] = [
        {**step}
        for step in row.revisions.filter(seen | Q(reordered=True))
        .order_by("-number")
        .values("number", "gone", "author_name", "changed_at")
    ]
    by_number = {step["number"]: step for step in steps}
    found: list[dict[str, object]] = []
    for pk in stale:
        line = here.get(pk)
        if line is None:
            step = next((one for one in steps if pk in one["gone"]), None)
            if step is None:
                return ServiceError("segment_unknown", id=pk)
        else:
            step = by_number.get(line.revision)
        found.append(_told(pk, line, step))
    return ReviewConflict(row.revision, found)


def _told(pk: int, line: Line | None, step: dict[str, Any] | None) -> dict[str, object]:
    return {
        "id": pk,
        "text": line.text if line else None,
        "revision": line.revision if line else step and step["number"],
        "author": step and step["author_name"],
        "changed_at": step and step["changed_at"],
    }
