"""Who deleted, exported and revoked what: kept when the thing and the person are gone."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class AuditEntry(models.Model):
    """One thing that somebody did to one recording or one token.

    It names accounts, ids and formats. Never a text, a title or a file's name: whoever has a
    recording deleted has these deleted, too.
    """

    class Via(models.TextChoices):
        PAGE = "page", _("a page")
        ADMIN = "admin", _("the admin")
        API = "api", _("the API")
        LINK = "link", _("the link to a result")
        COMMAND = "command", _("a command on the server")
        RETENTION = "retention", _("the retention period")

    class Action(models.TextChoices):
        TRANSCRIPTION_DELETED = "transcription_deleted", _("transcription deleted")
        AUDIO_DELETED = "audio_deleted", _("audio deleted")
        EXPORTED = "exported", _("exported")
        TOKEN_REVOKED = "token_revoked", _("token revoked")

    class ObjectType(models.TextChoices):
        TRANSCRIPTION = "transcription", _("transcription")
        TOKEN = "token", _("API token")

    at = models.DateTimeField(_("time"), db_default=Now(), editable=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="+",
        null=True,
        editable=False,
        verbose_name=_("account"),
    )
    actor_name = models.CharField(_("who"), max_length=150, blank=True, editable=False)
    """Kept when the account is gone; for a command that of the system's account; empty: the
    service itself, or somebody without an account who had the link."""
    via = models.CharField(_("by way of"), max_length=10, choices=Via.choices, editable=False)
    token_name = models.CharField(_("token"), max_length=120, blank=True, editable=False)
    """Name and beginning of the API token that was used; empty: none was."""
    action = models.CharField(_("what"), max_length=30, choices=Action.choices, editable=False)
    object_type = models.CharField(
        _("kind"), max_length=20, choices=ObjectType.choices, editable=False
    )
    object_id = models.CharField(_("id"), max_length=36, editable=False)
    """Text, since what it names may be gone: the id of a transcription, or of a token."""
    owner_name = models.CharField(_("owner"), max_length=150, blank=True, editable=False)
    """Whose it was."""
    detail = models.CharField(_("detail"), max_length=30, blank=True, editable=False)
    """Format of an export ("srt", "audio"), or the beginning of a revoked token."""
    batch = models.UUIDField(_("batch"), null=True, editable=False)
    """The same for all that went together; null: it went alone."""
    count = models.PositiveIntegerField(_("in the batch"), default=1, editable=False)
    """How many went together, or were meant to."""
    request_id = models.CharField(_("request id"), max_length=64, blank=True, editable=False)
    once = models.UUIDField(null=True, unique=True, editable=False)
    """What makes repetitions of the same one entry: the parts of a recording that a player
    fetches; null: each is its own."""

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit")
        ordering = ["-at", "-id"]
        # Only the service writes them, and nobody changes or deletes one.
        default_permissions = ("view",)
        # What the list may be narrowed to or searched by, each in its order.
        indexes = [
            models.Index(fields=[*fields, "-at", "-id"], name=f"audit_{name}")
            for name, fields in (
                ("newest", []),
                ("by_action", ["action"]),
                ("by_via", ["via"]),
                ("by_action_via", ["action", "via"]),
                ("by_object", ["object_id"]),
                ("by_actor", ["actor_name"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_id}"
