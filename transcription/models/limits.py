"""How much each user may have, and which requests were taken already."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from transcription.models.transcription import Transcription


class UserLimits(models.Model):
    """Quotas of one user that differ from those of the settings; made in the admin.

    An empty field: as the setting says. 0: no limit.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="limits",
        verbose_name=_("user"),
    )
    unfinished_jobs = models.PositiveIntegerField(
        _("unfinished recordings"),
        null=True,
        blank=True,
        help_text=_("Recordings that wait or are being worked on."),
    )
    stored_mb = models.PositiveIntegerField(
        _("stored MiB"), null=True, blank=True, help_text=_("Stored recordings together, in MiB.")
    )
    audio_minutes_per_day = models.PositiveIntegerField(
        _("minutes of audio a day"),
        null=True,
        blank=True,
        help_text=_("Minutes of recordings that are sent in on one day."),
    )

    class Meta:
        verbose_name = _("user limits")
        verbose_name_plural = _("user limits")

    def __str__(self) -> str:
        return str(self.user)


class DayUsage(models.Model):
    """What a user sent in on one day and has deleted since: it counts all the same."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    """In the time zone of the settings."""
    deleted_seconds = models.FloatField(default=0.0)

    class Meta:
        verbose_name = _("use of a day")
        verbose_name_plural = _("uses of days")
        constraints = [models.UniqueConstraint(fields=["owner", "day"], name="day_usage_once")]

    def __str__(self) -> str:
        return f"{self.day}: {self.deleted_seconds:g} s"


class IdempotencyKey(models.Model):
    """An Idempotency-Key that a request was accepted under; written in that very transaction."""

    digest = models.CharField(max_length=64, unique=True)
    """Of the caller and the key together: whoever reads the table learns neither."""
    request_digest = models.CharField(max_length=64)
    """Of the recording and of everything that was asked of it."""
    transcription = models.ForeignKey(
        Transcription, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    """Null once it was deleted: a repeated request does not bring it back."""
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")

    def __str__(self) -> str:
        return self.digest[:12]
