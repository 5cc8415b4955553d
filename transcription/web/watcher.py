"""Waiting for transcriptions: nobody who waits costs a query of his own.

While anyone waits, one thread of the process asks every 50 ms (20 ms for a few) for the state of
exactly the awaited rows, all of them in one query, and tells those who wait what has changed. Who
waits may be a plain thread (``wait_until_final``) or anything else (``watcher.subscribe``: an
event stream passes functions that hand what they are told to its event loop).

The ids are asked for, not "what changed since": a row that was committed late would slip through
a cursor of timestamps.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from django.db import Error as DatabaseError
from django.db import connection

from transcription.models import Transcription

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
#: The pause while only a few wait: the answer to a short clip is worth a query more.
FEW_POLL_SECONDS = 0.02
FEW = 8
#: Pause after an error of the database; what was broken is often broken for longer.
ERROR_PAUSE_SECONDS = 1.0
#: Parameters of one query; every database takes more than this.
IDS_PER_QUERY = 500


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the watcher sees of a transcription."""

    #: One of ``Transcription.Status``; "" when the row is gone.
    status: str
    #: How far into the recording it is recognised.
    processed_seconds: float

    @property
    def is_final(self) -> bool:
        """Whether nothing more is to be expected: over, or gone."""
        return not self.status or self.status in Transcription.FINAL


GONE = Seen(status="", processed_seconds=0.0)


class Subscription:
    """One who wants to know of one transcription; ends with ``cancel``."""

    def __init__(
        self,
        owner: Watcher,
        row_id: uuid.UUID,
        on_change: Callable[[Seen], None],
        on_stop: Callable[[], None],
    ) -> None:
        self.row_id = row_id
        self._owner = owner
        self._on_change = on_change
        self._on_stop = on_stop
        self._last: Seen | None = None

    def cancel(self) -> None:
        """Stop being told. May be called twice, and from any thread."""
        self._owner._remove(self)

    def tell(self, seen: Seen) -> None:
        """Pass the state on if it is new to this one; its errors are its own."""
        if seen != self._last:
            self._last = seen
            self._call(lambda: self._on_change(seen))

    def tell_stop(self) -> None:
        """Tell this one that the process is about to end, and end the subscription."""
        self.cancel()
        self._call(self._on_stop)

    def _call(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            # One waiter's mistake must not keep the others waiting.
            logger.exception("A waiter for %s broke; it is told nothing more.", self.row_id)
            self.cancel()


class Watcher:
    """The one thread that asks; it lives only while there is someone to ask for."""

    def __init__(self) -> None:
        self._is_stopping: Callable[[], bool] = lambda: False
        self._reset()
        # The thread does not live on in a forked child, and the lock may be held for ever.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[uuid.UUID, list[Subscription]] = {}
        self._thread: threading.Thread | None = None
        self._alarm = threading.Event()

    def stop_when(self, is_stopping: Callable[[], bool]) -> None:
        """Have everybody who waits told to leave once ``is_stopping()`` says so."""
        self._is_stopping = is_stopping

    def subscribe(
        self,
        row_id: uuid.UUID,
        on_change: Callable[[Seen], None],
        on_stop: Callable[[], None],
    ) -> Subscription:
        """Have ``on_change`` called, in the watcher's thread, with the state and each change.

        The first call comes within a poll. ``on_stop`` is called instead, and nothing after it,
        when the process is about to end. Both must return quickly.
        """
        subscription = Subscription(self, row_id, on_change, on_stop)
        with self._lock:
            self._wanted.setdefault(row_id, []).append(subscription)
            if self._thread is None:
                self._alarm = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._alarm,), name="watcher", daemon=True
                )
                self._thread.start()
        return subscription

    def _remove(self, subscription: Subscription) -> None:
        with self._lock:
            waiting = self._wanted.get(subscription.row_id, [])
            if subscription in waiting:
                waiting.remove(subscription)
                if not waiting:
                    del self._wanted[subscription.row_id]
            if not self._wanted:
                self._alarm.set()  # the thread need not sleep out its pause

    def _run(self, alarm: threading.Event) -> None:
        failing = False
        try:
            while True:
                with self._lock:
                    if not self._wanted:
                        self._thread = None
                        return
                    # Somebody may have come after the alarm had rung for the last one's leaving.
                    alarm.clear()
                    ids = list(self._wanted)
                    everyone = [one for waiting in self._wanted.values() for one in waiting]
                if self._is_stopping():
                    for subscription in everyone:
                        subscription.tell_stop()
                    continue
                failing = not self._look(ids, failing=failing)
                alarm.wait(ERROR_PAUSE_SECONDS if failing else pause_seconds(len(ids)))
        except Exception:
            logger.exception("The watcher broke; the next who waits starts a new one.")
            with self._lock:
                self._thread = None
        finally:
            connection.close()

    def _look(self, ids: list[uuid.UUID], *, failing: bool) -> bool:
        """Ask once and tell; return whether the database answered."""
        try:
            found = seen_now(ids)
        except DatabaseError:
            if not failing:
                logger.exception("The waiters' rows cannot be read; trying on.")
            connection.close()
            return False
        if failing:
            logger.info("The waiters' rows can be read again.")
        for row_id in ids:
            with self._lock:
                waiting = list(self._wanted.get(row_id, []))
            for subscription in waiting:
                subscription.tell(found.get(row_id, GONE))
        return True


def pause_seconds(awaited: int) -> float:
    """Return the pause between two queries while so many rows are awaited."""
    return FEW_POLL_SECONDS if awaited <= FEW else POLL_SECONDS


def seen_now(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Seen]:
    """Return the state of those of the rows that are there: one query for every 500."""
    found = {}
    for some in _batches(ids, IDS_PER_QUERY):
        for row_id, status, processed_seconds in (
            Transcription.objects.filter(pk__in=some)
            .order_by()
            .values_list("pk", "status", "processed_seconds")
        ):
            found[row_id] = Seen(status=status, processed_seconds=processed_seconds)
    return found


def _batches(ids: Iterable[uuid.UUID], size: int) -> Iterator[list[uuid.UUID]]:
    left = iter(ids)
    while some := list(islice(left, size)):
        yield some


#: The watcher of this process.
watcher = Watcher()


class Waiting:
    """A thread's wait for the end of one transcription."""

    def __init__(self, enough: Callable[[Seen], bool]) -> None:
        self._enough = enough
        self._wake = threading.Event()
        self._is_final = False

    def saw(self, seen: Seen) -> None:
        if seen.is_final or self._enough(seen):
            self._is_final = seen.is_final
            self._wake.set()

    def give_up(self) -> None:
        """End the wait without a result; may be called from any thread."""
        self._wake.set()

    def wait(self, timeout_seconds: float) -> bool:
        self._wake.wait(timeout_seconds)
        return self._is_final


def wait_until_final(
    row_id: uuid.UUID,
    timeout_seconds: float,
    *,
    on_give_up: Callable[[Callable[[], None]], None] | None = None,
    enough: Callable[[Seen], bool] = lambda seen: False,
) -> bool:
    """Block this thread until the transcription is over; False: it was not, when the time or
    the process came to its end.

    True too when the row is gone: nothing is left to wait for. The caller closes its database
    connection first, since nobody else may use it meanwhile. ``on_give_up`` is given a function
    that ends the wait early, for a caller who learns that nobody wants the answer any more.
    ``enough`` ends it early by what is seen.
    """
    waiting = Waiting(enough)
    if on_give_up is not None:
        on_give_up(waiting.give_up)
    subscription = watcher.subscribe(row_id, waiting.saw, waiting.give_up)
    try:
        return waiting.wait(timeout_seconds)
    finally:
        subscription.cancel()
