"""``/api/v1/transcriptions/``: jobs that are made now and asked for later."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import mixins, pagination, serializers, status, viewsets
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from transcription.api.authentication import visible_to
from transcription.api.intake import SubmissionSerializer, accept
from transcription.api.partial import content_of
from transcription.api.transcribe import error_message
from transcription.models import ApiToken, Transcription


class TranscriptionSerializer(serializers.ModelSerializer[Transcription]):
    """A transcription without its heavy fields, as lists show it."""

    url = serializers.HyperlinkedIdentityField(view_name="transcription-detail")
    owner = serializers.CharField(source="owner.username", default=None, read_only=True)
    progress = serializers.FloatField(read_only=True)
    language = serializers.SerializerMethodField()
    model = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()

    class Meta:
        model = Transcription
        fields = [
            "id",
            "url",
            "owner",
            "title",
            "file_name",
            "status",
            "progress",
            "language",
            "duration_seconds",
            "model",
            "warnings",
            "error",
            "created_at",
            "started_at",
            "completed_at",
        ]
        read_only_fields = fields

    def get_language(self, row: Transcription) -> str | None:
        return row.language or None

    def get_model(self, row: Transcription) -> str | None:
        return row.model_name or None

    def get_error(self, row: Transcription) -> dict[str, str] | None:
        if not row.error_code:
            return None
        return {"code": row.error_code, "message": error_message(row)}


class TranscriptionDetailSerializer(TranscriptionSerializer):
    """A transcription with its text and segments, as far as they are there."""

    class Meta(TranscriptionSerializer.Meta):
        fields = [
            *TranscriptionSerializer.Meta.fields,
            "size_bytes",
            "content_type",
            "language_hint",
            "prompt",
            "requested_model",
            "polish",
            "languages",
            "engine_seconds",
        ]
        read_only_fields = fields

    def to_representation(self, instance: Transcription) -> dict[str, Any]:
        shown = super().to_representation(instance)
        content = content_of(instance)
        shown["text"] = content.text
        shown["segments"] = content.segments
        shown["links"] = {
            "self": shown["url"],
            "list": reverse("transcription-list", request=self.context.get("request")),
        }
        return shown


class NewestFirst(pagination.CursorPagination):
    """Pages that cost the same however far one reads, and that nothing slips between."""

    ordering = ("-created_at", "-id")
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100


class TranscriptionViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Transcription]
):
    """The caller's transcriptions; staff see everybody's."""

    serializer_class = TranscriptionSerializer
    pagination_class = NewestFirst
    parser_classes = [MultiPartParser]
    write_scope = ApiToken.Scope.TRANSCRIBE
    throttle_scope = "uploads"
    #: Read by ``web.body_limit``.
    takes_files = True

    def get_queryset(self) -> QuerySet[Transcription]:
        rows = visible_to(self.request, Transcription.objects.select_related("owner"))
        if self.action == "list":
            rows = rows.defer("text", "prompt")
        return rows

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        if self.action == "create":
            return SubmissionSerializer
        if self.action == "retrieve":
            return TranscriptionDetailSerializer
        return TranscriptionSerializer

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Accept a recording and answer at once: 202, with the address of the result."""
        row = accept(request)
        shown = TranscriptionSerializer(row, context=self.get_serializer_context()).data
        return Response(shown, status=status.HTTP_202_ACCEPTED, headers={"Location": shown["url"]})
