"""Sends a stored file, or the part of it that is asked for (RFC 9110, 13 and 14).

Django's FileResponse reads the whole file into memory under ASGI. Here it is read piece by piece,
beside the event loop, as fast as the client takes it.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header, http_date, parse_http_date_safe

#: So much of a file is in memory for each client.
PIECE_BYTES = 256 * 1024
#: Kinds of content that a browser may show by itself: it plays them, and runs nothing in them.
SHOWN_INLINE = ("audio/", "video/")
UNKNOWN_TYPE = "application/octet-stream"
#: A browser that shows the file by itself may play it, and nothing else.
CONTENT_SECURITY_POLICY = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox"

_ONE_RANGE = re.compile(r"bytes=\s*(\d*)-(\d*)\s*", re.ASCII | re.IGNORECASE)


class UnsatisfiableRange(Exception):
    """The range lies outside the file: 416."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """The bytes to send."""

    first: int
    #: One past the last.
    end: int


def requested_span(header: str, size_bytes: int) -> Span | None:
    """Return the part that a Range header asks for; None: the whole file.

    Several ranges at once, other units and what cannot be read are answered by the whole, as the
    RFC allows. Raises ``UnsatisfiableRange``.
    """
    found = _ONE_RANGE.fullmatch(header)
    if found is None or found.group(1, 2) == ("", ""):
        return None
    first, last = found.group(1, 2)
    # More digits than any file needs; int() would refuse thousands of them with an error.
    if max(len(first), len(last)) > 18:
        raise UnsatisfiableRange
    if not first:
        length = min(int(last), size_bytes)
        if length == 0:
            raise UnsatisfiableRange
        return Span(first=size_bytes - length, end=size_bytes)
    if last and int(last) < int(first):
        return None
    if int(first) >= size_bytes:
        raise UnsatisfiableRange
    return Span(first=int(first), end=min(int(last) + 1, size_bytes) if last else size_bytes)


def range_still_holds(if_range: str, *, etag: str, modified_seconds: int) -> bool:
    """Whether the file is the one that an If-Range header names, so that a part will fit.

    A weak tag never does; a date has to be the very one.
    """
    if not if_range:
        return True
    if if_range.startswith(('"', "W/")):
        return if_range == etag
    return parse_http_date_safe(if_range) == modified_seconds


def safe_content_type(content_type: str) -> str:
    """Return the type if a browser does no more with it than play it."""
    return content_type if content_type.startswith(SHOWN_INLINE) else UNKNOWN_TYPE


def send_file(
    request: HttpRequest,
    path: Path,
    *,
    content_type: str,
    file_name: str,
    etag: str,
    before_body: Callable[[], None] | None = None,
) -> HttpResponseBase:
    """Return the answer to a GET or HEAD for a file: 200, 206, 304, 412 or 416.

    ``etag`` is a strong one, in its quotes. ``before_body`` is called where something of the file
    is about to be sent, before its first byte is. Raises ``FileNotFoundError``.
    """
    file = path.open("rb", buffering=0)
    try:
        response = _answer(request, file, etag=etag, before_body=before_body)
    except BaseException:
        file.close()
        raise
    shown_type = safe_content_type(content_type)
    response.headers.setdefault("ETag", etag)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    if response.status_code in {200, 206}:
        response.headers["Content-Type"] = shown_type
        disposition = content_disposition_header(shown_type == UNKNOWN_TYPE, file_name)
        if disposition:
            response.headers["Content-Disposition"] = disposition
    return response


def _answer(
    request: HttpRequest, file: IO[bytes], *, etag: str, before_body: Callable[[], None] | None
) -> HttpResponseBase:
    """Return the answer; it closes the file, at once where it sends nothing of it."""
    status = os.fstat(file.fileno())
    size_bytes, modified_seconds = status.st_size, int(status.st_mtime)
    settled = get_conditional_response(request, etag=etag, last_modified=modified_seconds)
    if settled is not None:
        file.close()
        return settled
    span = None
    # A range means something to GET alone.
    if request.method == "GET" and range_still_holds(
        request.headers.get("If-Range", ""), etag=etag, modified_seconds=modified_seconds
    ):
        try:
            span = requested_span(request.headers.get("Range", ""), size_bytes)
        except UnsatisfiableRange:
            file.close()
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size_bytes}"})
    headers = {"Last-Modified": http_date(modified_seconds)}
    if span is not None:
        headers["Content-Range"] = f"bytes {span.first}-{span.end - 1}/{size_bytes}"
    sent = span or Span(first=0, end=size_bytes)
    headers["Content-Length"] = str(sent.end - sent.first)
    if request.method == "HEAD":
        file.close()
        return HttpResponse(headers=headers)
    if before_body is not None:
        before_body()
    pieces = AsyncPieces if isinstance(request, ASGIRequest) else SyncPieces
    return StreamingHttpResponse(
        pieces(file, sent),
        status=200 if span is None else 206,
        headers=headers,
    )


class Pieces:
    """The bytes of a span, piece by piece. Its file is closed with the response."""

    def __init__(self, file: IO[bytes], span: Span) -> None:
        self._file = file
        self._at = span.first
        self._end = span.end

    def close(self) -> None:
        self._file.close()

    def next(self) -> bytes:
        """Return the next piece; empty at the end, also where the file has become shorter."""
        if self._at >= self._end:
            return b""
        piece = os.pread(self._file.fileno(), min(PIECE_BYTES, self._end - self._at), self._at)
        self._at += len(piece)
        return piece


class AsyncPieces(Pieces):
    """For ASGI: each piece is read beside the event loop."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(self.next):
            yield piece


class SyncPieces(Pieces):
    """For WSGI."""

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.next():
            yield piece
