"""Who has a transcription open at this moment: told to the others who have."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from transcription.models import Presence, Transcription
from transcription.services.errors import ServiceError
from transcription.services.revisions import By

#: A page asks every five seconds; one that has missed three times is closed, or its laptop is.
SEEN_FOR = timedelta(seconds=20)
KEPT = timedelta(hours=1)


def note(row: Transcription, by: By) -> None:
    """Note that a page is open; nothing where there is no page."""
    if by.session is None:
        return
    now = timezone.now()
    own = Presence.objects.filter(transcription=row, user=by.user)
    if own.filter(session=by.session).update(seen_at=now):
        return
    try:
        _add(own, Presence(transcription=row, user=by.user, session=by.session, seen_at=now))
    except IntegrityError as error:
        # The transcription was deleted at this moment.
        raise ServiceError("not_found") from error


def _add(own: QuerySet[Presence], page: Presence) -> None:
    with transaction.atomic():
        # Who makes up a page for every call leaves one row, and not thousands.
        own.filter(seen_at__lt=page.seen_at - SEEN_FOR).delete()
        Presence.objects.bulk_create([page], ignore_conflicts=True)


def others(row: Transcription, by: By) -> list[str]:
    """Return the names of the other people who have it open, in order; one query."""
    names = (
        Presence.objects.filter(transcription=row, seen_at__gte=timezone.now() - SEEN_FOR)
        .exclude(user=by.user)
        .order_by("user__username")
        .values_list("user__username", flat=True)
        .distinct()
    )
    return list(names)


def forget_closed() -> None:
    """Remove what was noted of pages that are long closed."""
    Presence.objects.filter(seen_at__lt=timezone.now() - KEPT).delete()
