"""The queue as a whole: whether it is paused, and what has come out of it."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

#: Length of a ``Throughput`` row.
THROUGHPUT_SECONDS = 300


class QueuePause(models.Model):
    """Its one row is there while the queue is paused: no new work is begun."""

    #: There is one queue, so one row, by this key.
    THE_ONE = 1

    id = models.PositiveSmallIntegerField(
        primary_key=True, default=THE_ONE, validators=[MaxValueValidator(THE_ONE)]
    )
    paused_at = models.DateTimeField(db_default=Now())
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    reason = models.CharField(max_length=200, blank=True, default="")
    """For people, as the person who paused it wrote it."""

    class Meta:
        verbose_name = _("pause of the queue")
        verbose_name_plural = _("pauses of the queue")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="queue_paused_once")]

    def __str__(self) -> str:
        return "the queue"


class Throughput(models.Model):
    """What was recognised within five minutes: the recordings that ended in them.

    Added up in the transactions that end the recordings. It stays when they are deleted.
    """

    started_at = models.DateTimeField(unique=True)
    """A multiple of ``THROUGHPUT_SECONDS`` since the epoch."""
    recordings = models.PositiveIntegerField(default=0)
    """Completed ones."""
    failures = models.PositiveIntegerField(default=0)
    audio_seconds = models.FloatField(default=0.0)
    """Duration of the completed recordings."""
    engine_seconds = models.FloatField(default=0.0)
    """What the engines needed for them."""

    class Meta:
        verbose_name = _("throughput")
        verbose_name_plural = _("throughput")
        ordering = ["started_at"]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"
