"""Starts every failed recording again, some at a time, so that no request runs for minutes."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from transcription.models import Transcription
from transcription.services import change
from transcription.services.errors import ServiceError

#: Failed recordings that are counted; of more it is said that they are more.
COUNT_LIMIT = 10_000
MOST_AT_ONCE = 500
SECONDS_AT_ONCE = 5.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """The recording that was looked at last; the next ones are those made after it."""

    created_at: datetime
    pk: uuid.UUID


@dataclass(frozen=True, kw_only=True)
class Retried:
    """What became of some of the failed recordings."""

    started: int
    #: Their file is not there any more.
    without_audio: int
    #: For any other reason: somebody else was faster, or a limit is reached.
    left: int
    #: Failed ones that were not looked at yet; up to ``COUNT_LIMIT``.
    remaining: int
    #: Where to go on; None: all were looked at.
    place: Place | None


def failed_with_audio(after: Place | None = None) -> QuerySet[Transcription]:
    """Return the failed recordings whose audio is kept, the oldest first."""
    rows = Transcription.objects.filter(status=Transcription.Status.FAILED).exclude(audio="")
    if after is not None:
        rows = rows.filter(created_at__gte=after.created_at).filter(
            Q(created_at__gt=after.created_at) | Q(pk__gt=after.pk)
        )
    return rows.order_by("created_at", "id")


def count_failed(after: Place | None = None) -> int:
    """Return how many there are, counted up to ``COUNT_LIMIT``."""
    return failed_with_audio(after).order_by()[:COUNT_LIMIT].count()


def retry_failed(
    after: Place | None = None,
    *,
    most: int = MOST_AT_ONCE,
    limit_seconds: float = SECONDS_AT_ONCE,
) -> Retried:
    """Retry some of the failed recordings, from that place on.

    It ends after ``most`` of them or after the time; call again with ``place`` for the others.
    A recording whose file is missing on the disk is passed over and stays failed.
    """
    end = time.monotonic() + limit_seconds
    started = without_audio = left = 0
    place = after
    for row in failed_with_audio(after).defer(*Transcription.HEAVY_FIELDS)[:most]:
        place = Place(created_at=row.created_at, pk=row.pk)
        try:
            change.retry(row)
        except ServiceError as error:
            if error.code == "recording_missing":
                without_audio += 1
            else:
                left += 1
        else:
            started += 1
        if time.monotonic() >= end:
            break
    remaining = count_failed(place)
    return Retried(
        started=started,
        without_audio=without_audio,
        left=left,
        remaining=remaining,
        place=place if remaining else None,
    )
