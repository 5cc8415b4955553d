"""A message on its way to a receiver: a row of the outbox."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from transcription.delivery.addresses import MAX_URL_CHARACTERS
from transcription.models.leases import LeasedQuerySet, LeasedWork, lease_index
from transcription.models.transcription import Transcription
from transcription.models.webhook import Bot, WebhookEndpoint


class Delivery(LeasedWork):
    """One message to one receiver, written in the transaction that made it true.

    ``attempts`` counts, as for any leased work, how often a worker died of it since the last
    try that came to an end; ``tries`` counts those, and by them goes the pause before the next.
    """

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", _("webhook endpoint")
        CALLBACK = "callback", _("callback of one transcription")
        BOT = "bot", _("bot")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="deliveries",
        null=True,
        editable=False,
        verbose_name=_("owner"),
    )
    """Whose turn it takes and who may see it; null: everybody's, as of a bot for all."""
    transcription = models.ForeignKey(
        Transcription,
        # Of what is deleted nothing is told any more.
        on_delete=models.CASCADE,
        related_name="deliveries",
        null=True,
        editable=False,
        verbose_name=_("transcription"),
    )
    endpoint = models.ForeignKey(
        WebhookEndpoint,
        on_delete=models.CASCADE,
        related_name="deliveries",
        null=True,
        editable=False,
        verbose_name=_("webhook endpoint"),
    )
    bot = models.ForeignKey(
        Bot,
        on_delete=models.CASCADE,
        related_name="deliveries",
        null=True,
        editable=False,
        verbose_name=_("bot"),
    )
    callback_url = models.CharField(
        _("callback address"), max_length=MAX_URL_CHARACTERS, blank=True, default="", editable=False
    )
    destination = models.CharField(_("receiver"), max_length=300, editable=False)
    """Where it goes, as far as turns are concerned: host and port, or the bot."""
    event = models.CharField(_("event"), max_length=40, editable=False)
    payload = models.JSONField(_("message"), editable=False)
    """As it stood when it happened; the text, where it is wanted, is added on sending."""

    tries = models.PositiveSmallIntegerField(_("tries"), default=0, editable=False)
    http_status = models.PositiveSmallIntegerField(
        _("HTTP status"), null=True, default=None, editable=False
    )
    """Of the last answer; null: there was none."""
    answer = models.TextField(_("answer"), blank=True, default="", editable=False)
    """Beginning of the last answer, in the receiver's words."""
    error_code = models.CharField(
        _("error code"), max_length=50, blank=True, default="", editable=False
    )
    """Why the last try failed; empty: it did not."""
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, default=None, editable=False)

    objects = LeasedQuerySet["Delivery"].as_manager()  # type: ignore[misc]  # more precise

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes = [
            *lease_index("delivery"),
            models.Index(fields=["owner", "-created_at"], name="delivery_by_owner"),
            models.Index(fields=["-created_at", "-id"], name="delivery_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.event} → {self.destination}"

    @property
    def message_id(self) -> str:
        """The ``webhook-id``: the same at every try and at every replay."""
        return f"msg_{self.id.hex}"
