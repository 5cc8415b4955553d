"""The living workers, as they report themselves."""

from __future__ import annotations

from django.contrib import admin

from transcription.admin.common import ReadOnlyAdmin
from transcription.models import Worker


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """One row per process: alive while its heartbeat is."""

    list_display = (
        "cluster",
        "host",
        "pid",
        "busy_with",
        "models_loaded",
        "heartbeat_at",
        "started_at",
        "error",
    )

    @admin.display(description="loaded")
    def models_loaded(self, worker: Worker) -> str:
        return ", ".join(
            f"{entry.get('name')} (generation {entry.get('generation')}, {entry.get('device')})"
            for entry in worker.loaded
        )
