"""Who is told that a transcription has ended: rows that are written with what they tell.

``announce`` belongs into every transaction that makes a status final. The row of the outbox is
then there exactly if the status is, whatever dies; the chores workers send it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.utils import timezone

from transcription.models import (
    Bot,
    Delivery,
    Event,
    LeasedWork,
    Transcription,
    WebhookEndpoint,
)
from transcription.models.webhook import TEST_EVENT, host_of
from transcription.services import bell
from transcription.services.errors import ServiceError

EVENT_OF = {
    Transcription.Status.COMPLETED: Event.COMPLETED,
    Transcription.Status.FAILED: Event.FAILED,
    Transcription.Status.CANCELLED: Event.CANCELLED,
}
Kind = Delivery.Kind
#: Test messages to one receiver that may wait at a time.
MAX_WAITING_TESTS = 10


def announce(ended: Transcription) -> int:
    """Enter the messages that a transcription has ended; return how many.

    To be called inside the transaction that wrote the final status, after it was written. Of
    ``ended`` only what never changes is read: what the UPDATE wrote need not be in it.
    """
    endpoints = list(WebhookEndpoint.objects.filter(owner=ended.owner_id, enabled=True))
    bots = list(Bot.objects.told_of(ended.owner_id))
    if not (endpoints or bots or ended.callback_url):
        return 0
    row = Transcription.objects.defer(*Transcription.HEAVY_FIELDS).get(pk=ended.pk)
    event = EVENT_OF[Transcription.Status(row.status)]
    endpoints = [endpoint for endpoint in endpoints if event in endpoint.events]
    bots = [bot for bot in bots if event in bot.events]
    deliveries = [to_endpoint(endpoint, event) for endpoint in endpoints]
    deliveries += [to_bot(bot, event) for bot in bots]
    if row.callback_url:
        deliveries.append(
            Delivery(
                kind=Kind.CALLBACK,
                callback_url=row.callback_url,
                destination=host_of(row.callback_url).lower(),
                event=event,
            )
        )
    if not deliveries:
        return 0
    payload = payload_of(row, event)
    for delivery in deliveries:
        delivery.transcription = row
        delivery.owner_id = row.owner_id
        delivery.payload = payload
    _enter(deliveries)
    return len(deliveries)


def enter_test(delivery: Delivery) -> Delivery:
    """Enter a message that says nothing but that it arrived.

    Raises ``too_many_tests``: the button is not there to flood somebody's server.
    """
    waiting = Delivery.objects.filter(
        endpoint=delivery.endpoint,
        bot=delivery.bot,
        event=TEST_EVENT,
        state__in=[LeasedWork.State.PENDING, LeasedWork.State.LEASED],
    )
    if waiting.count() >= MAX_WAITING_TESTS:
        raise ServiceError("too_many_tests", limit=MAX_WAITING_TESTS)
    delivery.event = TEST_EVENT
    delivery.payload = {
        "type": TEST_EVENT,
        "timestamp": timezone.now().isoformat(),
        "data": {"id": None, "status": None, "title": "A test of this address."},
    }
    _enter([delivery])
    return delivery


def to_endpoint(endpoint: WebhookEndpoint, event: str) -> Delivery:
    """Return an unsaved message to an endpoint."""
    return Delivery(
        kind=Kind.WEBHOOK,
        endpoint=endpoint,
        owner_id=endpoint.owner_id,
        destination=host_of(endpoint.url).lower(),
        event=event,
    )


def to_bot(bot: Bot, event: str) -> Delivery:
    """Return an unsaved message to a bot."""
    return Delivery(
        kind=Kind.BOT, bot=bot, owner_id=bot.owner_id, destination=f"bot {bot.pk}", event=event
    )


def payload_of(row: Transcription, event: str) -> dict[str, Any]:
    """Return what is told of a transcription, as it stands, without its text.

    The text is not copied here: it would stay behind when the transcription's own is deleted.
    """
    return {
        "type": str(event),
        "timestamp": (row.completed_at or timezone.now()).isoformat(),
        "data": {
            "id": str(row.pk),
            "status": row.status,
            "title": row.title or row.file_name,
            "language": row.language or None,
            "duration_seconds": row.duration_seconds,
            "model": row.model_name or None,
            "warnings": row.warnings,
            "error": {"code": row.error_code, "message": row.error_message}
            if row.error_code
            else None,
            "url": link_to(row.pk),
        },
    }


def link_to(transcription_id: uuid.UUID) -> str:
    """Return where a program reads the transcription: a URL, or its path (see ASR_PUBLIC_URL)."""
    return f"{settings.PUBLIC_URL}/api/v1/transcriptions/{transcription_id}/"


def _enter(deliveries: Sequence[Delivery]) -> None:
    Delivery.objects.bulk_create(deliveries)
    bell.wake(bell.CHORES)
