"""Processes that work, as they report themselves."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Worker(models.Model):
    """A living worker process; its row is its heartbeat."""

    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    cluster = models.CharField(max_length=100)
    """Which cluster of the installation, as "engine-0" or "chores"; the holder of its leases."""
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    busy_with = models.PositiveIntegerField(default=0)
    """Rows that it works on at this moment."""
    loaded = models.JSONField(default=list)
    """One entry per model in memory: name, generation, digest, device, dtype, memory_bytes,
    load_seconds, loaded_because, last_used_at, stands_in_for (the generation that could not be
    loaded, where an older one serves)."""
    loading = models.JSONField(default=list)
    """The model that is being loaded, if any: name, generation, because, since."""
    failed = models.JSONField(default=list)
    """Models that could not be loaded: name, generation, at, message."""
    unloaded = models.JSONField(default=list)
    """What left the memory last, the newest at the end: name, generation, at, unloaded_because."""
    seen = models.JSONField(default=dict)
    """The generation of each model that this worker knows of: name to number."""
    error = models.TextField(blank=True, default="")
    """What went wrong last with loading a model; empty: nothing."""

    class Meta:
        ordering = ["host", "cluster", "pid"]
        constraints = [
            models.UniqueConstraint(fields=["host", "cluster", "pid"], name="worker_once")
        ]

    def __str__(self) -> str:
        return f"{self.cluster} on {self.host} ({self.pid})"
