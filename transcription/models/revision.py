"""What people changed of a text, and who has it open."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from transcription.models.transcription import Transcription


class Revision(models.Model):
    """One step from the machine's text to the text as it is: who changed what, and when.

    Written in the transaction that changes the segments, by ``services.revisions`` alone. A step
    holds both sides of what it changed and nothing else, so it can be undone, and any state
    down to the machine's own text is rebuilt from the segments as they are. It goes with its
    transcription: no text outlives that.
    """

    class Kind(models.TextChoices):
        EDIT = "edit"
        SPLIT = "split"
        MERGE = "merge"
        TIMES = "times"
        REPLACE = "replace"
        RESTORE = "restore"

    transcription = models.ForeignKey(
        # The index of the constraint serves it, too.
        Transcription,
        on_delete=models.CASCADE,
        related_name="revisions",
        db_index=False,
    )
    number = models.PositiveIntegerField()
    """Counts up; numbers are left out where edits were folded into one."""
    kind = models.CharField(max_length=10, choices=Kind.choices)
    """Of several different operations at once: edit."""
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True
    )
    author_name = models.CharField(max_length=150)
    """Kept when the author's account is gone."""
    session = models.UUIDField(null=True, default=None)
    """Of the page that it was made on."""
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    """When the last edit was folded in."""
    changes = models.JSONField(default=list)
    """[{"at": index, "removed": [segment, …], "inserted": [segment, …]}, …], in order. ``at`` is
    the place in the text afterwards; a segment has the fields of ``text.edits.Line``."""
    changed = models.PositiveIntegerField(default=0)
    """How many segments it changed, made or took away."""
    gone = models.JSONField(default=list)
    """Ids of the segments that it took away."""
    reordered = models.BooleanField(default=False)
    """Whether there are other segments afterwards, and not only other texts and times."""
    machine_text = models.TextField(blank=True, default="")
    """``Transcription.text`` as the machine wrote it; only in the first one of a transcription."""

    class Meta:
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["transcription", "number"], name="revision_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.kind}"


class Presence(models.Model):
    """A page that somebody has a transcription open on; swept once it is long closed."""

    transcription = models.ForeignKey(
        Transcription, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    session = models.UUIDField()
    """Made by the page when it is opened."""
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("presence")
        verbose_name_plural = _("presences")
        constraints = [
            models.UniqueConstraint(
                fields=["transcription", "user", "session"], name="presence_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.transcription_id} {self.user_id}"
