"""The living workers, as they report themselves."""

from __future__ import annotations

from typing import Any

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
        "models_loading",
        "models_unloaded",
        "heartbeat_at",
        "started_at",
        "error",
    )

    @admin.display(description="loaded")
    def models_loaded(self, worker: Worker) -> str:
        return ", ".join(_in_words(entry) for entry in worker.loaded)

    @admin.display(description="loading", empty_value="–")
    def models_loading(self, worker: Worker) -> str | None:
        return ", ".join(
            f"{entry.get('name')} (generation {entry.get('generation')}, {entry.get('because')}, "
            f"since {entry.get('since')})"
            for entry in worker.loading
        )

    @admin.display(description="left the memory", empty_value="–")
    def models_unloaded(self, worker: Worker) -> str | None:
        if not worker.unloaded:
            return None
        last = worker.unloaded[-1]
        return f"{last.get('name')}: {last.get('unloaded_because')}"


def _in_words(entry: dict[str, Any]) -> str:
    generation = f"generation {entry.get('generation')}"
    if entry.get("stands_in_for"):
        generation += f" in place of {entry['stands_in_for']}"
    words = f"{entry.get('name')} ({generation}, {entry.get('device')}"
    if entry.get("loaded_because"):
        words += f", because {entry['loaded_because']}"
    return words + ")"
