"""``/api/v1/transcriptions/``: jobs that are made now and asked for later."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema_field
from rest_framework import mixins, pagination, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.utils.urls import replace_query_param

from transcription.api import sse
from transcription.api.authentication import actor_of, visible_to
from transcription.api.downloads import download
from transcription.api.events import transcription_events
from transcription.api.filters import ORDERINGS, TranscriptionFilter
from transcription.api.intake import SubmissionSerializer, accept
from transcription.api.transcribe import AlwaysJson, when_the_client_leaves
from transcription.models import ApiToken, Transcription
from transcription.services import audit, change, retention
from transcription.services.errors import error_message
from transcription.services.export import file_name
from transcription.services.peaks import read_peaks
from transcription.services.reading import content_of, segments_from
from transcription.services.remove import remove, remove_audio
from transcription.web.ranges import send_file
from transcription.web.watcher import wait_until_final

#: Addresses below a transcription that its detail links to.
LINKED = ("audio", "download", "events", "peaks", "segments")


class ProblemSerializer(serializers.Serializer[Any]):
    """What went wrong."""

    code = serializers.CharField()
    message = serializers.CharField()


class TranscriptionSerializer(serializers.ModelSerializer[Transcription]):
    """A transcription without its heavy fields, as lists show it."""

    url = serializers.HyperlinkedIdentityField(view_name="transcription-detail")
    owner = serializers.CharField(
        source="owner.username", default=None, read_only=True, allow_null=True
    )
    progress = serializers.FloatField(read_only=True)
    language = serializers.SerializerMethodField()
    model = serializers.SerializerMethodField()
    warnings = serializers.ListField(child=serializers.CharField(), read_only=True)
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
            "review_state",
            "revision",
            "created_at",
            "started_at",
            "completed_at",
        ]
        read_only_fields = fields

    def get_language(self, row: Transcription) -> str | None:
        return row.language or None

    def get_model(self, row: Transcription) -> str | None:
        return row.model_name or None

    @extend_schema_field(ProblemSerializer(allow_null=True))
    def get_error(self, row: Transcription) -> dict[str, str] | None:
        if not row.error_code:
            return None
        return {"code": row.error_code, "message": error_message(row)}


class TranscriptionDetailSerializer(TranscriptionSerializer):
    """A transcription with its text and segments, as far as they are there."""

    routing_reason = serializers.SerializerMethodField()
    audio_kept_until = serializers.SerializerMethodField(
        help_text="When the recording is deleted by itself; null: never, or it is not over yet, "
        "or its audio is gone."
    )
    kept_until = serializers.SerializerMethodField(
        help_text="When the transcription is deleted by itself, its text too; null: never, or it "
        "is not over yet."
    )

    class Meta(TranscriptionSerializer.Meta):
        fields = [
            *TranscriptionSerializer.Meta.fields,
            "routing_reason",
            "size_bytes",
            "content_type",
            "language_hint",
            "prompt",
            "requested_model",
            "polish",
            "languages",
            "want_words",
            "engine_seconds",
            "audio_kept_until",
            "kept_until",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_audio_kept_until(self, row: Transcription) -> str | None:
        return _shown_time(retention.audio_kept_until(row))

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_kept_until(self, row: Transcription) -> str | None:
        return _shown_time(retention.kept_until(row))

    def get_routing_reason(self, row: Transcription) -> str | None:
        """Why this model: one of ``Transcription.RoutingReason``; null until it is chosen."""
        return row.routing_reason or None

    def to_representation(self, instance: Transcription) -> dict[str, Any]:
        shown = super().to_representation(instance)
        content = content_of(instance)
        shown["text"] = content.text
        shown["segments"] = content.segments
        shown["links"] = {
            "self": shown["url"],
            "list": reverse("transcription-list", request=self.context.get("request")),
            **{name: f"{shown['url']}{name}/" for name in LINKED},
            # Deleted, and the text kept.
            **({} if instance.audio.name else {"audio": None, "peaks": None}),
        }
        return shown


def _shown_time(moment: datetime | None) -> str | None:
    """Return a time as all fields show one."""
    return None if moment is None else str(serializers.DateTimeField().to_representation(moment))


class ChangeSerializer(serializers.Serializer[Any]):
    """What may be changed of a transcription."""

    title = serializers.CharField(required=False, allow_blank=True, max_length=200)
    language_hint = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=40,
        help_text="Only before the work begins. Empty or auto: detected.",
    )


class WaitSerializer(serializers.Serializer[Any]):
    """How long a request that makes a transcription waits for it."""

    wait = serializers.FloatField(required=False, min_value=0)


class SegmentQuery(serializers.Serializer[Any]):
    """Which of the segments are asked for."""

    start = serializers.IntegerField(default=0, min_value=0, max_value=10_000_000)
    page_size = serializers.IntegerField(default=100, min_value=1, max_value=1000)


class NewestFirst(pagination.CursorPagination):
    """Pages that cost the same however far one reads, and that nothing slips between."""

    ordering = ("-created_at", "-id")
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        # Its value was looked at by the filter.
        return ORDERINGS.get(request.query_params.get("ordering", ""), self.ordering)


class TranscriptionViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Transcription]
):
    """The caller's transcriptions; staff see everybody's."""

    serializer_class = TranscriptionSerializer
    pagination_class = NewestFirst
    filter_backends = [TranscriptionFilter]
    parser_classes = [MultiPartParser, JSONParser, FormParser]
    write_scope = ApiToken.Scope.TRANSCRIBE
    throttle_scope = "uploads"
    #: Read by ``web.body_limit``.
    takes_files = True

    def get_queryset(self) -> QuerySet[Transcription]:
        rows = visible_to(self.request, Transcription.objects.select_related("owner"))
        if self.action not in {"retrieve", "partial_update", "download"}:
            rows = rows.defer(*Transcription.HEAVY_FIELDS)
        return rows

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # The parameters of one transcription's addresses are others.
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        if self.action == "create":
            return SubmissionSerializer
        if self.action == "partial_update":
            return ChangeSerializer
        if self.action == "retrieve":
            return TranscriptionDetailSerializer
        return TranscriptionSerializer

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Accept a recording and answer at once: 202, with the address of the result.

        ``?wait=30`` waits so many seconds for the result (``SYNC_WAIT_SECONDS`` at most): 201
        with all of it where it is there by then.
        """
        query = WaitSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        row = accept(request)
        if wait_seconds := query.validated_data.get("wait"):
            # Nobody else could use this thread's connection while it waits.
            connections.close_all()
            is_over = wait_until_final(
                row.pk,
                min(wait_seconds, settings.SYNC_WAIT_SECONDS),
                on_give_up=when_the_client_leaves(request),
            )
            standing = self.get_queryset().filter(pk=row.pk).first()
            if standing is None:
                raise Http404
            if is_over:
                return self._shown(
                    standing, TranscriptionDetailSerializer, status=status.HTTP_201_CREATED
                )
            row = standing
        return self._shown(row, TranscriptionSerializer, status=status.HTTP_202_ACCEPTED)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the title, or the language hint before the work begins."""
        row = self.get_object()
        fields = ChangeSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        # First what may be refused, so that a refused request changes nothing.
        if "language_hint" in fields.validated_data:
            change.change_language_hint(row, fields.validated_data["language_hint"])
        if "title" in fields.validated_data:
            change.rename(row, fields.validated_data["title"])
        return self._shown(row, TranscriptionDetailSerializer)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete the recording and all that was made of it, for good."""
        remove(self.get_object(), actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Stop the work and keep what is there."""
        row = self.get_object()
        change.cancel(row)
        return self._shown(row, TranscriptionSerializer)

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Start a failed or cancelled transcription again."""
        row = self.get_object()
        change.retry(row)
        return self._shown(row, TranscriptionSerializer, status=status.HTTP_202_ACCEPTED)

    @action(detail=True, methods=["get", "delete"], content_negotiation_class=AlwaysJson)
    def audio(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send the recording as it was sent in, or the range of it that is asked for.

        DELETE deletes the recording of a transcription that is over, and keeps its text.
        """
        row = self.get_object()
        if request.method == "DELETE":
            remove_audio(row, actor_of(request))
            return Response(status=status.HTTP_204_NO_CONTENT)
        if not row.audio.name:
            raise Http404
        path = Path(row.audio.path)
        try:
            return send_file(
                request._request,
                path,
                content_type=row.content_type,
                file_name=file_name(row, path.suffix.lstrip(".")),
                etag=f'"{row.sha256 or row.pk}"',
                before_body=partial(audit.note_heard, row, actor_of(request))
                if audit.is_anothers(row, request.user)
                else None,
            )
        except FileNotFoundError as error:
            raise Http404 from error

    @action(detail=True)
    def peaks(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Send what the recording's waveform is drawn from."""
        row = self.get_object()
        return Response(asdict(read_peaks(row.pk, row.duration_seconds)))

    @action(detail=True)
    def segments(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the segments by their index: from ``start`` on, ``page_size`` of them."""
        row = self.get_object()
        query = SegmentQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        start, size = query.validated_data["start"], query.validated_data["page_size"]
        # One more than is shown tells whether another page follows.
        found = segments_from(row, start, size + 1)
        here = request.build_absolute_uri()

        def at(index: int) -> str:
            return replace_query_param(here, "start", str(index))

        return Response(
            {
                "next": at(start + size) if len(found) > size else None,
                "previous": at(max(start - size, 0)) if start else None,
                "results": found[:size],
            }
        )

    @action(detail=True, content_negotiation_class=AlwaysJson)
    def download(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send the transcript as a file: ``?format=txt|srt|vtt|tsv|json|docx``."""
        row, format_name = self.get_object(), request.query_params.get("format", "")
        return download(
            row, format_name, by=None if request.method == "HEAD" else actor_of(request)
        )

    @action(detail=True, content_negotiation_class=AlwaysJson)
    def events(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send progress and segments as server-sent events: see ``api.events``."""
        row = self.get_object()
        return sse.stream(
            transcription_events(
                row.pk,
                last_event_id=request.headers.get("Last-Event-ID", ""),
                language=get_language() or settings.LANGUAGE_CODE,
                url=reverse("transcription-detail", args=[row.pk], request=request),
            )
        )

    def _shown(
        self,
        row: Transcription,
        serializer: type[TranscriptionSerializer],
        *,
        status: int = status.HTTP_200_OK,
    ) -> Response:
        shown = serializer(row, context=self.get_serializer_context()).data
        headers = {"Location": shown["url"]} if status in {201, 202} else None
        return Response(shown, status=status, headers=headers)
