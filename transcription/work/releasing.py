"""Gives back the work of clusters that are gone, beside the launcher's main thread.

The database may be slow or down; the launcher must not wait for it. It need not: every start of a
cluster holds leases under a name of its own, so that its successor can run already.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from transcription.work.locks import Holders

logger = logging.getLogger(__name__)

_GONE_POLL_SECONDS = 0.05
_RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)


class Releaser:
    """Releases the leases of each name that it is given, as soon as its cluster is gone."""

    def __init__(self, holders: Holders, release: Callable[[str], int]) -> None:
        """``release`` gives back all leases under a name and returns how many; may raise."""
        self._holders = holders
        self._release = release
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="releaser", daemon=True)

    def start(self) -> None:
        """Start, with the names that an earlier launcher left."""
        self.give(self._holders.known())
        self._thread.start()

    def give(self, names: Iterable[str]) -> None:
        """Release the leases of these; returns at once."""
        with self._changed:
            self._due.update(dict.fromkeys(names, time.monotonic()))
            self._changed.notify_all()

    def close(self, timeout_seconds: float) -> list[str]:
        """End when all is released or the time is over; return the names that are left.

        They are kept on disk and released at the next start.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._due, timeout_seconds)
            self._closed = True
            self._changed.notify_all()
            return sorted(self._due)

    def _run(self) -> None:
        while (name := self._next()) is not None:
            pause_seconds = self._try(name)
            with self._changed:
                if pause_seconds is None:
                    del self._due[name]
                    self._failures.pop(name, None)
                else:
                    self._due[name] = time.monotonic() + pause_seconds
                self._changed.notify_all()

    def _next(self) -> str | None:
        """Wait for the next name whose time has come; None: closed."""
        with self._changed:
            while not self._closed:
                name = min(self._due, key=lambda name: self._due[name], default=None)
                if name is None:
                    self._changed.wait()
                    continue
                pause_seconds = self._due[name] - time.monotonic()
                if pause_seconds <= 0:
                    return name
                self._changed.wait(pause_seconds)
        return None

    def _try(self, name: str) -> float | None:
        """Release one; None: done, else the pause in seconds before the next try."""
        try:
            if not self._holders.is_gone(name):
                return _GONE_POLL_SECONDS
            count = self._release(name)
            self._holders.forget(name)
        except Exception as error:
            failures = self._failures[name] = self._failures.get(name, 0) + 1
            pause_seconds = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS)) - 1]
            logger.warning(
                "The work of %s could not be given back, trying again in %g s: %s",
                name,
                pause_seconds,
                error,
            )
            return pause_seconds
        if count:
            logger.info("%s is gone; interrupted pieces of work given back: %d", name, count)
        return None
