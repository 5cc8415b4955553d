"""``/api/v1/glossary/``: names and terms that the engine is told of."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from rest_framework import pagination, serializers, viewsets
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.request import Request

from transcription.models import GlossaryTerm
from transcription.services import glossary


class TermSerializer(serializers.ModelSerializer[GlossaryTerm]):
    """A term: the caller's own, or one for everybody."""

    # What a term may be is the service's to say, which has better words for it.
    term = serializers.CharField(
        help_text="A name or a term as it is to be written: one line, 100 characters."
    )
    language = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Not sent with recordings of another language_hint; '': sent with all.",
    )
    for_all = serializers.BooleanField(
        required=False,
        default=False,
        help_text="For everybody's recordings, which staff may say; fixed once it is entered.",
    )

    class Meta:
        model = GlossaryTerm
        fields = ["id", "term", "language", "note", "is_active", "for_all", "created_at"]
        read_only_fields = ["id", "created_at"]

    def to_representation(self, instance: GlossaryTerm) -> dict[str, Any]:
        instance.for_all = instance.owner_id is None  # type: ignore[attr-defined]
        return super().to_representation(instance)


class ListQuery(serializers.Serializer[Any]):
    """What the list may be narrowed to."""

    for_all = serializers.BooleanField(required=False, allow_null=True, default=None)


class NewestTerms(pagination.CursorPagination):
    """The newest first, as they go along with a recording."""

    ordering = "-id"
    page_size = 100


class GlossaryViewSet(viewsets.ModelViewSet[GlossaryTerm]):
    """The caller's own terms, to be changed, and those for everybody, which staff change."""

    serializer_class = TermSerializer
    pagination_class = NewestTerms
    parser_classes = [JSONParser, FormParser]
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    def get_queryset(self) -> QuerySet[GlossaryTerm]:
        rows = glossary.visible_to(_user(self.request))
        if self.action == "list":
            asked = ListQuery(data=self.request.query_params)
            asked.is_valid(raise_exception=True)
            if asked.validated_data["for_all"] is not None:
                rows = rows.filter(owner__isnull=asked.validated_data["for_all"])
        return rows

    def perform_create(self, serializer: serializers.BaseSerializer[GlossaryTerm]) -> None:
        values = dict(serializer.validated_data)
        user = _user(self.request)
        owner = None if values.pop("for_all") else user
        glossary.require_may_change(user, owner.pk if owner else None, "add")
        serializer.instance = glossary.create(owner, **values)

    def perform_update(self, serializer: serializers.BaseSerializer[GlossaryTerm]) -> None:
        assert serializer.instance is not None
        values = dict(serializer.validated_data)
        values.pop("for_all", None)
        glossary.require_may_change(_user(self.request), serializer.instance.owner_id)
        glossary.change(serializer.instance, **values)

    def perform_destroy(self, instance: GlossaryTerm) -> None:
        glossary.require_may_change(_user(self.request), instance.owner_id, "delete")
        instance.delete()


def _user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
