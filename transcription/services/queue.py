"""Pauses and resumes the queue, and says why it stands still.

Workers ask before they begin something: a batch of chunks, a recording to prepare. What has
begun is finished, and what is recognised becomes text. Recordings are accepted all the while.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from transcription.models import QueuePause, Transcription
from transcription.services import bell

logger = logging.getLogger(__name__)
Status = Transcription.Status

#: Recordings before one's own are counted up to here; more is a long time either way.
MOST_BEFORE = 100


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Since when the queue is paused, by whom and why."""

    since: datetime
    #: Name of the account; "" where it is gone or unknown.
    by: str
    reason: str


def pause(by: User | None = None, *, reason: str = "") -> bool:
    """Have no new work begun; False: it was paused already, and stays as it was."""
    _row, made = QueuePause.objects.get_or_create(
        pk=QueuePause.THE_ONE, defaults={"paused_by": by, "reason": reason.strip()[:200]}
    )
    if made:
        logger.warning("The queue is paused by %s.", by or "nobody known")
    return made


def resume() -> bool:
    """Let the work go on; False: it was not paused."""
    with transaction.atomic():
        removed, _tables = QueuePause.objects.filter(pk=QueuePause.THE_ONE).delete()
        if removed:
            bell.wake(bell.CHORES)
            bell.wake(bell.ENGINE)
    if removed:
        logger.warning("The queue goes on.")
    return bool(removed)


def is_paused() -> bool:
    """Return whether no new work may be begun; one look-up by its key."""
    return QueuePause.objects.filter(pk=QueuePause.THE_ONE).exists()


def current_pause() -> Pause | None:
    """Return since when and by whom the queue is paused; None: it is not."""
    row = QueuePause.objects.select_related("paused_by").filter(pk=QueuePause.THE_ONE).first()
    if row is None:
        return None
    return Pause(
        since=row.paused_at,
        by=row.paused_by.get_username() if row.paused_by else "",
        reason=row.reason,
    )


def recordings_before(row: Transcription) -> int | None:
    """Return how many recordings came before one that waits, counted up to ``MOST_BEFORE``.

    None: it does not wait any more.
    """
    if row.status != Status.QUEUED:
        return None
    earlier = Transcription.objects.filter(
        status__in=[Status.QUEUED, Status.PROCESSING], created_at__lt=row.created_at
    )
    return earlier.order_by()[:MOST_BEFORE].count()
