"""Bots: the robots of group chats that are told of transcriptions."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext as _

from transcription.models import Bot, Delivery, Event, Transcription
from transcription.models.webhook import TEST_EVENT
from transcription.services import outbox
from transcription.services.errors import ServiceError, error_message
from transcription.services.webhooks import checked_url

EXCERPT_CHARACTERS = 300
#: Kinds whose robots may be given a secret to sign with.
SIGNING_KINDS = frozenset({Bot.Kind.DINGTALK, Bot.Kind.FEISHU})


def checked_address(kind: str, url: str) -> str:
    """Return a bot's address without spaces around it. Raises ``address_not_allowed``.

    An Apprise address is Apprise's to judge, which opens its connections itself.
    """
    return url.strip() if kind == Bot.Kind.APPRISE else checked_url(url)


def send_test(bot: Bot) -> Delivery:
    """Send a bot's group a message that says nothing.

    Raises ``endpoint_off``, ``too_many_tests``.
    """
    if not bot.enabled:
        raise ServiceError("endpoint_off")
    return outbox.enter_test(outbox.to_bot(bot, ""))


def message_for(delivery: Delivery, bot: Bot, row: Transcription | None) -> str:
    """Return what the group reads, in the language that is active now."""
    if delivery.event == TEST_EVENT or row is None:
        return _("This is a test of the speech recognition service.")
    data = delivery.payload["data"]
    label = Event(delivery.event).label
    lines = [_("{event}: {title}").format(event=label, title=data["title"])]
    facts = []
    if data["duration_seconds"] is not None:
        minutes, seconds = divmod(round(data["duration_seconds"]), 60)
        facts.append(_("{minutes} min {seconds} s").format(minutes=minutes, seconds=seconds))
    if data["language"]:
        facts.append(data["language"])
    if facts:
        lines.append(" · ".join(facts))
    if data["error"]:
        lines.append(error_message(row))
    if bot.include_excerpt and row.text:
        text = row.text
        lines.append(text if len(text) <= EXCERPT_CHARACTERS else text[:EXCERPT_CHARACTERS] + "…")
    if settings.PUBLIC_URL:
        lines.append(f"{settings.PUBLIC_URL}/admin/transcription/transcription/{row.pk}/change/")
    return "\n".join(lines)
