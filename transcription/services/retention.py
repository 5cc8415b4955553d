"""How long recordings and texts are kept once they are over, and what goes when that has passed.

``ASR_AUDIO_KEPT_DAYS`` and ``ASR_TEXT_KEPT_DAYS``, counted from ``completed_at``; 0: for ever.
Whoever starts a recording again starts its time again.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from transcription.models import Transcription
from transcription.models.leases import in_seconds
from transcription.services import audit
from transcription.services.change import BEING_DELETED
from transcription.services.errors import ServiceError
from transcription.services.remove import HELD_SECONDS, remove, remove_audio

logger = logging.getLogger(__name__)
Step = Transcription.Step

#: What is done in one go; the rest is for the next.
PORTION = 100
#: What could not be deleted is tried again after this.
TRIED_AGAIN_SECONDS = 3600.0


def kept_until(row: Transcription) -> datetime | None:
    """Return when a transcription is deleted with its text and audio; None: not by itself."""
    return _end(row, settings.TEXT_KEPT_DAYS)


def audio_kept_until(row: Transcription) -> datetime | None:
    """Return when the audio of a transcription is deleted; None: not by itself, or it is gone."""
    if not row.audio.name:
        return None
    ends = (kept_until(row), _end(row, settings.AUDIO_KEPT_DAYS))
    return min((end for end in ends if end), default=None)


def _end(row: Transcription, days: float) -> datetime | None:
    if not days or row.completed_at is None or row.step != Step.OVER:
        return None
    return row.completed_at + timedelta(days=days)


def remove_due(portion: int = PORTION, most_seconds: float = float("inf")) -> int:
    """Delete what has been kept for long enough, the oldest first; return how much of it went.

    At most ``portion`` texts and as many recordings, and nothing is begun after ``most_seconds``,
    so that whoever calls it has time for other things; the next call goes on. Several may call it
    at once. A file that cannot be deleted is logged, put off and keeps nobody waiting.
    """
    removed = 0
    end = time.monotonic() + most_seconds
    if settings.TEXT_KEPT_DAYS:
        removed += _remove(due(settings.TEXT_KEPT_DAYS), remove, portion, end)
    if settings.AUDIO_KEPT_DAYS:
        with_audio = due(settings.AUDIO_KEPT_DAYS).exclude(audio="")
        removed += _remove(with_audio, remove_audio, portion, end)
    if removed:
        logger.info("The time of %d recordings or texts was over; they are deleted.", removed)
    return removed


def due(days: float) -> QuerySet[Transcription]:
    """Return what has been over for so many days and is not put off."""
    return Transcription.objects.filter(
        ~BEING_DELETED,
        # Of these the index is; nothing that is waiting or worked on is among them.
        step=Step.OVER,
        completed_at__lt=in_seconds(-days * 86_400),
    )


def _remove(
    rows: QuerySet[Transcription],
    delete: Callable[[Transcription, audit.Actor], bool | None],
    portion: int,
    end: float,
) -> int:
    removed = 0
    oldest: list[uuid.UUID] = list(
        rows.order_by("completed_at").values_list("pk", flat=True)[:portion]
    )
    for pk in oldest:
        if time.monotonic() > end:
            break
        # Still so? Somebody may have started it again, or another worker be at it. Whoever gets
        # it holds it: nobody starts it again meanwhile, and a worker that dies lets it go.
        if not rows.filter(pk=pk, status__in=Transcription.FINAL).update(
            lease_until=in_seconds(HELD_SECONDS)
        ):
            continue
        row = Transcription.objects.defer(*Transcription.HEAVY_FIELDS).filter(pk=pk).first()
        if row is None:
            continue  # a person was quicker
        try:
            removed += delete(row, audit.RETENTION) is not False
        except (OSError, ServiceError) as error:
            logger.error("The time of %s is over, but it cannot be deleted: %s", pk, error)
            # Unless somebody has started it again after all: then the lease is a worker's.
            Transcription.objects.filter(pk=pk, step=Step.OVER).update(
                lease_until=in_seconds(TRIED_AGAIN_SECONDS)
            )
    return removed
