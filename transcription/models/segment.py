"""A sentence or so of a finished text."""

from __future__ import annotations

from django.db import models

from transcription.models.transcription import Transcription


class Segment(models.Model):
    """A stretch of the text with its times, as people read, hear and edit it."""

    transcription = models.ForeignKey(
        Transcription, on_delete=models.CASCADE, related_name="segments"
    )
    index = models.PositiveIntegerField()
    start_seconds = models.FloatField()
    end_seconds = models.FloatField()
    text = models.TextField(blank=True)
    language = models.CharField(max_length=10, blank=True, default="")
    words = models.JSONField(null=True, default=None, blank=True)
    """Times of the single words where they were asked for: start, end, word, probability."""
    avg_logprob = models.FloatField(null=True, default=None)
    no_speech_probability = models.FloatField(null=True, default=None)
    revision = models.PositiveIntegerField(default=0, db_default=0)
    """Number of the ``Revision`` that changed it last; 0: as the machine wrote it."""

    class Meta:
        ordering = ["transcription", "index"]
        constraints = [
            models.UniqueConstraint(fields=["transcription", "index"], name="segment_index_once")
        ]

    def __str__(self) -> str:
        return f"{self.start_seconds:.2f} {self.text}"
