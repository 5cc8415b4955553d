"""The living workers, as they report themselves."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from transcription.admin.common import ReadOnlyAdmin, two_lines
from transcription.models import Worker
from transcription.templatetags.spans import age

#: Of an error in the list; the page of the worker has all of it.
ERROR_CHARACTERS = 160


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """One row per process: alive while its heartbeat is."""

    list_display = ("process", "heartbeat", "busy_with", "models", "last_error")

    class Media:
        css = {"all": ["transcription/admin/lists.css"]}

    @admin.display(description=_("worker"), ordering="cluster")
    def process(self, worker: Worker) -> str:
        where = gettext("%(host)s, process %(pid)d") % {"host": worker.host, "pid": worker.pid}
        return two_lines(worker.cluster, where)

    @admin.display(description=_("heartbeat"), ordering="heartbeat_at")
    def heartbeat(self, worker: Worker) -> str:
        return two_lines(
            gettext("%(age)s ago") % {"age": age(worker.heartbeat_at)},
            gettext("started %(age)s ago") % {"age": age(worker.started_at)},
        )

    @admin.display(description=_("models"), empty_value="–")
    def models(self, worker: Worker) -> str | None:
        lines = [_loaded(entry) for entry in worker.loaded]
        lines += [
            gettext("loading: %(what)s")
            % {
                "what": f"{entry.get('name')} (generation {entry.get('generation')}, "
                f"{entry.get('because')}, since {entry.get('since')})"
            }
            for entry in worker.loading
        ]
        lines += [
            gettext("left the memory: %(what)s")
            % {"what": f"{entry.get('name')}: {entry.get('unloaded_because')}"}
            for entry in worker.unloaded[-1:]
        ]
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines)) or None

    @admin.display(description=_("error"), empty_value="–")
    def last_error(self, worker: Worker) -> str | None:
        return Truncator(worker.error).chars(ERROR_CHARACTERS) if worker.error else None


def _loaded(entry: dict[str, Any]) -> str:
    generation = f"generation {entry.get('generation')}"
    if entry.get("stands_in_for"):
        generation += f" in place of {entry['stands_in_for']}"
    words = f"{entry.get('name')} ({generation}, {entry.get('device')}"
    if entry.get("loaded_because"):
        words += f", because {entry['loaded_because']}"
    return words + ")"
