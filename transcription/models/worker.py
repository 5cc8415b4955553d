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
    """One entry per model in memory: name, generation, digest, device, dtype, memory_bytes."""
    error = models.TextField(blank=True, default="")
    """What went wrong last with loading a model; empty: nothing."""

    class Meta:
        ordering = ["host", "cluster", "pid"]
        constraints = [
            models.UniqueConstraint(fields=["host", "cluster", "pid"], name="worker_once")
        ]

    def __str__(self) -> str:
        return f"{self.cluster} on {self.host} ({self.pid})"
