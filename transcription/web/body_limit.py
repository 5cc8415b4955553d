"""How large a body may be, decided before it is written anywhere.

Django under ASGI takes in the whole body of any request, to whatever address, before a view is
asked. So this small application stands in front of it. It lets a large body in only where three
things meet: the address takes files, the caller is known, and the disk has room. It goes by the
declared length, and counts, since a length may be missing.

A refused body never reaches Django, but the request does, with an empty body and the reason in
``scope["asr.body"].refusal``: ``api.errors.RefusedBodyMiddleware`` answers it, so that the
answer has its language, its CORS headers, its request id and its line in the log. What the client
still sends is then read and dropped for a while: one that sends everything before it reads (most
libraries do) would otherwise meet a closed connection and never see the answer.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.urls import Resolver404, resolve

from transcription.services.errors import ServiceError
from transcription.web.credentials import KnownCallers

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)

#: How long the rest of a refused body is read and dropped: in all, and without a byte coming.
DRAIN_SECONDS = 30.0
DRAIN_IDLE_SECONDS = 2.0
#: The disk is looked at again after so many bytes of a body.
DISK_LOOK_BYTES = 32 * 1024 * 1024


class Address(Enum):
    """What is at an address, as far as bodies go."""

    TAKES_FILES = "takes files"
    TAKES_FILES_OF_ANYBODY = "takes files of anybody"
    KNOWN = "known"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The sizes that are set, in bytes."""

    #: Of a body with a recording, from somebody known.
    upload_bytes: int
    #: Of any other body from somebody known: forms, JSON.
    form_bytes: int
    #: Of a body with a recording from a stranger, where they are welcome.
    anonymous_upload_bytes: int
    #: Of any other body of a stranger, and of one that has lost its way.
    anonymous_bytes: int


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """How large the body of one request may be, and what it is told if it is larger."""

    limit_bytes: int
    error_code: str


def allowance(address: Address, *, known_caller: bool, limits: Limits) -> Allowance:
    """Decide how large a body may be."""
    if address is Address.UNKNOWN:
        return Allowance(limit_bytes=limits.anonymous_bytes, error_code="no_upload_here")
    if not known_caller:
        is_welcome = address is Address.TAKES_FILES_OF_ANYBODY
        return Allowance(
            limit_bytes=limits.anonymous_upload_bytes if is_welcome else limits.anonymous_bytes,
            error_code="body_too_large_without_token",
        )
    if address is not Address.KNOWN:
        return Allowance(limit_bytes=limits.upload_bytes, error_code="body_too_large")
    return Allowance(limit_bytes=limits.form_bytes, error_code="no_upload_here")


def has_room(*, free_bytes: int, coming_bytes: int, kept_free_bytes: int) -> bool:
    """Decide whether the disk takes a body of ``coming_bytes``.

    Twice its size is needed for a moment: Django's copy of the whole body, and the file in it.
    """
    return free_bytes - 2 * coming_bytes >= kept_free_bytes


def size_in_words(size_bytes: int) -> str:
    """Return a size as people read it: "64 KiB", "1.5 GiB"."""
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"


def address_of(path: str) -> Address:
    """Find out what is at a path; a view says ``takes_files = True`` where it takes files.

    It says ``allows_anonymous = True`` where it takes those of anybody if the setting agrees.
    """
    try:
        view = resolve(path).func
    except Resolver404:
        return Address.UNKNOWN
    view_class = getattr(view, "cls", view)
    # Of a view set the address of the list takes them, not those of single rows.
    is_single = getattr(view, "initkwargs", {}).get("detail", False)
    takes_files = getattr(view_class, "takes_files", False) and not is_single
    if takes_files and settings.ALLOW_ANONYMOUS and getattr(view_class, "allows_anonymous", False):
        return Address.TAKES_FILES_OF_ANYBODY
    return Address.TAKES_FILES if takes_files else Address.KNOWN


class RequestBody:
    """The body of one request on its way in; takes the place of the server's ``receive``.

    Also tells who is interested when the client is gone (``on_disconnect``).
    """

    def __init__(self, scope: Scope, receive: Receive, callers: KnownCallers) -> None:
        self._scope = scope
        self._receive = receive
        self._callers = callers
        self._limit = Allowance(
            limit_bytes=settings.MAX_ANONYMOUS_BODY_BYTES, error_code="body_too_large"
        )
        self._limit_is_final = False
        self._next_disk_look_bytes = DISK_LOOK_BYTES
        self._received_bytes = 0
        #: Whether the server has nothing more of this body.
        self._is_read = False
        #: Whether Django has been told that it has the whole body.
        self._is_handed_over = False
        #: Whether the client has left, so that nobody takes the answer.
        self.is_disconnected = False
        self._on_disconnect: list[Callable[[], None]] = []
        #: Why the body is not let in; None: it is.
        self.refusal: ServiceError | None = None

    async def check_declared(self) -> None:
        """Refuse by what the head of the request says, before anything is read."""
        headers = dict(self._scope["headers"])
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit():
            self.refusal = ServiceError("malformed_request")
        elif int(declared) or b"transfer-encoding" in headers:
            await self._let_in(int(declared), coming_bytes=int(declared))

    async def __call__(self) -> Message:
        """Return the next message for Django."""
        if self._is_handed_over:
            if self.refusal:
                # The rest of the body is not Django's to read: see drain(). It waits here for
                # a disconnection until it has answered.
                await asyncio.Event().wait()
            return self._note(await self._receive())
        if not self.refusal:
            message = self._note(await self._receive())
            if message["type"] == "http.disconnect":
                return message
            self._received_bytes += len(message.get("body", b""))
            await self._let_in(self._received_bytes, coming_bytes=0)
            if not self.refusal:
                self._is_handed_over = self._is_read
                return message
        self._is_handed_over = True
        return {"type": "http.request", "body": b"", "more_body": False}

    def refuse(self, error: ServiceError) -> None:
        """Let nothing more in."""
        self.refusal = self.refusal or error

    async def _let_in(self, size_bytes: int, *, coming_bytes: int) -> None:
        """Refuse the body if it may not have this size, or the disk has no room for the rest."""
        try:
            if size_bytes > self._limit.limit_bytes and not self._limit_is_final:
                await self._find_limit()
            if size_bytes > self._limit.limit_bytes:
                self.refuse(
                    ServiceError(
                        self._limit.error_code, limit=size_in_words(self._limit.limit_bytes)
                    )
                )
                return
        except DatabaseError:
            logger.exception("The caller of a large request cannot be looked up.")
            self.refuse(ServiceError("service_unavailable"))
            return
        if coming_bytes or size_bytes >= self._next_disk_look_bytes:
            self._next_disk_look_bytes = size_bytes + DISK_LOOK_BYTES
            self._look_at_disk(coming_bytes)

    async def _find_limit(self) -> None:
        address = address_of(self._scope["path"])
        known = address is not Address.UNKNOWN and await self._callers.knows(self._scope["headers"])
        self._limit = allowance(
            address,
            known_caller=known,
            limits=Limits(
                upload_bytes=settings.MAX_UPLOAD_BYTES,
                form_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
                anonymous_upload_bytes=settings.MAX_ANONYMOUS_UPLOAD_BYTES,
                anonymous_bytes=settings.MAX_ANONYMOUS_BODY_BYTES,
            ),
        )
        self._limit_is_final = True

    def _look_at_disk(self, coming_bytes: int) -> None:
        # Logging in must work on a full disk too, and a small body stays in memory.
        if address_of(self._scope["path"]) in (Address.KNOWN, Address.UNKNOWN):
            return
        free_bytes = shutil.disk_usage(settings.INCOMING_DIR).free
        if not has_room(
            free_bytes=free_bytes,
            coming_bytes=coming_bytes,
            kept_free_bytes=settings.MIN_FREE_DISK_BYTES,
        ):
            logger.error(
                "An upload is refused: %s are free, and %s are to stay so.",
                size_in_words(free_bytes),
                size_in_words(settings.MIN_FREE_DISK_BYTES),
            )
            self.refuse(ServiceError("storage_full"))

    # --- a client that leaves

    def on_disconnect(self, call: Callable[[], None]) -> None:
        """Have ``call`` called, in the event loop's thread, when the client is gone."""
        self._on_disconnect.append(call)
        # It may have gone between the last look and the line above.
        if self.is_disconnected:
            call()

    def _note(self, message: Message) -> Message:
        if message["type"] == "http.disconnect":
            self._is_read = self.is_disconnected = True
            for call in list(self._on_disconnect):
                call()
        elif not message.get("more_body", False):
            self._is_read = True
        return message

    # --- what a refused client still sends

    async def drain(self) -> None:
        """Read and drop what the client still sends of a refused body, within bounds."""
        end = time.monotonic() + DRAIN_SECONDS
        while not self._is_read and (left_seconds := end - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(min(DRAIN_IDLE_SECONDS, left_seconds)):
                    self._note(await self._receive())
            except TimeoutError:
                return


class BodyLimit:
    """The ASGI application in front of Django."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._callers = KnownCallers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        body = RequestBody(scope, receive, self._callers)
        started = time.perf_counter()
        await body.check_declared()
        await self._application(
            {**scope, "asr.body": body, "asr.started": started}, body, _Answer(body, send)
        )


async def _live(receive: Receive, send: Send) -> None:
    """Answer the server's start and end: everything here starts when it is first needed."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


class _Answer:
    """Sends the answer; a refused client gets the whole of it, then time to stop sending."""

    def __init__(self, body: RequestBody, send: Send) -> None:
        self._body = body
        self._send = send

    async def __call__(self, message: Message) -> None:
        if self._body.refusal is None:
            await self._send(message)
        elif message["type"] == "http.response.start":
            # The client learns from its length that the answer is complete, so the connection
            # can stay open behind it while the rest of the body is dropped.
            headers = [*message["headers"], (b"connection", b"close")]
            await self._send({**message, "headers": headers})
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._body.drain()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
