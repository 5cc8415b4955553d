"""Every request has an id, and one line in the log when it is answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from asr_project.logs import current_request_id, new_request_id, request_id

logger = logging.getLogger("ASRBackend")

HEADER = "X-Request-ID"
#: Logged as the status where nobody was there to be answered; nginx's number for it.
CLIENT_GONE = 499


@sync_and_async_middleware
def RequestLogMiddleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[..., Any]:
    """Give every request its id, echo it, and write the line ``POST /path 200 2.34s``.

    The first of the middlewares. The time runs from the arrival of the request's head where the
    server tells (``web.body_limit``), so that it contains the transfer of the body.
    """
    if iscoroutinefunction(get_response):

        async def log_async(request: HttpRequest) -> HttpResponseBase:
            started = _started(request)
            with request_id(_id_of(request)):
                try:
                    response: HttpResponseBase = await get_response(request)
                except asyncio.CancelledError:
                    _write_line(request, CLIENT_GONE, started)
                    raise
                return _finish(request, response, started)

        return log_async

    def log_sync(request: HttpRequest) -> HttpResponseBase:
        started = _started(request)
        with request_id(_id_of(request)):
            return _finish(request, get_response(request), started)

    return log_sync


def _started(request: HttpRequest) -> float:
    """Return when the request began, on the clock of ``time.perf_counter``."""
    scope: dict[str, Any] = getattr(request, "scope", {})
    started: float = scope.get("asr.started", time.perf_counter())
    return started


def _id_of(request: HttpRequest) -> str:
    return new_request_id(request.headers.get(HEADER, ""))


def _finish(request: HttpRequest, response: HttpResponseBase, started: float) -> HttpResponseBase:
    response.headers[HEADER] = current_request_id()
    _write_line(request, response.status_code, started)
    return response


def _write_line(request: HttpRequest, status: int, started: float) -> None:
    # The path alone: a query may hold what is nobody's business in a log. %-encoded, so that
    # no line break of a path starts a line of its own.
    path = request.get_full_path().partition("?")[0]
    logger.info("%s %s %d %.2fs", request.method, path, status, time.perf_counter() - started)
