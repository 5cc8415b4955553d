"""Servers on the loopback that receive messages, and answer as they are told."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request as it came."""

    path: str
    #: By their names in lower case.
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the receiver is to say."""

    status: int = 200
    body: bytes = b"thanks"
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Called before anything is said.
    first: Callable[[], Any] = lambda: None
    #: Pause after each byte of the body.
    drip_seconds: float = 0.0
    #: The same for the status line and the headers.
    head_drip_seconds: float = 0.0


class Receiver:
    """A context manager: a server that keeps what it was sent."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        #: Replies in their order; the last is kept for all that follow.
        self.replies: list[Reply] = [Reply()]
        self.over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._answer(self)

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *args: object) -> None:
                pass  # the other side hung up, which is what some tests are about

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self.port}{path}"

    def will(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        self.received.append(
            Received(
                path=handler.path,
                headers={name.lower(): value for name, value in handler.headers.items()},
                body=handler.rfile.read(length).decode(),
            )
        )
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        reply.first()
        fields = {"Content-Length": str(len(reply.body)), **reply.headers}
        head = f"HTTP/1.1 {reply.status} Words\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        self._write(handler, head.encode(), reply.head_drip_seconds)
        self._write(handler, reply.body, reply.drip_seconds)

    def _write(self, handler: BaseHTTPRequestHandler, content: bytes, pause: float) -> None:
        if not pause:
            handler.wfile.write(content)
            return
        for byte in content:
            handler.wfile.write(bytes([byte]))
            if self.over.wait(pause):
                return

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
