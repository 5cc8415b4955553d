"""The pulse of a worker: says that it lives, and notices what no bell would tell."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models.functions import Now

from transcription.models import Chunk, SpeechModel, Transcription, Worker
from transcription.services import bell
from transcription.work import upkeep
from transcription.work.couriers import call_couriers
from transcription.work.runtime import Runtime, runtime, this_cluster

logger = logging.getLogger(__name__)
Step = Transcription.Step

#: Rows that could be claimed wait while the worker is idle for so many ticks: no bell reaches it.
WEDGED_AFTER_TICKS = 6


def start(queue: str) -> None:
    """Start the ticker of this worker process; ``queue`` is "engine" or "chores"."""
    threading.Thread(target=_tick_for_ever, args=(queue,), name="ticker", daemon=True).start()


def on_worker_spawn(**_kwargs: Any) -> None:
    """Receive django-q's ``post_spawn``: it is sent in each new worker, before its first task.

    A receiver that raises would have the worker spawned again for ever, so what goes wrong is
    logged, and the worker works without a pulse.
    """
    try:
        start(bell.CHORES if this_cluster().startswith(bell.CHORES) else bell.ENGINE)
    except Exception:
        logger.exception("This worker has no ticker.")


def _tick_for_ever(queue: str) -> None:
    bell.wake(queue)  # what waited before this worker was there
    waiting_ticks = 0
    while True:
        try:
            waiting_ticks = tick(queue, runtime(), waiting_ticks)
        except DatabaseError as error:
            logger.warning("No heartbeat, since the database fails: %s", error)
        except Exception:
            logger.exception("A tick failed.")
        finally:
            connection.close()
        time.sleep(settings.TICK_SECONDS)


def tick(queue: str, here: Runtime, waiting_ticks: int) -> int:
    """Do what is due at every tick; return for how many ticks rows waited for an idle worker."""
    heartbeat(here)
    upkeep.release_leases()
    if queue == bell.CHORES:
        upkeep.finish_what_stands_still()
        upkeep.forget_dead_workers()
        # Here and not by the bell: the worker may be decoding for minutes, and a message whose
        # next try is due needs no more than a thread.
        call_couriers(here)
    if not work_waits(queue, here):
        return 0
    bell.wake(queue)
    if here.idle_seconds < settings.TICK_SECONDS:
        return 0
    if waiting_ticks + 1 > WEDGED_AFTER_TICKS:
        end_this_cluster()
    return waiting_ticks + 1


def heartbeat(here: Runtime) -> None:
    """Write the row of this worker."""
    Worker.objects.update_or_create(
        host=socket.gethostname(),
        pid=os.getpid(),
        cluster=this_cluster(),
        defaults={
            "heartbeat_at": Now(),
            "busy_with": here.keeper.held_rows,
            "loaded": [ready.as_row() for ready in here.engines.loaded()],
            "error": here.engines.errors(),
        },
    )


def work_waits(queue: str, here: Runtime) -> bool:
    """Return whether there is something that this worker could do at this moment."""
    if queue == bell.CHORES:
        return (
            Transcription.objects.claimable().filter(step__in=[Step.PREPARE, Step.FINISH]).exists()
        )
    generations = dict(SpeechModel.objects.values_list("name", "generation"))
    stale = any(
        generations.get(ready.name, ready.generation) != ready.generation
        for ready in here.engines.loaded()
    )
    failed = here.engines.failed_names()
    return stale or Chunk.objects.claimable().exclude(model_name__in=failed).exists()


def end_this_cluster() -> None:
    """Kill every process of this cluster; the launcher starts it anew.

    Rows wait and the bell rings, but no task reaches the worker: django-q's queue is stuck, as
    it is when a worker was killed while it held the queue's lock.
    """
    logger.critical("Work waits but no bell reaches this worker: ending its cluster.")
    logging.shutdown()
    os.killpg(os.getpgrp(), signal.SIGKILL)
