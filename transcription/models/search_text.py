"""What is found of a transcription."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from transcription.models.transcription import Transcription


class SearchText(models.Model):
    """The terms of a transcription, in the form of ``text.terms``; goes when its row goes.

    ``services.search`` alone reads and writes it. Over it stands an index of the database's own,
    made by the migration ``search``: on PostgreSQL a GIN index over the terms, on SQLite the
    FTS5 table ``transcription_search``, kept by triggers. A migration that alters this table on
    SQLite makes it anew, without its triggers: such a one has to create them again.
    """

    number = models.BigIntegerField(primary_key=True)
    """When the recording was accepted: milliseconds since 1970, a few more where they are taken.

    So the newest ones, and those of a span of time, are a range of the primary key."""
    transcription = models.OneToOneField(Transcription, on_delete=models.CASCADE, related_name="+")
    words = models.TextField()
    """"@OWNER TERM TERM … @@ CHARACTER CHARACTER …", with one blank between them."""

    class Meta:
        verbose_name = _("search text")
        verbose_name_plural = _("search texts")

    def __str__(self) -> str:
        return str(self.transcription_id)
