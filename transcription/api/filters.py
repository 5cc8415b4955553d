"""What ``GET /api/v1/transcriptions/`` may be narrowed to, and in which order it lists."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.views import APIView

from transcription.api.search import searched
from transcription.models import Transcription
from transcription.services.errors import ServiceError
from transcription.text.languages import UnknownLanguage, normalise_code

#: Value of ``ordering`` -> the fields to order by. The pages follow an index either way.
ORDERINGS = {
    "-created_at": ("-created_at", "-id"),
    "created_at": ("created_at", "id"),
}


class MomentField(serializers.Field[Any, Any, Any, Any]):
    """A day (its beginning, in the service's time zone) or a moment, by ISO 8601."""

    def to_internal_value(self, data: str) -> datetime:
        try:
            # A "+" that was not escaped arrives as a blank.
            moment = parse_datetime(data.replace(" ", "+") if "T" in data else data)
            day = parse_date(data)
        except ValueError:
            moment = day = None  # well-formed, as 2026-02-30, and no day for all that
        if day is not None:
            moment = datetime.combine(day, time.min)
        if moment is None:
            raise serializers.ValidationError(
                _("Not a day or a moment. Write 2026-11-25 or 2026-11-25T08:30:00Z.")
            )
        return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


class ListQuery(serializers.Serializer[Any]):
    """The parameters of the list."""

    status = serializers.ListField(
        child=serializers.ChoiceField(choices=Transcription.Status.choices), required=False
    )
    language = serializers.CharField(required=False, max_length=40)
    model = serializers.CharField(required=False, max_length=100)
    owner = serializers.CharField(required=False, max_length=150)
    created_after = MomentField(required=False)
    created_before = MomentField(required=False)
    search = serializers.CharField(required=False, max_length=200)
    ordering = serializers.ChoiceField(choices=list(ORDERINGS), required=False)

    def validate_language(self, value: str) -> str:
        try:
            return normalise_code(value) or ""
        except UnknownLanguage as error:
            words = ServiceError("unknown_language", value=error.given).words()
            raise serializers.ValidationError(words) from error


class TranscriptionFilter(BaseFilterBackend):
    """Narrows by status, language, model, owner, time and words; raises a field's error.

    ``status`` may come several times, or with commas. Somebody else's name as the owner finds
    nothing for those who see only their own.
    """

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> QuerySet[Any]:
        given: dict[str, Any] = {
            name: value for name, value in request.query_params.dict().items() if value
        }
        if "status" in given:
            given["status"] = ",".join(request.query_params.getlist("status")).split(",")
        query = ListQuery(data=given)
        query.is_valid(raise_exception=True)
        wanted = query.validated_data
        for name, lookup in (
            ("status", "status__in"),
            ("language", "language"),
            ("model", "model_name"),
            ("owner", "owner__username"),
            ("created_after", "created_at__gte"),
            ("created_before", "created_at__lt"),
        ):
            if wanted.get(name):
                queryset = queryset.filter(**{lookup: wanted[name]})
        if wanted.get("search"):
            queryset = searched(
                queryset,
                wanted["search"],
                request,
                since=wanted.get("created_after"),
                until=wanted.get("created_before"),
            )
        return queryset
