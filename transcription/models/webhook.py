"""Whom the service tells that a transcription has ended."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from transcription.delivery.addresses import MAX_URL_CHARACTERS
from transcription.delivery.signing import new_secret
from transcription.models.sealed import is_readable, seal, unseal

#: For so long after a change of secret messages are signed with the old one as well.
OVERLAP = timedelta(hours=24)


class Event(models.TextChoices):
    """What a receiver can be told of."""

    COMPLETED = "transcription.completed", _("Transcription completed")
    FAILED = "transcription.failed", _("Transcription failed")
    CANCELLED = "transcription.cancelled", _("Transcription cancelled")


#: What the test button sends; nobody subscribes to it.
TEST_EVENT = "webhook.test"


def all_events() -> list[str]:
    """Return the events that a new receiver is told of."""
    return list(Event.values)


class Signing(models.Model):
    """A receiver's secret and, for a while, the one before it."""

    sealed_secret = models.TextField(editable=False)
    sealed_former_secret = models.TextField(blank=True, default="", editable=False)
    former_until = models.DateTimeField(null=True, default=None, editable=False)
    """Until then the former secret signs too, so that a receiver can change over in peace."""

    class Meta:
        abstract = True

    def set_new_secret(self) -> str:
        """Give the row a fresh secret, unsaved, and return it: the only time that it is shown."""
        secret = new_secret()
        if self.sealed_secret and is_readable(self.sealed_secret):
            self.sealed_former_secret = self.sealed_secret
            self.former_until = timezone.now() + OVERLAP
        self.sealed_secret = seal(secret)
        return secret

    def secrets(self) -> list[str]:
        """Return the secrets to sign with, the newest first. Raises ``sealed.Unreadable``."""
        sealed = [self.sealed_secret]
        if self.former_until and self.former_until > timezone.now():
            sealed.append(self.sealed_former_secret)
        return [unseal(one) for one in sealed]


class WebhookEndpoint(Signing):
    """An address of a user's that is told of his transcriptions."""

    class OffReason(models.TextChoices):
        BY_HAND = "by_hand", _("switched off by a person")
        GONE = "gone", _("its server said that it is gone (410)")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="webhook_endpoints",
        verbose_name=_("owner"),
    )
    url = models.CharField(_("address"), max_length=MAX_URL_CHARACTERS)
    description = models.CharField(_("description"), max_length=200, blank=True, default="")
    events = models.JSONField(_("events"), default=all_events)
    """Values of ``Event``."""
    include_text = models.BooleanField(
        _("with the text"),
        default=False,
        help_text=_("Whether messages carry the text itself; otherwise only the link to it."),
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    off_reason = models.CharField(
        _("why it is off"),
        max_length=10,
        choices=OffReason.choices,
        blank=True,
        default="",
        editable=False,
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        # Never the path or the query: those may be a secret of the receiver's.
        return self.description or host_of(self.url)


class CallbackSecret(Signing):
    """What signs the messages to the ``callback_url`` of a user's single transcriptions."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="callback_secret",
        verbose_name=_("owner"),
    )

    class Meta:
        verbose_name = _("callback secret")
        verbose_name_plural = _("callback secrets")

    def __str__(self) -> str:
        return f"#{self.owner_id}"


class BotQuerySet(models.QuerySet["Bot"]):
    """Queries of the bots."""

    def told_of(self, owner_id: int | None) -> Self:
        """Bots that are told of transcriptions of this owner."""
        return self.filter(models.Q(owner=None) | models.Q(owner=owner_id), enabled=True)


class Bot(models.Model):
    """A robot of a group chat; set up by staff."""

    class Kind(models.TextChoices):
        WECOM = "wecom", _("WeCom group robot")
        DINGTALK = "dingtalk", _("DingTalk group robot")
        FEISHU = "feishu", _("Feishu or Lark group robot")
        APPRISE = "apprise", _("any other, by an Apprise address")

    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="bots",
        null=True,
        blank=True,
        help_text=_("Only this user's transcriptions; empty: everybody's."),
        verbose_name=_("owner"),
    )
    events = models.JSONField(_("events"), default=all_events)
    include_excerpt = models.BooleanField(
        _("with the beginning of the text"),
        default=False,
        help_text=_("Whether messages carry the beginning of the text. The whole group reads it."),
    )
    sealed_url = models.TextField(editable=False)
    """A robot's address is its password."""
    sealed_secret = models.TextField(blank=True, default="", editable=False)
    shown_host = models.CharField(_("host"), max_length=255, editable=False)
    """All of the address that is ever shown again."""
    enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    objects = BotQuerySet.as_manager()

    class Meta:
        verbose_name = _("bot")
        verbose_name_plural = _("bots")
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    def set_address(self, url: str) -> None:
        """Give the unsaved row another address."""
        self.sealed_url = seal(url)
        self.shown_host = host_of(url) if self.kind != self.Kind.APPRISE else url.split(":")[0]

    def set_secret(self, secret: str) -> None:
        """Give the unsaved row another secret; empty: its platform's robot does not sign."""
        self.sealed_secret = seal(secret) if secret else ""

    def address(self) -> str:
        """Return the address. Raises ``sealed.Unreadable``."""
        return unseal(self.sealed_url)

    def secret(self) -> str:
        """Return the secret, or "". Raises ``sealed.Unreadable``."""
        return unseal(self.sealed_secret) if self.sealed_secret else ""


def host_of(url: str) -> str:
    """Return the part of a URL that may be shown to anybody: host and port."""
    return url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2][:255]
