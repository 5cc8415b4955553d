"""Every error leaves by this door: which one it is, and the shape that its address promises.

The transcribe route answers in the envelope ``{"code": number, "message": words, "data": null}``;
the addresses of OpenAI's API in the shape of theirs (``api.openai.shape``);
every other address in ``{"code": "stable_code", "message": words, "request_id": …}``, with
``errors`` (a list of ``field`` and ``message``) where single fields are at fault, and ``data``
where a program needs more than words (``review_conflict``).
"""

from __future__ import annotations

import errno
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core import exceptions as django_exceptions
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from asr_project.logs import current_request_id
from transcription.api.openai import shape as openai
from transcription.services.errors import ServiceError

logger = logging.getLogger(__name__)

#: Addresses that answer in the envelope, whatever happens.
ENVELOPE_PATHS = frozenset({"/api/v1/transcribe", "/api/v1/transcribe/"})
#: First parts of the paths that programs call: they never get a page for people.
API_ROOTS = frozenset({"api", "v1", "health", "metrics"})
#: An address for programs among those for people.
RELOAD_PATH = "/admin/reload-model"
#: When to try again after a failure of the database or the like.
UNAVAILABLE_RETRY_SECONDS = 5
#: Errors of the file system that mean: no room.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An error as it is about to be told."""

    error: ServiceError
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Name of the field and what is wrong with it, in the caller's language.
    fields: tuple[tuple[str, str], ...] = ()

    def body(self, path: str) -> dict[str, Any]:
        """Return the JSON body that the address ``path`` promises for errors."""
        if path in ENVELOPE_PATHS:
            return {"code": self.error.kind.number, "message": self.error.words(), "data": None}
        if openai.is_openai(path):
            return openai.error_body(
                self.error.code,
                self.error.words(),
                field=self.fields[0][0] if self.fields else "",
            )
        body: dict[str, Any] = {
            "code": self.error.code,
            "message": self.error.words(),
            "request_id": current_request_id(),
        }
        if self.fields:
            body["errors"] = [{"field": name, "message": words} for name, words in self.fields]
        if self.error.data is not None:
            body["data"] = self.error.data
        return body

    def headers_at(self, path: str) -> dict[str, str]:
        """Return the headers of the answer at the address ``path``."""
        extra = openai.error_headers(self.error.code) if openai.is_openai(path) else {}
        return {**self.headers, **extra}

    def response(self, request: HttpRequest) -> JsonResponse:
        """Return it as a plain Django response, for where the REST framework has no say."""
        return JsonResponse(
            self.body(request.path),
            status=self.error.kind.status,
            headers=self.headers_at(request.path),
            json_dumps_params={"ensure_ascii": False},
        )


def refusal_of(error: BaseException) -> Refusal | None:
    """Return what a caller is told of an exception; None where it is a mistake of ours."""
    match error:
        case ServiceError():
            return Refusal(error=error, headers=_headers_of(error))
        case exceptions.ValidationError():
            fields = tuple(_fields(error.detail))
            detail = "; ".join(f"{name}: {words}" if name else words for name, words in fields)
            return Refusal(error=ServiceError("invalid", detail=detail), fields=fields)
        case exceptions.Throttled():
            wait_seconds = max(1, math.ceil(getattr(error, "wait", None) or 1))
            return Refusal(
                error=ServiceError("rate_limited"), headers={"Retry-After": str(wait_seconds)}
            )
        case exceptions.MethodNotAllowed():
            return Refusal(error=ServiceError("method_not_allowed"))
        case OperationalError() | InterfaceError():
            return Refusal(
                error=ServiceError("service_unavailable"),
                headers={"Retry-After": str(UNAVAILABLE_RETRY_SECONDS)},
            )
        case django_exceptions.RequestDataTooBig():
            return Refusal(
                error=ServiceError(
                    "invalid",
                    detail=_(
                        "the fields beside the file are too large; "
                        "send the recording as a file, with a file name"
                    ),
                )
            )
        case OSError() if error.errno in NO_ROOM:
            return Refusal(error=ServiceError("storage_full"))
    for kind, code in _CODES:
        if isinstance(error, kind):
            return Refusal(error=ServiceError(code), headers=_headers_of(ServiceError(code)))
    return None


_CODES: list[tuple[type[BaseException], str]] = [
    (exceptions.NotAuthenticated, "authentication_required"),
    (exceptions.AuthenticationFailed, "invalid_token"),
    (exceptions.PermissionDenied, "permission_denied"),
    (django_exceptions.PermissionDenied, "permission_denied"),
    (exceptions.NotFound, "not_found"),
    (Http404, "not_found"),
    (exceptions.NotAcceptable, "not_acceptable"),
    (exceptions.UnsupportedMediaType, "unsupported_media_type"),
    (exceptions.ParseError, "malformed_request"),
    (UnreadablePostError, "malformed_request"),
    (django_exceptions.BadRequest, "malformed_request"),
    (django_exceptions.SuspiciousOperation, "malformed_request"),
]


def _headers_of(error: ServiceError) -> dict[str, str]:
    if (retry_after := error.details.get("retry_after")) is not None:
        return {"Retry-After": str(retry_after)}
    if error.kind.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="api"'}
    if error.kind.status == 503:
        return {"Retry-After": str(UNAVAILABLE_RETRY_SECONDS)}
    return {}


def _fields(detail: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Flatten the framework's nested lists and dictionaries of what is wrong."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            own = "" if key == "non_field_errors" else str(key)
            yield from _fields(inner, f"{name}.{own}" if name and own else name or own)
    elif isinstance(detail, (list, tuple)):
        for inner in detail:
            yield from _fields(inner, name)
    else:
        yield name, str(detail)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer for a view of the REST framework; None lets a mistake of ours become a 500."""
    refusal = refusal_of(error)
    if refusal is None:
        return None
    if refusal.error.kind.status >= 500:
        logger.error("Refused: %s", refusal.error, exc_info=error)
    return Response(
        refusal.body(context["request"].path),
        status=refusal.error.kind.status,
        headers=refusal.headers_at(context["request"].path),
    )


# --- where no view was reached, or it broke ---------------------------------------------------


def is_for_programs(request: HttpRequest) -> bool:
    """Whether the address belongs to the API, so that its errors are JSON."""
    root = request.path.lstrip("/").partition("/")[0]
    return root in API_ROOTS or request.path.rstrip("/") == RELOAD_PATH


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler400."""
    if not is_for_programs(request):
        return defaults.bad_request(request, exception)
    known = refusal_of(exception)
    return (known or Refusal(error=ServiceError("malformed_request"))).response(request)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler403."""
    if not is_for_programs(request):
        return defaults.permission_denied(request, exception)
    return Refusal(error=ServiceError("permission_denied")).response(request)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler404."""
    if not is_for_programs(request):
        return defaults.page_not_found(request, exception)
    return Refusal(error=ServiceError("not_found")).response(request)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's handler500; the exception is in the log already, under the same request id."""
    if not is_for_programs(request):
        return defaults.server_error(request)
    error = ServiceError("internal_error", request_id=current_request_id())
    return Refusal(error=error).response(request)


class RefusedBodyMiddleware:
    """Answers in place of the view where ``web.body_limit`` turned the request's body away.

    Its place among the middlewares, after those of languages and CORS, makes a refused request's
    answer like any other: in the caller's language, readable by a page of another origin,
    with its request id and its line in the log.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        body = getattr(request, "scope", {}).get("asr.body")
        if body is None or body.refusal is None:
            return self._get_response(request)
        error: ServiceError = body.refusal
        return Refusal(error=error, headers=_headers_of(error)).response(request)
