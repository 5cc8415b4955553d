"""What the list of transcriptions is narrowed by: each has an index in the order of the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from transcription.models import SpeechModel, Transcription
from transcription.services.language_names import language_name

FROM, TO = "created_from", "created_to"


class CreatedFilter(admin.ListFilter):
    """A span of days: a range of the index, where a hierarchy of dates reads every row."""

    title = _("created")
    field = "created_at"
    template = "admin/transcription/created_filter.html"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in (FROM, TO):
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]

    @staticmethod
    def bounds(parameters: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
        """Return the first moment and the first one that is over; None: no bound, or no day."""
        first, last = (_day(parameters.get(name)) for name in (FROM, TO))
        return (
            None if first is None else _midnight(first),
            None if last is None or last == date.max else _midnight(last + timedelta(days=1)),
        )

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [FROM, TO]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        since, until = self.bounds(self.used_parameters)
        if since is not None:
            queryset = queryset.filter(**{f"{self.field}__gte": since})
        if until is not None:
            queryset = queryset.filter(**{f"{self.field}__lt": until})
        return queryset

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        today = timezone.localdate()
        chosen = {name: _day(self.used_parameters.get(name)) for name in (FROM, TO)}
        for words, first in (
            (_("Any date"), None),
            (_("Today"), today),
            (_("Past 7 days"), today - timedelta(days=6)),
            (_("Past 30 days"), today - timedelta(days=29)),
        ):
            link = {FROM: str(first)} if first else {}
            yield {
                "selected": chosen == {FROM: first, TO: None},
                "query_string": changelist.get_query_string(link, [FROM, TO]),
                "display": words,
            }
        # The form below the links: its two fields, and what else the list is narrowed by.
        yield {
            "form": {name: value.isoformat() if value else "" for name, value in chosen.items()},
            "others": [
                (name, value)
                for name, value in changelist.params.items()
                if name not in {FROM, TO, "p"}
            ],
        }


#: Statuses and states in words.
STATUS_WORDS = {
    Transcription.Status.QUEUED: _("Queued"),
    Transcription.Status.PROCESSING: _("Processing"),
    Transcription.Status.COMPLETED: _("Completed"),
    Transcription.Status.FAILED: _("Failed"),
    Transcription.Status.CANCELLED: _("Cancelled"),
}
REVIEW_WORDS = {
    Transcription.ReviewState.UNREVIEWED: _("needs review"),
    Transcription.ReviewState.IN_REVIEW: _("in review"),
    Transcription.ReviewState.APPROVED: _("approved"),
}


class StatusFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(str(status), words) for status, words in STATUS_WORDS.items()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Transcription]
    ) -> QuerySet[Transcription]:
        return queryset.filter(status=self.value()) if self.value() else queryset


class ReviewFilter(admin.SimpleListFilter):
    """Of the completed ones: how far their review is."""

    title = _("review")
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(str(state), words) for state, words in REVIEW_WORDS.items()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Transcription]
    ) -> QuerySet[Transcription]:
        if not self.value():
            return queryset
        return queryset.filter(review_state=self.value(), status=Transcription.Status.COMPLETED)


class ModelFilter(admin.SimpleListFilter):
    """By the name that the row keeps."""

    title = _("model")
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, name) for name in SpeechModel.objects.values_list("name", flat=True)]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Transcription]
    ) -> QuerySet[Transcription]:
        return queryset.filter(model_name=self.value()) if self.value() else queryset


class LanguageFilter(admin.SimpleListFilter):
    """By the language that most of the speech is in."""

    title = _("language")
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return sorted(
            ((code, language_name(code)) for code in languages_in_use()),
            key=lambda one: one[1],
        )

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Transcription]
    ) -> QuerySet[Transcription]:
        return queryset.filter(language=self.value()) if self.value() else queryset


def languages_in_use() -> list[str]:
    """Return the codes of the languages of all rows, by as many look-ups in the index.

    Neither database jumps from one value to the next by itself: DISTINCT reads the whole index.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE found(code) AS ("
            " SELECT MIN(language) FROM transcription_transcription WHERE language > ''"
            " UNION ALL"
            " SELECT (SELECT MIN(language) FROM transcription_transcription"
            "  WHERE language > found.code) FROM found WHERE found.code IS NOT NULL"
            ") SELECT code FROM found WHERE code IS NOT NULL"
        )
        return [code for [code] in cursor.fetchall()]


def _day(value: object) -> date | None:
    try:
        return parse_date(str(value or ""))
    except ValueError:
        return None  # well-formed, as 2026-02-30, and no day for all that


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
