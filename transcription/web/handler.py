"""Django's way into ASGI: the body where it belongs, and one thread for one request."""

from __future__ import annotations

import asyncio
import errno
import io
import tempfile
from collections.abc import Mapping
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from transcription.services.errors import ServiceError
from transcription.web.body_limit import Receive, RequestBody

#: Bodies up to this size stay in memory; there may be hundreds at once.
MEMORY_BYTES = 256 * 1024
#: Larger ones go to the disk in pieces of this size, beside the event loop.
PIECE_BYTES = 256 * 1024


class WebHandler(ASGIHandler):
    """Keeps the body of a request in a nameless file of ``INCOMING_DIR`` while it is worked on.

    Django itself puts it into the system's temporary folder, often memory or a small partition,
    and writes from the event loop, where a slow disk would hold up every other request.
    Nothing of a nameless file is left behind, not even by a crash.

    And middlewares and view run in one go in the request's thread. Django would go to and fro
    between the loop and that thread for each middleware: measured, twice the time of the
    processor. Views may be asynchronous all the same, and so may what a response streams.
    """

    def __init__(self) -> None:
        super(ASGIHandler, self).__init__()
        self.load_middleware(is_async=False)

    async def run_get_response(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await sync_to_async(self._respond)(request)
        return response

    def _respond(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        # For the signals that its closing sends, as Django's own handlers do.
        response._handler_class = self.__class__  # type: ignore[attr-defined]
        body = request.scope.get("asr.body")  # type: ignore[attr-defined]
        if body is not None and body.is_disconnected:
            # Nobody takes the answer, so nobody else would close it and what belongs to it.
            response.close()
        return response

    async def read_body(self, receive: Receive) -> Any:
        """Return the body, a binary file at its start; raises ``RequestAborted``."""
        spool = tempfile.SpooledTemporaryFile(  # noqa: SIM115  Django closes it
            max_size=MEMORY_BYTES, mode="w+b", dir=str(settings.INCOMING_DIR)
        )
        try:
            await _fill(spool, receive)
        except OSError as error:
            spool.close()
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not isinstance(
                receive, RequestBody
            ):
                raise
            receive.refuse(ServiceError("storage_full"))
            await receive()  # the end that the refusal puts to the body
            return io.BytesIO()
        except BaseException:
            spool.close()
            raise
        return spool

    def create_request(self, scope: Mapping[str, Any], body_file: IO[bytes]) -> Any:
        """Let Django know the length of a body that came without one; it would see none."""
        if not any(name == b"content-length" for name, _ in scope["headers"]):
            size = body_file.seek(0, io.SEEK_END)
            body_file.seek(0)
            length = (b"content-length", str(size).encode())
            scope = {**scope, "headers": [*scope["headers"], length]}
        return super().create_request(scope, body_file)


async def _fill(spool: tempfile.SpooledTemporaryFile[bytes], receive: Receive) -> None:
    waiting, size_bytes = bytearray(), 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestAborted
        waiting += message.get("body", b"")
        more = message.get("more_body", False)
        if waiting and (not more or len(waiting) >= PIECE_BYTES):
            piece, waiting = bytes(waiting), bytearray()
            size_bytes += len(piece)
            if size_bytes <= MEMORY_BYTES:
                spool.write(piece)
            else:
                await asyncio.to_thread(spool.write, piece)
    spool.seek(0)
