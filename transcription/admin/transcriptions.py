"""Transcriptions, as staff look after them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator, format_lazy
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from transcription.admin.common import CappedPaginator
from transcription.admin.transcription_filters import (
    CreatedFilter,
    LanguageFilter,
    ModelFilter,
    StatusFilter,
)
from transcription.models import Transcription
from transcription.services import change, search
from transcription.services.errors import ServiceError, error_message
from transcription.services.warnings import warnings_in_words

#: Not needed by the list, and possibly megabytes.
HEAVY_FIELDS = ("text", "prompt")
#: Longer ones would push the columns behind them out of a window of 1280 pixels.
NAME_CHARACTERS = 40


def started_again(count: int) -> str:
    """Return for how many transcriptions the work was started again."""
    words = ngettext(
        "%d transcription was started again.", "%d transcriptions were started again.", count
    )
    return words % count


def cancelled(count: int) -> str:
    """Return how many transcriptions were cancelled."""
    words = ngettext("%d transcription was cancelled.", "%d transcriptions were cancelled.", count)
    return words % count


@admin.register(Transcription)
class TranscriptionAdmin(admin.ModelAdmin):
    """A list that stays quick at a million rows, and a page on which only the title is edited.

    Recordings come in by the API, where they are checked and made durable, so none is added
    here; and none is deleted here, since its files would stay behind.
    """

    list_display = (
        "name",
        "state_of_work",
        "created",
        "duration",
        "language_code",
        "model_used",
        "owner",
    )
    list_filter = (StatusFilter, CreatedFilter, ModelFilter, LanguageFilter)
    list_select_related = ("owner",)
    list_per_page = 50
    # Whatever else it was ordered by, all rows would be read and sorted for one page.
    sortable_by = ("created",)
    show_full_result_count = False
    # They would count all rows again for every choice of every filter.
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    # Not looked at but for the box to be there: the search has an index of its own.
    search_fields = ("title",)
    search_help_text = format_lazy(
        _(
            "Words of the text, the title or the file's name; words in quotation marks stand "
            "together. Or a whole id. The newest {most} are found: a span of time reaches older "
            "ones."
        ),
        most=f"{search.MOST_HITS:,}",
    )
    actions = ("retry", "cancel")
    fieldsets = (
        (None, {"fields": ("title", "id", "owner", "request_id")}),
        (
            _("Status"),
            {
                "fields": (
                    ("status", "step"),
                    "progress_percent",
                    "warned_of",
                    ("error_code", "what_went_wrong"),
                    ("state", "attempts"),
                    "last_error",
                    ("created_at", "started_at", "completed_at"),
                    "chunks_link",
                )
            },
        ),
        (
            _("Recording"),
            {
                "fields": (
                    "file_name",
                    ("content_type", "size_bytes"),
                    "sha256",
                    ("duration_seconds", "speech_seconds"),
                )
            },
        ),
        (_("Asked for"), {"fields": (("language_hint", "requested_model"), "prompt")}),
        (
            _("Result"),
            {"fields": (("language", "model_name", "routing_reason", "engine_seconds"), "text")},
        ),
    )

    def get_readonly_fields(
        self, request: HttpRequest, obj: Transcription | None = None
    ) -> list[str]:
        fields: list[str] = []
        for _title, options in self.fieldsets or ():
            for name in options["fields"]:
                fields.extend([name] if isinstance(name, str) else name)
        return [name for name in fields if name != "title"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transcription]:
        rows = super().get_queryset(request)
        match = request.resolver_match
        if match and (match.url_name or "").endswith("_changelist"):
            rows = rows.defer(*HEAVY_FIELDS)
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transcription], search_term: str
    ) -> tuple[QuerySet[Transcription], bool]:
        try:
            return queryset.filter(pk=uuid.UUID(search_term.strip())), False
        except ValueError:
            pass  # not an id, so words
        if not search_term.strip():
            return queryset, False
        since, until = CreatedFilter.bounds(request.GET)
        return queryset.filter(pk__in=search.find(search_term, since=since, until=until)), False

    def save_model(self, request: HttpRequest, obj: Transcription, form: Any, change: bool) -> None:
        with transaction.atomic():
            # The title alone: a worker may have written the rest meanwhile.
            obj.save(update_fields=["title"])
            search.remember(obj.pk)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Transcription | None = None) -> bool:
        return False

    @admin.display(description=_("name"))
    def name(self, row: Transcription) -> str:
        return Truncator(str(row)).chars(NAME_CHARACTERS)

    @admin.display(description=_("status"))
    def state_of_work(self, row: Transcription) -> str:
        status = row.get_status_display()
        return f"{status} {row.progress:.0%}" if row.status == row.Status.PROCESSING else status

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, row: Transcription) -> str:
        return format_html(
            '<span style="white-space: nowrap">{}</span>',
            timezone.localtime(row.created_at).strftime("%Y-%m-%d %H:%M"),
        )

    @admin.display(description=_("lang."), empty_value="–")
    def language_code(self, row: Transcription) -> str | None:
        return row.language or None

    @admin.display(description=_("model"), empty_value="–")
    def model_used(self, row: Transcription) -> str | None:
        return Truncator(row.model_name).chars(NAME_CHARACTERS // 2) if row.model_name else None

    @admin.display(description=_("progress"))
    def progress_percent(self, row: Transcription) -> str:
        return f"{row.progress:.0%}"

    @admin.display(description=_("warnings"), empty_value="–")
    def warned_of(self, row: Transcription) -> str:
        return "\n".join(warnings_in_words(row.warnings)) or "–"

    @admin.display(description=_("error message"))
    def what_went_wrong(self, row: Transcription) -> str:
        return error_message(row) if row.error_code else "–"

    @admin.display(description=_("length"), empty_value="–")
    def duration(self, row: Transcription) -> str | None:
        if row.duration_seconds is None:
            return None
        minutes, seconds = divmod(round(row.duration_seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}"

    @admin.display(description=_("chunks"))
    def chunks_link(self, row: Transcription) -> str:
        address = reverse("admin:transcription_chunk_changelist")
        return format_html(
            '<a href="{}?transcription__id__exact={}">{}</a>',
            address,
            row.pk,
            gettext("Show its chunks"),
        )

    @admin.action(description=_("Retry (failed or cancelled)"), permissions=["change"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Transcription]) -> None:
        self._for_each(request, queryset, change.retry, started_again)

    @admin.action(description=_("Cancel (keeps the text so far)"), permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Transcription]) -> None:
        self._for_each(request, queryset, change.cancel, cancelled)

    def _for_each(
        self,
        request: HttpRequest,
        rows: QuerySet[Transcription],
        do: Callable[[Transcription], None],
        done_words: Callable[[int], str],
    ) -> None:
        done, refused = 0, []
        for row in rows.defer(*HEAVY_FIELDS):
            try:
                do(row)
            except ServiceError as error:
                refused.append(gettext("%(name)s: %(why)s") % {"name": row, "why": error.words()})
            else:
                done += 1
        if done:
            self.message_user(request, done_words(done), messages.SUCCESS)
        if refused:
            words = ngettext(
                "%(count)d was left as it is: %(why)s",
                "%(count)d were left as they are: %(why)s",
                len(refused),
            )
            # The first few say what the trouble is; a page of them says no more.
            self.message_user(
                request,
                words % {"count": len(refused), "why": " | ".join(refused[:3])},
                messages.WARNING,
            )
