"""Threads of a chores worker that wait for other people's servers.

Sending a message is waiting, up to ten seconds of it; recordings must not wait with it. So the
worker's own thread goes on decoding, and a few threads beside it send. They are few, so that a
burst of messages costs little, and each looks for the next message itself until there is
none, so that nothing is handed over and nothing queues in this process: the rows are the queue.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from transcription.models import Delivery
from transcription.work.stopping import stop_requested

if TYPE_CHECKING:
    from transcription.work.runtime import Runtime

logger = logging.getLogger(__name__)


class Couriers:
    """Threads that call a function until it says that there is nothing left."""

    def __init__(self) -> None:
        self._threads: set[threading.Thread] = set()
        self._calls = 0
        self._changed = threading.Condition()

    def call(self, next_one: Callable[[], bool], *, limit: int) -> None:
        """See to it that somebody looks for messages; returns at once.

        One thread is added at each call, up to ``limit`` of them. ``next_one`` sends a message;
        False: there was none.
        """
        with self._changed:
            self._calls += 1
            if len(self._threads) >= limit:
                return
            # The end of the process waits for it: for one try at most, see ``stop_requested``.
            thread = threading.Thread(target=self._carry, args=(next_one,), name="courier")
            self._threads.add(thread)
        thread.start()

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until nobody is on the way; False: somebody still is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._threads, timeout_seconds)

    def _carry(self, next_one: Callable[[], bool]) -> None:
        try:
            going = True
            while going:
                with self._changed:
                    calls = self._calls
                while not stop_requested() and next_one():
                    pass
                # Who was called while he found nothing looks again: it may be about a new one.
                with self._changed:
                    going = calls != self._calls and not stop_requested()
                    if not going:
                        self._leave()
        except DatabaseError:
            # The rows are safe; the ticker calls again.
            logger.exception("The database fails; messages wait.")
        except Exception:
            logger.exception("A courier broke down; the ticker calls another.")
        finally:
            connections.close_all()
            with self._changed:
                self._leave()

    def _leave(self) -> None:
        self._threads.discard(threading.current_thread())
        self._changed.notify_all()


def call_couriers(runtime: Runtime) -> None:
    """Have a thread of this process send the messages that wait, if any do; returns at once."""
    if not Delivery.objects.claimable().exists():
        return
    # Imported with the first message: the engine's workers, which never send one, need neither
    # the library nor its memory.
    from transcription.work.deliver import deliver_next

    runtime.couriers.call(lambda: deliver_next(runtime), limit=settings.WEBHOOK_THREADS)
