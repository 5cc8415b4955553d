"""The entry points of django-q: a bell rang, so look for work. They name no row."""

from __future__ import annotations

import logging
import time

from django.db import Error as DatabaseError

from transcription.services import bell
from transcription.work.chores import chore_next
from transcription.work.couriers import call_couriers
from transcription.work.prepare import stand_by
from transcription.work.recognise import recognise_next
from transcription.work.runtime import Runtime, runtime
from transcription.work.stopping import stop_requested
from transcription.work.waiting import preparation_under_way, warm_up

logger = logging.getLogger(__name__)

#: While a recording is being prepared, the engine looks this often instead of going to sleep.
LINGER_POLL_SECONDS = 0.01
#: It goes to sleep all the same after this: a slow decode rings the bell itself.
LINGER_SECONDS = 2.0
#: A look that finds work without end rings for the next one after this, and ends: a task that
#: ran for django-q's timeout (900 s) would be killed, and its cluster with it.
LOOK_SECONDS = 240.0


def look_for_speech() -> None:
    """Recognise whatever waits, finish what is complete, until nothing is left to do now."""
    here = runtime()
    with here.busy():
        warm_up(here)
        started = last_work = time.monotonic()
        while not stop_requested():
            if time.monotonic() - started > LOOK_SECONDS:
                bell.wake(bell.ENGINE)
                break
            if _one_piece(here):
                last_work = time.monotonic()
            elif time.monotonic() - last_work < LINGER_SECONDS and preparation_under_way():
                time.sleep(LINGER_POLL_SECONDS)
            else:
                break


def _one_piece(here: Runtime) -> bool:
    try:
        return recognise_next(here)
    except DatabaseError:
        # The rows are safe; the ticker rings again once the database answers.
        logger.exception("The database fails; looking again at the next bell.")
        return False


def look_for_chores() -> None:
    """Prepare and finish whatever waits, until nothing is left to do now.

    Messages are sent meanwhile, by other threads: this one must not wait for anybody.
    """
    here = runtime()
    with here.busy():
        call_couriers(here)
        stand_by()
        started = time.monotonic()
        while not stop_requested() and chore_next(here):
            if time.monotonic() - started > LOOK_SECONDS:
                bell.wake(bell.CHORES)
                break
            call_couriers(here)
