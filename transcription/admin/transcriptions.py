"""Transcriptions, as staff look after them."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator, format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from transcription.admin.common import CappedPaginator, moment_in_words, two_lines
from transcription.admin.review import ReviewPageMixin
from transcription.admin.transcription_actions import TranscriptionActions
from transcription.admin.transcription_filters import (
    REVIEW_WORDS,
    STATUS_WORDS,
    CreatedFilter,
    LanguageFilter,
    ModelFilter,
    ReviewFilter,
    StatusFilter,
)
from transcription.models import Transcription
from transcription.services import retention, search
from transcription.services.errors import error_message
from transcription.services.export import WITH_TEXT
from transcription.services.warnings import warnings_in_words
from transcription.templatetags.spans import age, clock

#: Longer ones would push the columns behind them out of a window of 1280 pixels.
NAME_CHARACTERS = 40


@admin.register(Transcription)
class TranscriptionAdmin(ReviewPageMixin, TranscriptionActions):
    """A list that stays quick at a million rows, and a page on which only the title is edited.

    Recordings come in by the API, where they are checked and made durable, so none is added
    here; and Django's own pages delete none, since its files would stay behind: an action does.
    """

    list_display = (
        "name",
        "state_of_work",
        "created",
        "length_and_speed",
        "model_and_language",
        "owner",
        "review_link",
    )
    list_filter = (StatusFilter, ReviewFilter, CreatedFilter, ModelFilter, LanguageFilter)
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
                    "kept",
                    ("review_state", "reviewed_by", "reviewed_at"),
                    "chunks_link",
                )
            },
        ),
        (
            _("Recording"),
            {
                "fields": (
                    "file_name",
                    "audio_kept",
                    ("content_type", "size_bytes"),
                    "sha256",
                    ("duration_seconds", "speech_seconds"),
                )
            },
        ),
        (
            _("Asked for"),
            {"fields": (("language_hint", "requested_model"), "prompt", "glossary")},
        ),
        (
            _("Result"),
            {"fields": (("language", "model_name", "routing_reason", "engine_seconds"), "text")},
        ),
    )

    class Media:
        css = {"all": ["transcription/admin/lists.css"]}

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
            rows = rows.defer(*Transcription.HEAVY_FIELDS)
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

    @admin.display(description=_("status, review"))
    def state_of_work(self, row: Transcription) -> str:
        status = STATUS_WORDS[Transcription.Status(row.status)]
        if row.status == row.Status.PROCESSING:
            return f"{status} {row.progress:.0%}"
        if row.status not in WITH_TEXT:
            return str(status)
        return two_lines(status, REVIEW_WORDS[Transcription.ReviewState(row.review_state)])

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, row: Transcription) -> str:
        when = timezone.localtime(row.created_at)
        ago = gettext("%(age)s ago") % {"age": age(row.created_at)}
        return two_lines(f"{when:%Y-%m-%d}", f"{when:%H:%M}, {ago}")

    @admin.display(description=_("model, language"), empty_value="–")
    def model_and_language(self, row: Transcription) -> str | None:
        model = Truncator(row.model_name).chars(NAME_CHARACTERS // 2) if row.model_name else ""
        return two_lines(model, row.language) if model or row.language else None

    @admin.display(description=_("progress"))
    def progress_percent(self, row: Transcription) -> str:
        return f"{row.progress:.0%}"

    @admin.display(description=_("warnings"), empty_value="–")
    def warned_of(self, row: Transcription) -> str:
        return "\n".join(warnings_in_words(row.warnings)) or "–"

    @admin.display(description=_("error message"))
    def what_went_wrong(self, row: Transcription) -> str:
        return error_message(row) if row.error_code else "–"

    @admin.display(description=_("length, speed"), empty_value="–")
    def length_and_speed(self, row: Transcription) -> str | None:
        """The second is seconds of audio for each second of the engine (RTFx)."""
        if row.duration_seconds is None:
            return None
        speed = row.duration_seconds / row.engine_seconds if row.engine_seconds else None
        return two_lines(clock(row.duration_seconds), f"{speed:.1f}×" if speed else "")

    @admin.display(description=_("audio"))
    def audio_kept(self, row: Transcription) -> str:
        if not row.audio.name:
            return gettext("deleted; the text is kept")
        end = retention.audio_kept_until(row)
        if end is None:
            return gettext("kept")
        return gettext("On %(date)s the audio is deleted.") % {"date": moment_in_words(end)}

    @admin.display(description=_("retention period"))
    def kept(self, row: Transcription) -> str:
        end = retention.kept_until(row)
        if end is None:
            return gettext("no end is set")
        return gettext("On %(date)s this transcription is deleted for good.") % {
            "date": moment_in_words(end)
        }

    @admin.display(description=_("chunks"))
    def chunks_link(self, row: Transcription) -> str:
        address = reverse("admin:transcription_chunk_changelist")
        return format_html(
            '<a href="{}?transcription__id__exact={}">{}</a>',
            address,
            row.pk,
            gettext("Show its chunks"),
        )
