"""The living workers, as they report themselves."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from transcription.admin.common import ReadOnlyAdmin, moment_in_words, two_lines
from transcription.models import Worker
from transcription.services.reasons import because_in_words
from transcription.templatetags.spans import age

#: Of an error in the list; the page of the worker has all of it.
ERROR_CHARACTERS = 160


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """One row per process: alive while its heartbeat is."""

    list_display = ("process", "heartbeat", "busy_with", "models", "last_error")
    fields = (
        "cluster",
        "host",
        "pid",
        "busy_with",
        "models",
        "models_failed",
        "heartbeat_at",
        "started_at",
        "error",
    )

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
        lines = [_in_words(entry) for entry in worker.loaded]
        lines += [
            gettext("loading: %(name)s (generation %(generation)s, %(because)s, since %(since)s)")
            % {
                "name": entry.get("name"),
                "generation": entry.get("generation"),
                "because": because_in_words(entry.get("because") or ""),
                "since": _moment(entry.get("since")),
            }
            for entry in worker.loading
        ]
        lines += [
            gettext("left the memory: %(name)s: %(because)s")
            % {
                "name": entry.get("name"),
                "because": because_in_words(entry.get("unloaded_because") or ""),
            }
            for entry in worker.unloaded[-1:]
        ]
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines)) or None

    @admin.display(description=_("could not be loaded"))
    def models_failed(self, worker: Worker) -> str:
        words = gettext("%(name)s (generation %(generation)s): %(error)s")
        return "\n".join(
            words
            % {
                "name": entry.get("name"),
                "generation": entry.get("generation"),
                "error": entry.get("message"),
            }
            for entry in worker.failed
        )

    @admin.display(description=_("error"), empty_value="–")
    def last_error(self, worker: Worker) -> str | None:
        return Truncator(worker.error).chars(ERROR_CHARACTERS) if worker.error else None


def _moment(value: object) -> str:
    """Return an ISO 8601 moment as the reader's language writes it."""
    moment = parse_datetime(str(value or ""))
    return moment_in_words(moment) if moment else str(value)


def _in_words(entry: dict[str, Any]) -> str:
    """Return one model in memory; each form a sentence of its own, so that it can be translated."""
    facts = {
        "name": entry.get("name"),
        "generation": entry.get("generation"),
        "former": entry.get("stands_in_for"),
        "device": entry.get("device"),
        "because": because_in_words(entry.get("loaded_because") or ""),
    }
    if entry.get("stands_in_for"):
        words = _("%(name)s (generation %(generation)s in place of %(former)s, %(device)s)")
        if facts["because"]:
            words = _(
                "%(name)s (generation %(generation)s in place of %(former)s, %(device)s, "
                "because %(because)s)"
            )
    else:
        words = _("%(name)s (generation %(generation)s, %(device)s)")
        if facts["because"]:
            words = _("%(name)s (generation %(generation)s, %(device)s, because %(because)s)")
    return str(words) % facts
