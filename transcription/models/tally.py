"""What has happened since the beginning, counted: never smaller, whoever is deleted or dies."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Tally(models.Model):
    """One count. Workers on any machine add to it; ``/metrics`` shows it.

    It is a row, since a worker has no address of its own at which its counts could be fetched,
    and counts in memory would end with it.
    """

    name = models.CharField(max_length=40)
    """Which count, one of ``services.tally.Count``."""
    label = models.CharField(max_length=60, default="", blank=True)
    """What it is told apart by, as the code of a failure; "" where nothing is."""
    value = models.FloatField(default=0.0)
    """Exact for whole numbers up to 2**53."""

    class Meta:
        verbose_name = _("count")
        verbose_name_plural = _("counts")
        ordering = ["name", "label"]
        constraints = [models.UniqueConstraint(fields=["name", "label"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.label}".rstrip()
