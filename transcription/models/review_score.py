"""How far the machine's text was from what people made of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from transcription.models.transcription import Transcription


class ReviewScore(models.Model):
    """The errors of one approved recording; there while it is approved.

    Made, empty, in the transaction that approves; filled by the chores, since a text of hours
    takes seconds. Reopening deletes it. Its id is never used again, so that a score of the text
    before cannot be written to the row of the next approval.
    """

    transcription = models.OneToOneField(
        Transcription,
        on_delete=models.CASCADE,
        related_name="review_score",
        verbose_name=_("transcription"),
    )
    model_name = models.CharField(_("model"), max_length=100)
    language = models.CharField(_("language"), max_length=10, blank=True)
    """Of most of the recording; empty: no speech."""
    unit = models.CharField(
        _("unit"),
        max_length=10,
        choices=[("word", _("word")), ("character", _("character"))],
        blank=True,
        default="",
    )
    """What is counted: word or character; empty: not scored, or it could not be."""
    errors = models.PositiveIntegerField(_("errors"), default=0)
    reference_length = models.PositiveIntegerField(_("length of the approved text"), default=0)
    """Words or characters of the approved text."""
    duration_seconds = models.FloatField(_("duration in seconds"), default=0.0)
    is_unchanged = models.BooleanField(_("unchanged"), default=False)
    """Whether people approved the machine's text as it was."""
    scored_at = models.DateTimeField(_("scored at"), null=True, default=None)
    """Null: it waits for the chores."""

    class Meta:
        verbose_name = _("score of a review")
        verbose_name_plural = _("quality by reviews")
        indexes = [
            models.Index(
                fields=["id"], condition=Q(scored_at__isnull=True), name="review_score_waiting"
            ),
            # The page's table is read from the index alone.
            models.Index(
                fields=[
                    "model_name",
                    "language",
                    "unit",
                    "errors",
                    "reference_length",
                    "duration_seconds",
                    "is_unchanged",
                ],
                name="review_score_table",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_name} {self.language}: {self.errors} of {self.reference_length}"
