"""The tokens with which programs call the API: made, found, used, revoked."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from transcription.models import ApiToken
from transcription.models.token import digest_of
from transcription.services import audit

#: Words in front of the token in the Authorization header, in lower case.
SCHEMES = frozenset({"token", "bearer"})
#: The time of the last use is written at most this often.
LAST_USE_RESOLUTION = timedelta(minutes=1)


def token_in(authorization: str) -> str | None:
    """Return the token of an Authorization header; None where it holds none of our schemes.

    A header with a scheme of ours and no single token behind it gives "", which no token is.
    """
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() not in SCHEMES:
        return None
    words = rest.split()
    return words[0] if len(words) == 1 else ""


def find(token: str) -> ApiToken | None:
    """Return the row of a token that may be used, its user with it: one query."""
    return ApiToken.objects.usable().select_related("user").filter(digest=digest_of(token)).first()


def is_usable(token: str) -> bool:
    """Whether the token may be used at this moment: one query, no row loaded."""
    return ApiToken.objects.usable().filter(digest=digest_of(token)).exists()


def note_use(row: ApiToken) -> None:
    """Write the time of use down, unless that was done within the last minute.

    Many requests at once may find the old time; the condition lets one of them write.
    """
    if row.last_used_at and timezone.now() - row.last_used_at < LAST_USE_RESOLUTION:
        return
    ApiToken.objects.filter(
        Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - LAST_USE_RESOLUTION),
        pk=row.pk,
    ).update(last_used_at=Now())


def create(
    user: User, *, name: str, scope: str = ApiToken.Scope.FULL, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a token; return its row and the token itself, which is known only here and now."""
    row = ApiToken(user=user, name=name, scope=scope, expires_at=expires_at)
    token = row.set_new_secret()
    row.full_clean(exclude=["digest", "shown"])
    row.save(force_insert=True)
    return row, token


def of(user: User) -> QuerySet[ApiToken]:
    """Return a user's own tokens, revoked and expired ones too, the newest first."""
    return ApiToken.objects.filter(user=user).order_by("-created_at", "-pk")


def revoke(row: ApiToken, by: audit.Actor) -> bool:
    """End a token for good; False: it was revoked before."""
    with transaction.atomic():
        changed = ApiToken.objects.filter(pk=row.pk, revoked_at__isnull=True).update(
            revoked_at=Now()
        )
        if changed:
            audit.note_revoked(row, by)
    return bool(changed)


def change(row: ApiToken, by: audit.Actor) -> None:
    """Write a token's new name and end; an end that is past revokes it, which is entered."""
    with transaction.atomic():
        usable = ApiToken.objects.usable().filter(pk=row.pk)
        was_usable = usable.exists()
        row.save(update_fields=["name", "expires_at"])
        if was_usable and not usable.exists():
            audit.note_revoked(row, by)


def delete(rows: QuerySet[ApiToken], by: audit.Actor) -> None:
    """End tokens and delete their rows, too; those revoked before are entered no second time."""
    with transaction.atomic():
        for row in rows.select_for_update(of=("self",)).select_related("user"):
            if row.revoked_at is None:
                audit.note_revoked(row, by)
            row.delete()
