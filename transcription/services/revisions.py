"""Keeps what people changed of a text: writes each step, and rebuilds any state before it.

Everything that changes a segment goes through ``store``, in a transaction that holds the lock of
the transcription's row. The machine's text is never lost: it is what is left when every step is
undone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Case, F, QuerySet, When
from django.utils import timezone

from transcription.models import Revision, Segment, Transcription
from transcription.services import search
from transcription.services.errors import ServiceError
from transcription.text.edits import Change, Difference, Line, changes, differences, undone
from transcription.text.joining import Piece, join

Kind, ReviewState = Revision.Kind, Transcription.ReviewState

#: What one person types into one segment, on one page and without a pause for another, is one
#: revision for so long.
FOLDED = timedelta(minutes=5)
#: Segments that move are put this far behind all others while they change their places: an index
#: may not be there twice, not even within one UPDATE.
_AWAY = 1_000_000_000
#: What somebody may have changed since a row was read.
_READ_AGAIN = ("status", "step", "text", "revision", "review_state", "duration_seconds")
_LIGHT_FIELDS = ("id", "start_seconds", "end_seconds", "text", "language", "revision")
_HEAVY_FIELDS = ("words", "avg_logprob", "no_speech_probability")
_STORED_FIELDS = (*_LIGHT_FIELDS[1:], *_HEAVY_FIELDS)


@dataclass(frozen=True, kw_only=True)
class By:
    """Who changes a text, and on which page."""

    user: User
    #: Made by the page when it was opened; None: by no page.
    session: uuid.UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What a client has to do to be up to date."""

    #: Of the transcription, afterwards.
    revision: int
    review_state: str
    #: Index and segment; those that are new or changed.
    changed: tuple[tuple[int, Line], ...] = ()
    #: Ids of segments that are gone.
    removed: tuple[int, ...] = ()
    #: Ids of all segments in their order; None: it is as it was.
    order: tuple[int, ...] | None = None


def lock(row: Transcription) -> None:
    """Lock the row until the transaction ends, and read how it stands now.

    Raises ``not_found`` where it has just been deleted.
    """
    locked = Transcription.objects.select_for_update(of=("self",)).only(*_READ_AGAIN)
    now = locked.filter(pk=row.pk).first()
    if now is None:
        raise ServiceError("not_found")
    for name in _READ_AGAIN:
        setattr(row, name, getattr(now, name))


def lines_of(pk: uuid.UUID, *, whole: Iterable[int] | None = None) -> list[Line]:
    """Return the segments of a transcription in order; one query, or two.

    ``whole``: ids of those whose words and figures are needed; the others have None there, and
    must not be stored. None: of all.
    """
    rows = Segment.objects.filter(transcription=pk).order_by("index")
    if whole is None:
        return [Line(**row) for row in rows.values(*_LIGHT_FIELDS, *_HEAVY_FIELDS)]
    ids = list(whole)
    heavy = {
        row.pop("id"): row
        for row in Segment.objects.filter(transcription=pk, pk__in=ids).values("id", *_HEAVY_FIELDS)
    }
    nothing = dict.fromkeys(_HEAVY_FIELDS)
    return [Line(**row, **heavy.get(row["id"], nothing)) for row in rows.values(*_LIGHT_FIELDS)]


def lines_at(row: Transcription, number: int) -> list[Line]:
    """Return the segments as revision ``number`` left them; 0: as the machine made them.

    Raises ``Revision.DoesNotExist`` where there is no such revision. To be called in a
    transaction that holds the row's lock, or else a change may come between the two queries.
    """
    if number and not row.revisions.filter(number=number).exists():
        raise Revision.DoesNotExist
    lines = lines_of(row.pk)
    later = row.revisions.filter(number__gt=number).order_by("-number")
    for stored in later.values_list("changes", flat=True).iterator(chunk_size=200):
        lines = undone(lines, [Change.from_json(change) for change in stored])
    return lines


@dataclass(frozen=True, kw_only=True)
class Then:
    """The text as a revision left it."""

    #: None: it is the machine's.
    step: Revision | None
    lines: tuple[Line, ...]
    #: What differs from the machine's text, and from the revision before.
    from_machine: tuple[Difference, ...]
    from_before: tuple[Difference, ...]


def look_back(row: Transcription, number: int) -> Then:
    """Return the text as of a revision; raises as ``lines_at``."""
    with transaction.atomic():
        # Segments and revisions have to be of the same moment.
        lock(row)
        then = lines_at(row, number)
        before = machine = then
        last: Revision | None = None
        steps = row.revisions.filter(number__lte=number).order_by("-number")
        for step in steps.iterator(chunk_size=200):
            machine = undone(machine, [Change.from_json(change) for change in step.changes])
            if last is None:
                last, before = step, machine
    return Then(
        step=last,
        lines=tuple(then),
        from_machine=tuple(differences(machine, then)),
        from_before=tuple(differences(before, then)),
    )


def machine_text(row: Transcription) -> str:
    """Return the text of the whole recording as the machine wrote it."""
    first = row.revisions.order_by("number").values_list("machine_text", flat=True).first()
    return row.text if first is None else first


def text_of(lines: Sequence[Line]) -> str:
    """Return the text of the whole recording."""
    return join([Piece(text=line.text, language=line.language or None) for line in lines])


def store(
    row: Transcription,
    by: By,
    kind: Revision.Kind,
    before: Sequence[Line],
    after: Sequence[Line],
    *,
    text: str | None = None,
) -> Changed:
    """Write another state of the text, and the step to it; the row's lock is held.

    ``text``: of the whole recording; None: joined from the segments. Where nothing has changed,
    nothing is written. The number of queries does not depend on the number of segments, but for
    one more with each hundred or so that are new.
    """
    made = changes(before, after)
    if not made and text in (None, row.text):
        return Changed(revision=row.revision, review_state=row.review_state)
    number = row.revision + 1
    lines = list(after)
    for change in made:
        for at in range(change.at, change.at + len(change.inserted)):
            lines[at] = replace(lines[at], revision=number)
    is_reordered = any(not change.keeps_ids for change in made)
    _write_segments(row.pk, before, lines, made, is_reordered=is_reordered)
    # Now they all have ids.
    made = [
        replace(change, inserted=tuple(lines[change.at : change.at + len(change.inserted)]))
        for change in made
    ]
    left = {line.id for change in made for line in change.inserted}
    gone = tuple(
        line.id for change in made for line in change.removed if line.id and line.id not in left
    )
    if not (kind == Kind.EDIT and _fold(row, by, number, made)):
        Revision.objects.create(
            transcription=row,
            number=number,
            kind=kind,
            author=by.user,
            author_name=by.user.get_username(),
            session=by.session,
            changes=[change.as_json() for change in made],
            changed=sum(max(len(change.removed), len(change.inserted)) for change in made),
            gone=gone,
            reordered=is_reordered,
            machine_text="" if row.revision else row.text,
        )
    row.revision = number
    row.text = text_of(lines) if text is None else text
    if row.review_state == ReviewState.UNREVIEWED:
        row.review_state = ReviewState.IN_REVIEW
    row.save(update_fields=["revision", "text", "review_state"])
    search.remember(row.pk)
    return Changed(
        revision=number,
        review_state=row.review_state,
        changed=tuple(
            (at, lines[at])
            for change in made
            for at in range(change.at, change.at + len(change.inserted))
        ),
        removed=gone,
        order=order_of(lines) if is_reordered else None,
    )


def order_of(lines: Sequence[Line]) -> tuple[int, ...]:
    """Return the ids of stored lines."""
    return tuple(line.id for line in lines if line.id is not None)


# --- the rows of the segments -----------------------------------------------------------------


def _write_segments(
    pk: uuid.UUID,
    before: Sequence[Line],
    lines: list[Line],
    made: Sequence[Change],
    *,
    is_reordered: bool,
) -> None:
    """Bring the rows to ``lines``; those that are new get their ids there."""
    segments = Segment.objects.filter(transcription=pk)
    old_ids = {line.id for change in made for line in change.removed if line.id is not None}
    places = [at for change in made for at in range(change.at, change.at + len(change.inserted))]
    if is_reordered:
        # Up to the first change nothing moves.
        segments.filter(index__gte=made[0].at).update(index=F("index") + _AWAY)
    if gone := old_ids - {lines[at].id for at in places}:
        segments.filter(pk__in=gone).delete()
    new = [at for at in places if lines[at].id not in old_ids]
    rows = [_row_of(pk, at, lines[at]) for at in new]
    for at, row in zip(new, Segment.objects.bulk_create(rows, batch_size=500), strict=True):
        lines[at] = replace(lines[at], id=row.pk)
    _update([_row_of(pk, at, lines[at]) for at in places if lines[at].id in old_ids])
    if is_reordered:
        _move_back(segments, before, made)


def _row_of(pk: uuid.UUID, index: int, line: Line) -> Segment:
    values = {name: getattr(line, name) for name in _STORED_FIELDS}
    return Segment(pk=line.id, transcription_id=pk, index=index, **values)


def _update(rows: Sequence[Segment]) -> None:
    """Write rows that are there; linear in their number, which ``bulk_update`` is not."""
    fields: list[Any] = [Segment._meta.get_field(name) for name in ("index", *_STORED_FIELDS)]
    quote = connection.ops.quote_name
    columns = ", ".join(f"{quote(field.column)} = %s" for field in fields)
    values = [
        [
            *(field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields),
            row.pk,
        ]
        for row in rows
    ]
    if values:
        table = quote(Segment._meta.db_table)
        with connection.cursor() as cursor:
            cursor.executemany(f"UPDATE {table} SET {columns} WHERE id = %s", values)


def _move_back(segments: QuerySet[Segment], before: Sequence[Line], made: Sequence[Change]) -> None:
    """Give those that only move their new places: one UPDATE, with a case for each stretch."""
    cases: list[When] = []
    shift = 0
    for number, change in enumerate(made):
        shift += len(change.inserted) - len(change.removed)
        # Up to where the next change begins, counted in the text before.
        end = made[number + 1].at - shift if number + 1 < len(made) else len(before)
        cases.append(When(index__lt=_AWAY + end, then=F("index") - _AWAY + shift))
    segments.filter(index__gte=_AWAY).update(index=Case(*cases))


# --- the row of the revision ------------------------------------------------------------------


def _fold(row: Transcription, by: By, number: int, made: Sequence[Change]) -> bool:
    """Take an edit into the revision before it, if that is one of the same words; True: done.

    The number moves on with it, so whoever asks what has changed is told of it again.
    """
    if len(made) != 1 or not made[0].keeps_ids or len(made[0].inserted) != 1 or not by.session:
        return False
    last = row.revisions.filter(number=row.revision).first()
    if (
        last is None
        or (last.kind, last.author_id, last.session) != (Kind.EDIT, by.user.pk, by.session)
        or timezone.now() - last.created_at > FOLDED
        or len(last.changes) != 1
    ):
        return False
    first = Change.from_json(last.changes[0])
    if not first.keeps_ids or [line.id for line in first.inserted] != [made[0].inserted[0].id]:
        return False
    both: dict[str, Any] = replace(first, inserted=made[0].inserted).as_json()
    row.revisions.filter(pk=last.pk).update(
        number=number, changes=[both], changed_at=timezone.now()
    )
    return True
