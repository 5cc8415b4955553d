"""The watcher for coroutines: what streams are made from. No thread is held while one waits."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from django.db import connection

from transcription.web.watcher import Seen, watcher

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Stopping(Exception):
    """The process is about to end, so nothing more will be told."""


class Changes:
    """What the watcher sees of one transcription; states that nobody took in time are skipped."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._latest: Seen | None = None
        self._stopping = False

    def put(self, seen: Seen) -> None:
        self._latest = seen
        self._news.set()

    def stop(self) -> None:
        self._stopping = True
        self._news.set()

    async def next(self, timeout_seconds: float) -> Seen | None:
        """Return the latest state once it is a new one; None: none came in this time.

        Raises ``Stopping``.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._news.wait()
        except TimeoutError:
            return None
        self._news.clear()
        if self._stopping:
            raise Stopping
        return self._latest


@asynccontextmanager
async def changes_of(row_id: uuid.UUID) -> AsyncIterator[Changes]:
    """Give the changes of a transcription to the running event loop."""
    loop = asyncio.get_running_loop()
    changes = Changes()
    subscription = watcher.subscribe(
        row_id,
        lambda seen: _hand_over(loop, lambda: changes.put(seen)),
        lambda: _hand_over(loop, changes.stop),
    )
    try:
        yield changes
    finally:
        subscription.cancel()


def _hand_over(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(call)


async def ask(question: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Ask the database something beside the event loop; the connection is given up at once."""

    def run() -> _R:
        try:
            return question(*args, **kwargs)
        finally:
            # The thread belongs to a pool that other things use too.
            connection.close()

    return await asyncio.to_thread(run)
