"""Every request has an id, and one line in the log when it is answered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from asr_project.logs import current_request_id, new_request_id, request_id

logger = logging.getLogger("ASRBackend")

HEADER = "X-Request-ID"
#: Logged as the status where nobody was there any more to be answered; nginx's number for it.
CLIENT_GONE = 499


class RequestLogMiddleware:
    """Gives every request its id, echoes it, and writes the line ``POST /path 200 2.34s``.

    The first of the middlewares. The time runs from the arrival of the request's head where the
    server tells (``web.body_limit``), so that it contains the transfer of the body.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        scope: dict[str, Any] = getattr(request, "scope", {})
        started = scope.get("asr.started", time.perf_counter())
        with request_id(new_request_id(request.headers.get(HEADER, ""))):
            response = self._get_response(request)
            response.headers[HEADER] = current_request_id()
            body = scope.get("asr.body")
            is_gone = body is not None and body.is_disconnected
            # The path alone: a query may hold what is nobody's business in a log. As it was sent,
            # so that no line break of a path starts a line of its own.
            path = _without_secrets(request.get_full_path().partition("?")[0], request)
            status = CLIENT_GONE if is_gone else response.status_code
            logger.info(
                "%s %s %d %.2fs",
                request.method,
                path,
                status,
                seconds := time.perf_counter() - started,
                extra={
                    # The same for programs that read logs.
                    "method": request.method,
                    "path": path,
                    "status": status,
                    "seconds": round(seconds, 4),
                },
            )
        return response


def _without_secrets(path: str, request: HttpRequest) -> str:
    """Return the path without the token that some links hold, as that of a new password."""
    match = request.resolver_match
    token = match.kwargs.get("token", "") if match else ""
    return path.replace(str(token), "…") if token else path
