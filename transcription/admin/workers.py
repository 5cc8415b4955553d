"""The living workers, as they report themselves."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from transcription.admin.common import ReadOnlyAdmin
from transcription.models import Worker
from transcription.services.reasons import because_in_words


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
    fields = (*list_display[:7], "models_failed", *list_display[7:])

    @admin.display(description=_("loaded"))
    def models_loaded(self, worker: Worker) -> str:
        return ", ".join(_in_words(entry) for entry in worker.loaded)

    @admin.display(description=_("loading"), empty_value="–")
    def models_loading(self, worker: Worker) -> str | None:
        words = gettext("%(name)s (generation %(generation)s, %(because)s, since %(since)s)")
        return ", ".join(
            words
            % {
                "name": entry.get("name"),
                "generation": entry.get("generation"),
                "because": because_in_words(entry.get("because") or ""),
                "since": _moment(entry.get("since")),
            }
            for entry in worker.loading
        )

    @admin.display(description=_("left the memory"))
    def models_unloaded(self, worker: Worker) -> str:
        if not worker.unloaded:
            return "–"
        last = worker.unloaded[-1]
        return gettext("%(name)s: %(because)s") % {
            "name": last.get("name"),
            "because": because_in_words(last.get("unloaded_because") or ""),
        }

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


def _moment(value: object) -> str:
    """Return an ISO 8601 moment as the reader's language writes it."""
    moment = parse_datetime(str(value or ""))
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT") if moment else str(value)


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
