"""``POST /api/v1/transcribe``: a recording in, its text out, in one request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import connections
from django.urls import reverse
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from transcription.api import rates
from transcription.api.authentication import RESULT_TOKEN_PARAMETER
from transcription.api.intake import accept
from transcription.models import ApiToken, Transcription
from transcription.services import browser_tokens
from transcription.services.errors import ERRORS, ServiceError, error_message, message_of
from transcription.web.watcher import wait_until_final

#: When to ask again for a result that took longer than the wait.
RETRY_AFTER_SECONDS = 5


class AlwaysJson(BaseContentNegotiation):
    """The envelope is JSON, whatever the Accept header says."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        media_type = request.content_type.partition(";")[0].strip().lower()
        return next((one for one in parsers if one.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class RecordingView(APIView):
    """A route that takes a recording and waits for its text; limited as such by ``api.rates``."""

    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJson
    http_method_names = ["post"]
    write_scope = ApiToken.Scope.TRANSCRIBE
    #: Read by ``web.body_limit``.
    takes_files = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if (request.method or "").lower() not in self.http_method_names:
            # Before the question of who asks: a wrong method is wrong for everybody.
            raise exceptions.MethodNotAllowed(request.method or "")
        super().initial(request, *args, **kwargs)

    def check_throttles(self, request: Request) -> None:
        wait_seconds = rates.count_caller(request)
        if wait_seconds is not None:
            raise exceptions.Throttled(wait_seconds)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
            wait_seconds = rates.count_stranger(self.request._request)
            if wait_seconds is not None:
                exc = exceptions.Throttled(wait_seconds)
        return super().handle_exception(exc)


class TranscribeView(RecordingView):
    """Waits for the result, up to ``SYNC_WAIT_SECONDS``; then 202 with the link to ask again."""

    parser_classes = [MultiPartParser]
    #: Where ASR_ALLOW_ANONYMOUS is set; read by ``web.body_limit`` too.
    allows_anonymous = True

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = accept(request)
        # Nobody else could use this thread's connection while it waits.
        connections.close_all()
        wait_until_final(
            row.pk, settings.SYNC_WAIT_SECONDS, on_give_up=when_the_client_leaves(request)
        )
        standing = Transcription.objects.filter(pk=row.pk).first()
        if standing is None:
            raise ServiceError("not_found")
        return answer(standing)


def when_the_client_leaves(request: Request) -> Callable[[Callable[[], None]], None] | None:
    """Return the way to be told that the client is gone; None where the server cannot tell."""
    body = getattr(request._request, "scope", {}).get("asr.body")
    return body.on_disconnect if body else None


def answer(row: Transcription) -> Response:
    """Return the envelope for a transcription as it stands; raises its error as ServiceError."""
    if row.status == Transcription.Status.COMPLETED:
        return Response({"code": 0, "message": "success", "data": result_of(row)})
    if row.status == Transcription.Status.CANCELLED:
        raise ServiceError("cancelled")
    if row.status == Transcription.Status.FAILED:
        kind = ERRORS.get(row.error_code, ERRORS["internal_error"])
        return Response(
            {"code": kind.number, "message": error_message(row), "data": None},
            status=kind.status,
        )
    kind = ERRORS["still_processing"]
    url = reverse("transcription-detail", args=[row.pk])
    if row.owner_id is None:
        # Nobody could read it otherwise.
        token = browser_tokens.create_for_result(row.pk)
        url = f"{url}?{urlencode({RESULT_TOKEN_PARAMETER: token})}"
    return Response(
        {
            "code": kind.number,
            "message": message_of(kind.code),
            "data": {
                "id": str(row.pk),
                "status": row.status,
                "progress": row.progress,
                "url": url,
            },
        },
        status=kind.status,
        headers={"Location": url, "Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def result_of(row: Transcription) -> dict[str, Any]:
    """Return the ``data`` of a completed transcription."""
    result = {
        "text": row.text,
        # No speech, no language.
        "language": row.language or None,
        "duration_sec": round(row.duration_seconds or 0.0, 3),
        "model": row.model_name,
        "id": str(row.pk),
    }
    if len(row.languages) > 1:
        result["languages"] = row.languages
    return result
