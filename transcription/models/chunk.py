"""The unit of recognition: a stretch of speech of one recording."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from transcription.models.leases import LeasedQuerySet, LeasedWork, lease_index
from transcription.models.transcription import Transcription


class Chunk(LeasedWork):
    """A stretch of speech between two silences, recognised in one go.

    Chunks of one recording never overlap and are ordered by ``start_sample``; stretches without
    speech have none. A chunk that failed is a gap in the text, which the recording says.
    """

    transcription = models.ForeignKey(
        Transcription,
        on_delete=models.CASCADE,
        related_name="chunks",
        verbose_name=_("transcription"),
    )
    start_sample = models.PositiveBigIntegerField(_("first sample"))
    """First sample of the chunk in the work file, at 16 kHz."""
    end_sample = models.PositiveBigIntegerField(_("end sample"))
    """One past the last."""
    model_name = models.CharField(_("model"), max_length=100)
    """The SpeechModel that is to recognise it."""

    text = models.TextField(_("text"), blank=True, default="")
    """As the engine wrote it."""
    language = models.CharField(_("language"), max_length=10, blank=True, default="")
    language_probability = models.FloatField(_("language probability"), null=True, default=None)
    segments = models.JSONField(_("segments"), default=list)
    """The engine's segments: start, end (seconds from the start of the recording), text, …"""
    finish_reason = models.CharField(_("why it ended"), max_length=12, blank=True, default="")
    weights_digest = models.CharField(
        _("digest of the weights"), max_length=64, blank=True, default=""
    )
    """Digest of the weights and options that wrote the text."""
    engine_seconds = models.FloatField(_("engine time in seconds"), default=0.0)

    objects = LeasedQuerySet["Chunk"].as_manager()  # type: ignore[misc]  # more precise

    class Meta:
        verbose_name = _("chunk")
        verbose_name_plural = _("chunks")
        ordering = ["transcription", "start_sample"]
        constraints = [
            models.UniqueConstraint(
                fields=["transcription", "start_sample"], name="chunk_starts_once"
            ),
            models.CheckConstraint(
                condition=models.Q(end_sample__gt=models.F("start_sample")),
                name="chunk_has_samples",
            ),
        ]
        indexes = [
            *lease_index("chunk"),
            models.Index(fields=["transcription", "state"], name="chunk_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.transcription_id} @ {self.start_sample / 16_000:.2f} s"

    @property
    def duration_seconds(self) -> float:
        return (self.end_sample - self.start_sample) / 16_000
