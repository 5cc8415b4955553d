"""Texts for the tests of the review."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User

from transcription.models import Segment, Transcription
from transcription.services import search
from transcription.services.errors import ServiceError
from transcription.services.review import Operation
from transcription.services.revisions import By, lines_of
from transcription.text.edits import Line

PAGE, OTHER_PAGE = uuid.UUID(int=1), uuid.UUID(int=2)
SENTENCES = ("Hello there.", "How are you?", "I am fine.", "Good bye.")


def words_of(text: str, start: float, end: float) -> list[dict[str, Any]]:
    pieces = text.split()
    each = (end - start) / max(len(pieces), 1)
    return [
        {
            "word": f" {piece}",
            "start": round(start + each * number, 3),
            "end": round(start + each * (number + 1), 3),
            "probability": 0.9,
        }
        for number, piece in enumerate(pieces)
    ]


def reviewable(
    owner: User | None = None,
    *,
    sentences: tuple[str, ...] = SENTENCES,
    language: str = "en",
    with_words: bool = True,
    **fields: Any,
) -> Transcription:
    """A completed transcription with a segment of two seconds for each sentence."""
    row = Transcription.objects.create(
        **{
            "owner": owner,
            "status": Transcription.Status.COMPLETED,
            "step": Transcription.Step.OVER,
            "state": "done",
            "text": " ".join(sentences),
            "language": language,
            "duration_seconds": 2.0 * len(sentences),
            **fields,
        }
    )
    Segment.objects.bulk_create(
        Segment(
            transcription=row,
            index=at,
            start_seconds=2.0 * at,
            end_seconds=2.0 * at + 2,
            text=text,
            language=language,
            words=words_of(text, 2.0 * at, 2.0 * at + 2) if with_words else None,
            avg_logprob=-0.25,
        )
        for at, text in enumerate(sentences)
    )
    search.remember(row.pk)
    return row


def texts(row: Transcription) -> list[str]:
    return [line.text for line in lines_of(row.pk)]


def line(row: Transcription, at: int) -> Line:
    return lines_of(row.pk)[at]


def text(row: Transcription, at: int, new: str, **changes: Any) -> Operation:
    """The operation that gives a segment another text, seen as it is now."""
    here = line(row, at)
    return Operation(
        **{"op": "text", "id": here.id, "revision": here.revision, "text": new, **changes}
    )


def split(row: Transcription, at: int, at_character: int, **changes: Any) -> Operation:
    here = line(row, at)
    return Operation(
        **{
            "op": "split",
            "id": here.id,
            "revision": here.revision,
            "at_character": at_character,
            **changes,
        }
    )


def merge(row: Transcription, at: int, **changes: Any) -> Operation:
    here, following = lines_of(row.pk)[at : at + 2]
    return Operation(
        **{
            "op": "merge",
            "id": here.id,
            "revision": here.revision,
            "next_revision": following.revision,
            **changes,
        }
    )


def times(row: Transcription, at: int, start: float, end: float) -> Operation:
    here = line(row, at)
    return Operation(
        op="times",
        id=here.id or 0,
        revision=here.revision,
        start_seconds=start,
        end_seconds=end,
    )


def by(user: User, session: uuid.UUID | None = PAGE) -> By:
    return By(user=user, session=session)


def code_of(call: Any) -> str:
    """Return the code that the call is refused with."""
    with pytest.raises(ServiceError) as refused:
        call()
    return refused.value.code
