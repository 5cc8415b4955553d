"""Processes that work, as they report themselves."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Worker(models.Model):
    """A living worker process; its row is its heartbeat."""

    host = models.CharField(_("host"), max_length=200)
    pid = models.PositiveIntegerField(_("process"))
    cluster = models.CharField(_("cluster"), max_length=100)
    """Which cluster of the installation, as "engine-0" or "chores"; the holder of its leases."""
    started_at = models.DateTimeField(_("started at"), db_default=Now())
    heartbeat_at = models.DateTimeField(_("last heartbeat"), db_default=Now())
    busy_with = models.PositiveIntegerField(_("busy with"), default=0)
    """Rows that it works on at this moment."""
    loaded = models.JSONField(_("loaded"), default=list)
    """One entry per model in memory: name, generation, digest, device, dtype, memory_bytes,
    load_seconds, loaded_because, last_used_at, stands_in_for (the generation that could not be
    loaded, where an older one serves)."""
    loading = models.JSONField(_("loading"), default=list)
    """The model that is being loaded, if any: name, generation, because, since."""
    failed = models.JSONField(_("failed"), default=list)
    """Models that could not be loaded: name, generation, at, message."""
    unloaded = models.JSONField(_("left the memory"), default=list)
    """What left the memory last, the newest at the end: name, generation, at, unloaded_because."""
    seen = models.JSONField(_("generations seen"), default=dict)
    """The generation of each model that this worker knows of: name to number."""
    device_memory = models.JSONField(_("memory of the device"), null=True, default=None)
    """device, free_bytes, total_bytes of what it loads models onto; null: it loads none, or nobody
    can tell."""
    error = models.TextField(_("error"), blank=True, default="")
    """What went wrong last with loading a model; empty: nothing."""

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering = ["host", "cluster", "pid"]
        constraints = [
            models.UniqueConstraint(fields=["host", "cluster", "pid"], name="worker_once")
        ]

    def __str__(self) -> str:
        return f"{self.cluster} @ {self.host} ({self.pid})"
