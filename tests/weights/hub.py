"""A hub on this machine: serves files from memory, with ranges, and with whatever faults."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hub:
    """What is served, how it fails, and what was asked for."""

    #: Path -> content.
    files: dict[str, bytes]
    url: str = ""
    #: Close the connection after so many bytes of a body, once for each entry.
    breaks: list[int] = field(default_factory=list)
    #: Answer so first, once for each entry.
    statuses: list[int] = field(default_factory=list)
    #: Path -> address that it is sent on to, as hubs do with large files.
    moved: dict[str, str] = field(default_factory=dict)
    knows_ranges: bool = True
    says_length: bool = True
    #: After so many bytes of a body, say nothing more and keep the connection open, once for each.
    stalls: list[int] = field(default_factory=list)
    #: Set when a body has stalled.
    stalled: threading.Event = field(default_factory=threading.Event)
    #: Ends the waiting of what has stalled.
    over: threading.Event = field(default_factory=threading.Event)
    #: (path, Range header or "") of every request.
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def running_hub(files: dict[str, bytes]) -> Iterator[Hub]:
    """A hub on a free port of the loopback."""
    hub = Hub(files=files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, hub)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(handler: BaseHTTPRequestHandler, hub: Hub) -> None:
    asked_range = handler.headers.get("Range", "")
    hub.asked.append((handler.path, asked_range))
    if hub.statuses:
        handler.send_error(hub.statuses.pop(0))
        return
    if handler.path in hub.moved:
        handler.send_response(302)
        handler.send_header("Location", hub.moved[handler.path])
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    content = hub.files.get(handler.path)
    if content is None:
        handler.send_error(404)
        return
    start = 0
    if asked_range and hub.knows_ranges:
        found = re.fullmatch(r"bytes=(\d+)-", asked_range)
        assert found, asked_range
        start = int(found[1])
        if start >= len(content):
            handler.send_error(416)
            return
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    else:
        handler.send_response(200)
    body = content[start:]
    if hub.says_length:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if hub.breaks:
        body = body[: hub.breaks.pop(0)]
    if hub.stalls and len(body) > hub.stalls[0]:
        handler.wfile.write(body[: hub.stalls.pop(0)])
        handler.wfile.flush()
        hub.stalled.set()
        hub.over.wait()
        handler.close_connection = True
        return
    handler.wfile.write(body)
    handler.close_connection = True
