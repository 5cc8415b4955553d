"""``stream=true``: the text as it is recognised, by server-sent events.

Two types of events go out, ``transcript.text.delta`` and ``transcript.text.done``: the official
client misreads others. Comments keep the connection alive. An error after the beginning is an
event ``{"error": …}``, which the client raises.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from django.conf import settings

from transcription.api import sse
from transcription.api.live import text_so_far
from transcription.api.openai.answers import code_of_failure, usage_of
from transcription.api.openai.shape import error_body
from transcription.models import Transcription
from transcription.services.errors import error_message, message_of
from transcription.web.changes import Stopping, ask, changes_of


@dataclass(frozen=True, kw_only=True)
class _Look:
    #: The row when it is over.
    over: Transcription | None = None
    #: Its text up to the first stretch that is not recognised yet.
    text: str = ""


async def text_events(row_id: uuid.UUID) -> AsyncIterator[bytes]:
    """Yield the events of one transcription until it is over."""
    sent = ""
    try:
        async with changes_of(row_id) as changes:
            while True:
                seen = await changes.next(settings.KEEP_ALIVE_SECONDS)
                if seen is None:
                    yield sse.KEEP_ALIVE
                    continue
                if not seen.status:
                    yield _error("not_found", message_of("not_found"))
                    return
                look = await ask(_look, row_id, is_final=seen.is_final)
                if look.over is not None and look.over.status != Transcription.Status.COMPLETED:
                    yield _failure(look.over)
                    return
                text = look.over.text if look.over else look.text
                # What was sent cannot be taken back. Where the text has changed since (another
                # model was loaded, the finished text is polished) only the end tells all of it.
                if text.startswith(sent) and len(text) > len(sent):
                    yield sse.event({"type": "transcript.text.delta", "delta": text[len(sent) :]})
                    sent = text
                if look.over:
                    yield sse.event(
                        {
                            "type": "transcript.text.done",
                            "text": text,
                            "usage": usage_of(look.over),
                        }
                    )
                    return
    except Stopping:
        yield _error("service_unavailable", message_of("service_unavailable"))


def _look(row_id: uuid.UUID, *, is_final: bool) -> _Look:
    if is_final:
        return _Look(over=Transcription.objects.get(pk=row_id))
    return _Look(text=text_so_far(row_id))


def _failure(row: Transcription) -> bytes:
    if row.status == Transcription.Status.CANCELLED:
        return _error("cancelled", message_of("cancelled"))
    return _error(code_of_failure(row), error_message(row))


def _error(code: str, message: str) -> bytes:
    return sse.event(error_body(code, message))
