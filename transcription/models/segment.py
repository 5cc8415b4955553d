"""A sentence or so of a finished text."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from transcription.models.transcription import Transcription


class Segment(models.Model):
    """A stretch of the text with its times, as people read, hear and edit it."""

    transcription = models.ForeignKey(
        Transcription,
        on_delete=models.CASCADE,
        related_name="segments",
        verbose_name=_("transcription"),
    )
    index = models.PositiveIntegerField(_("number"))
    start_seconds = models.FloatField(_("start in seconds"))
    end_seconds = models.FloatField(_("end in seconds"))
    text = models.TextField(_("text"), blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True, default="")
    words = models.JSONField(_("words"), null=True, default=None, blank=True)
    """Times of the single words where they were asked for: start, end, word, probability."""
    avg_logprob = models.FloatField(_("mean log probability"), null=True, default=None)
    no_speech_probability = models.FloatField(_("no speech probability"), null=True, default=None)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["transcription", "index"]
        constraints = [
            models.UniqueConstraint(fields=["transcription", "index"], name="segment_index_once")
        ]

    def __str__(self) -> str:
        return f"{self.start_seconds:.2f} {self.text}"
