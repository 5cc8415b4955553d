"""Server-sent events, as the HTML standard writes them on the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from django.http import StreamingHttpResponse

#: A comment, which clients pass over. It goes out after ``settings.KEEP_ALIVE_SECONDS`` without
#: an event.
KEEP_ALIVE = b": keep-alive\n\n"


def event(data: Any, *, name: str = "", event_id: str = "") -> bytes:
    """Return one event. JSON has no line breaks of its own, so it is one line of data."""
    lines = []
    if event_id:
        lines.append(f"id: {event_id}")
    if name:
        lines.append(f"event: {name}")
    lines.append(f"data: {json.dumps(data, ensure_ascii=False)}")
    return ("\n".join(lines) + "\n\n").encode()


def stream(events: AsyncIterator[bytes]) -> StreamingHttpResponse:
    """Return the answer that sends these events as they come."""
    return StreamingHttpResponse(
        events,
        content_type="text/event-stream; charset=utf-8",
        headers={
            "Cache-Control": "no-store",
            # nginx would keep events back until its buffer is full.
            "X-Accel-Buffering": "no",
        },
    )
