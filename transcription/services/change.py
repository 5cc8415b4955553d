"""What a person may ask of a transcription that is there: cancel, retry, change."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from transcription.models import Chunk, LeasedWork, Transcription
from transcription.services import bell, glossary, outbox, quality, quotas, search
from transcription.services.errors import ServiceError
from transcription.services.submit import language_of, require_a_model_that_knows

logger = logging.getLogger(__name__)
State = LeasedWork.State

#: A recording that is over is held by whoever deletes its files (``services.remove``).
BEING_DELETED = Q(step=Transcription.Step.OVER, lease_until__gte=Now())
#: How a status is called within a sentence.
STATUS_WORDS = {
    Transcription.Status.QUEUED: _("queued"),
    Transcription.Status.PROCESSING: _("processing"),
    Transcription.Status.COMPLETED: _("completed"),
    Transcription.Status.FAILED: _("failed"),
    Transcription.Status.CANCELLED: _("cancelled"),
}


def wrong_status(status: str) -> ServiceError:
    """Return the error that something is not possible at this status, to be raised."""
    return ServiceError("wrong_status", status=STATUS_WORDS[Transcription.Status(status)])


def cancel(row: Transcription) -> None:
    """Stop the work at once and keep what is there.

    Chunks that wait are not started; what runs at this moment finds its lease gone and is
    dropped. The text so far is joined by the finish step. Raises ``wrong_status`` when the
    transcription is over.
    """
    with transaction.atomic():
        changed = Transcription.objects.filter(
            pk=row.pk, status__in=[Transcription.Status.QUEUED, Transcription.Status.PROCESSING]
        ).update(
            status=Transcription.Status.CANCELLED,
            step=Transcription.Step.FINISH,
            state=State.PENDING,
            attempts=0,
            lease_token=None,
            lease_until=None,
            leased_by="",
            not_before=Now(),
            completed_at=Now(),
        )
        if changed:
            Chunk.objects.filter(
                transcription=row.pk, state__in=[State.PENDING, State.LEASED]
            ).update(state=State.CANCELLED, lease_token=None, lease_until=None, leased_by="")
            outbox.announce(row)
            bell.wake(bell.CHORES)
    row.refresh_from_db()
    if not changed:
        raise wrong_status(row.status)
    logger.info("Cancelled %s.", row.pk)


def retry(row: Transcription) -> None:
    """Start a failed or cancelled transcription again; chunks that are done are kept.

    Raises ``wrong_status`` for any other, ``recording_missing`` when its audio is gone,
    ``deletion_under_way`` while it is being deleted, ``too_many_jobs`` where its owner has as many
    unfinished ones as are allowed, and ``retry_would_lose_review`` when people have corrected its
    text.
    """
    if not row.audio.name or not row.audio.storage.exists(row.audio.name):
        raise ServiceError("recording_missing")
    again = [Transcription.Status.FAILED, Transcription.Status.CANCELLED]
    with transaction.atomic():
        if row.status in again:
            quotas.check_jobs(row.owner)
        changed = Transcription.objects.filter(
            ~BEING_DELETED,
            pk=row.pk,
            status__in=again,
            revision=0,
        ).update(
            status=Transcription.Status.QUEUED,
            step=Transcription.Step.PREPARE,
            state=State.PENDING,
            attempts=0,
            lease_token=None,
            lease_until=None,
            leased_by="",
            not_before=Now(),
            last_error="",
            error_code="",
            error_message="",
            error_details=None,
            warnings=[],
            text="",
            language="",
            completed_at=None,
            review_state=Transcription.ReviewState.UNREVIEWED,
            reviewed_by=None,
            reviewed_at=None,
        )
        if changed:
            # Not pending yet: the preparing step revives them once their audio is decoded again.
            Chunk.objects.filter(
                transcription=row.pk, state__in=[State.FAILED, State.CANCELLED]
            ).update(attempts=0, last_error="")
            row.segments.all().delete()
            quality.forget(row.pk)
            search.remember(row.pk)
            bell.wake(bell.CHORES)
            bell.wake(bell.ENGINE)
    row.refresh_from_db()
    if not changed:
        if row.revision and row.status in again:
            raise ServiceError("retry_would_lose_review")
        if row.status in again:
            raise ServiceError("deletion_under_way")
        raise wrong_status(row.status)
    logger.info("Retrying %s.", row.pk)


def rename(row: Transcription, title: str) -> None:
    """Give a transcription another title; "": none, so that people see the file's name."""
    row.title = title
    with transaction.atomic():
        row.save(update_fields=["title"])
        search.remember(row.pk)


def change_language_hint(row: Transcription, hint: str) -> None:
    """Say which language is spoken, before the work begins; "" or "auto": it is found out.

    Raises ``unknown_language``, and ``wrong_status`` once the recording is being worked on.
    """
    language = language_of(hint)
    require_a_model_that_knows(language, row.requested_model)
    # Other terms may go along with another language.
    terms = glossary.take(row.owner, language=language, prompt=row.prompt)
    changed = Transcription.objects.filter(
        pk=row.pk, status=Transcription.Status.QUEUED, state=State.PENDING
    ).update(language_hint=language, glossary=terms.text, glossary_left_out=terms.own_left_out)
    row.refresh_from_db()
    if not changed:
        # One whose preparation has just begun is still called queued.
        status = row.status if row.status != row.Status.QUEUED else row.Status.PROCESSING
        raise wrong_status(status)
