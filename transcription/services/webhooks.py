"""Webhook endpoints: made, changed, switched off, tested; their messages replayed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as _T

from transcription.delivery.addresses import (
    AddressRefused,
    AllowedHosts,
    target_of,
)
from transcription.models import (
    Bot,
    CallbackSecret,
    Delivery,
    Event,
    LeasedWork,
    WebhookEndpoint,
)
from transcription.services import bell, outbox
from transcription.services.errors import ServiceError

logger = logging.getLogger(__name__)
State, OffReason = LeasedWork.State, WebhookEndpoint.OffReason

#: Endpoints that one user may have.
MAX_ENDPOINTS = 20

#: Why an address is not called, by ``AddressRefused.reason``.
REASONS = {
    "form": _T("it is not a URL of plain characters. Write it as https://host/path."),
    "scheme": _T("it must begin with https:// or http://."),
    "credentials": _T("it must not hold a user name or password."),
    "port": _T("nobody serves webhooks on port {value}. Use 443, 80 or one from 1024."),
    "private": _T(
        "{value} is not on the public internet. "
        "Ask the operator to allow it by ASR_WEBHOOK_PRIVATE_HOSTS."
    ),
}


def allowed_hosts() -> AllowedHosts:
    """Return the private hosts that may be called; a wrong setting is reported at start-up."""
    return AllowedHosts.of(settings.WEBHOOK_PRIVATE_HOSTS)


def why_refused(error: AddressRefused) -> str:
    """Return why an address is not called, in the language that is active now."""
    return _(REASONS[error.reason]).format(value=error.value)


def checked_url(url: str) -> str:
    """Return the URL without spaces around it. Raises ``address_not_allowed``.

    Where its name leads is asked only when it is called: a web process connects to nobody.
    """
    url = url.strip()
    try:
        target_of(url, allowed_hosts())
    except AddressRefused as error:
        raise ServiceError("address_not_allowed", detail=why_refused(error)) from error
    return url


def checked_callback_url(url: str, owner: User | None) -> str:
    """Return the address that is told of one transcription; "" for none.

    Raises ``address_not_allowed``, and ``authentication_required`` for somebody without an
    account: he has no secret to sign with, and the service is nobody's means to call others.
    """
    if not url.strip():
        return ""
    if owner is None:
        raise ServiceError("authentication_required")
    return checked_url(url)


def checked_events(events: Iterable[str]) -> list[str]:
    """Return the events in their order, each once. Raises ``invalid`` for an unknown or none."""
    asked = set(events)
    if not asked or asked - set(Event.values):
        detail = _("events: expected some of {known}.").format(known=", ".join(Event.values))
        raise ServiceError("invalid", detail=detail)
    return [event for event in Event.values if event in asked]


# --- endpoints --------------------------------------------------------------------------------


def create_endpoint(
    owner: User,
    *,
    url: str,
    events: Iterable[str] | None = None,
    description: str = "",
    include_text: bool = False,
) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint; return it and its secret, which is known only here and now.

    Raises ``address_not_allowed``, ``too_many_endpoints``, ``invalid``.
    """
    row = WebhookEndpoint(
        owner=owner,
        url=checked_url(url),
        events=checked_events(Event.values if events is None else events),
        description=description,
        include_text=include_text,
    )
    secret = row.set_new_secret()
    with transaction.atomic():
        # The owner's row is locked, so that two requests at once do not pass the limit together.
        User.objects.select_for_update().get(pk=owner.pk)
        require_room(owner)
        row.save(force_insert=True)
    return row, secret


def require_room(owner: User) -> None:
    """Raise ``too_many_endpoints`` where the user has as many as he may."""
    if WebhookEndpoint.objects.filter(owner=owner).count() >= MAX_ENDPOINTS:
        raise ServiceError("too_many_endpoints", limit=MAX_ENDPOINTS)


def change_endpoint(row: WebhookEndpoint, **changes: Any) -> None:
    """Write url, events, description, include_text or enabled; raises as ``create_endpoint``."""
    if "url" in changes:
        changes["url"] = checked_url(changes["url"])
    if "events" in changes:
        changes["events"] = checked_events(changes["events"])
    enabled = changes.pop("enabled", None)
    with transaction.atomic():
        if changes:
            WebhookEndpoint.objects.filter(pk=row.pk).update(**changes)
        if enabled is True:
            WebhookEndpoint.objects.filter(pk=row.pk).update(enabled=True, off_reason="")
        elif enabled is False:
            switch_off(row)
    row.refresh_from_db()


def switch_off(row: WebhookEndpoint, reason: str = OffReason.BY_HAND) -> bool:
    """Send nothing more to an endpoint, also not what waits; False: it was off already."""
    with transaction.atomic():
        changed = WebhookEndpoint.objects.filter(pk=row.pk, enabled=True).update(
            enabled=False, off_reason=reason
        )
        if changed:
            # What is being sent at this moment finds its lease gone.
            row.deliveries.filter(state__in=[State.PENDING, State.LEASED]).update(
                state=State.CANCELLED, lease_token=None, lease_until=None, leased_by=""
            )
    if changed:
        logger.info("Webhook endpoint %s is switched off: %s.", row.pk, reason)
    return bool(changed)


def rotate_secret(row: WebhookEndpoint) -> str:
    """Give an endpoint a new secret and return it; for a day the old one signs as well."""
    with transaction.atomic():
        locked = WebhookEndpoint.objects.select_for_update().get(pk=row.pk)
        secret = locked.set_new_secret()
        locked.save(update_fields=["sealed_secret", "sealed_former_secret", "former_until"])
    return secret


def rotate_callback_secret(owner: User) -> str:
    """Give the user a new secret for the callbacks of single transcriptions and return it."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=owner.pk)
        row = CallbackSecret.objects.filter(owner=owner).first() or CallbackSecret(owner=owner)
        secret = row.set_new_secret()
        row.save()
    return secret


def callback_secrets(owner_id: int) -> list[str]:
    """Return the secrets that sign a user's callbacks; the first is made if there is none yet."""
    row = CallbackSecret.objects.filter(owner=owner_id).first()
    if row is None:
        fresh = CallbackSecret(owner_id=owner_id)
        fresh.set_new_secret()
        row, _created = CallbackSecret.objects.get_or_create(
            owner_id=owner_id, defaults={"sealed_secret": fresh.sealed_secret}
        )
    return row.secrets()


def send_test(row: WebhookEndpoint) -> Delivery:
    """Send an endpoint a message that says nothing.

    Raises ``endpoint_off``, ``too_many_tests``.
    """
    if not row.enabled:
        raise ServiceError("endpoint_off")
    return outbox.enter_test(outbox.to_endpoint(row, ""))


# --- messages ---------------------------------------------------------------------------------


def replay(delivery: Delivery) -> None:
    """Send a message again, arrived or not, under the same id.

    Raises ``delivery_under_way``, or ``endpoint_off`` where its receiver is switched off.
    """
    receiver: WebhookEndpoint | Bot | None = delivery.endpoint or delivery.bot
    if receiver is not None and not receiver.enabled:
        raise ServiceError("endpoint_off")
    with transaction.atomic():
        changed = Delivery.objects.filter(
            pk=delivery.pk, state__in=[State.DONE, State.FAILED, State.CANCELLED]
        ).update(
            state=State.PENDING,
            attempts=0,
            tries=0,
            not_before=Now(),
            http_status=None,
            error_code="",
            answer="",
            last_error="",
            delivered_at=None,
        )
        if changed:
            bell.wake(bell.CHORES)
    if not changed:
        raise ServiceError("delivery_under_way")
    delivery.refresh_from_db()
