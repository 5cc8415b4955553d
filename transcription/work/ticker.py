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

from transcription.models import Chunk, Transcription, Worker
from transcription.services import bell, retention
from transcription.services.queue import is_paused
from transcription.work import upkeep
from transcription.work.couriers import call_couriers
from transcription.work.runtime import Runtime, runtime, this_cluster
from transcription.work.waiting import look_after_models

logger = logging.getLogger(__name__)
Step = Transcription.Step

#: Rows that could be claimed wait while the worker is idle for so many ticks: no bell reaches it.
WEDGED_AFTER_TICKS = 6
#: A model that has been loading for longer will not come.
LOAD_LIMIT_SECONDS = 1_800.0


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
    next_tick = time.monotonic()
    while True:
        here = runtime()
        try:
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + settings.TICK_SECONDS
                waiting_ticks = tick(queue, here, waiting_ticks)
            else:
                # A model came or went: whoever asked for it waits to see it, and so do its rows.
                look_around(queue, here)
        except DatabaseError as error:
            logger.warning("No heartbeat, since the database fails: %s", error)
        except Exception:
            logger.exception("A tick failed.")
        finally:
            connection.close()
        here.engines.changed.wait(max(0.0, next_tick - time.monotonic()))


def tick(queue: str, here: Runtime, waiting_ticks: int) -> int:
    """Do what is due at every tick; return for how many ticks rows waited for an idle worker."""
    upkeep.release_leases()
    if queue == bell.CHORES:
        upkeep.finish_what_stands_still()
        upkeep.forget_dead_workers()
        # Here and not by the bell: the worker may be decoding for minutes, and a message whose
        # next try is due needs no more than a thread.
        call_couriers(here)
    waits = look_around(queue, here)
    if queue == bell.CHORES:
        # Last, since it may take its time; and not by the bell: a quiet service has none.
        retention.remove_due(most_seconds=settings.TICK_SECONDS)
        if here.upkeep_is_due:
            bell.wake(queue)
    load = here.engines.loading
    if load is not None and time.monotonic() - load.since > LOAD_LIMIT_SECONDS:
        end_this_cluster(f"{load.recipe.name} has been loading for too long")
    if not waits:
        return 0
    if load is not None:
        # What waits may be waiting for that.
        return 0
    if here.idle_seconds < settings.TICK_SECONDS:
        return 0
    if waiting_ticks + 1 > WEDGED_AFTER_TICKS:
        end_this_cluster("work waits but no bell reaches this worker")
    return waiting_ticks + 1


def look_around(queue: str, here: Runtime) -> bool:
    """Follow the rows of the models, report, and ring if work waits; return whether it does."""
    # Before the rows are read, so that what changes meanwhile is looked at again.
    here.engines.changed.clear()
    if queue == bell.ENGINE:
        look_after_models(here)
    heartbeat(here)
    if not work_waits(queue, here):
        return False
    bell.wake(queue)
    return True


def heartbeat(here: Runtime) -> None:
    """Write the row of this worker."""
    Worker.objects.update_or_create(
        host=socket.gethostname(),
        pid=os.getpid(),
        cluster=this_cluster(),
        defaults={
            "heartbeat_at": Now(),
            "busy_with": here.keeper.held_rows,
            **here.engines.report(),
        },
    )


def work_waits(queue: str, here: Runtime) -> bool:
    """Return whether there is something that this worker could do at this moment.

    In a paused queue that is to finish what is recognised, and no more: nothing is wedged.
    """
    paused = is_paused()
    if queue == bell.CHORES:
        steps = [Step.FINISH] if paused else [Step.PREPARE, Step.FINISH]
        return Transcription.objects.claimable().filter(step__in=steps).exists()
    if paused:
        return False
    failed = here.engines.failed_names()
    return Chunk.objects.claimable().exclude(model_name__in=failed).exists()


def end_this_cluster(why: str) -> None:
    """Kill every process of this cluster; the launcher starts it anew.

    Either rows wait and the bell rings, but no task reaches the worker: django-q's queue is
    stuck, as it is when a worker was killed while it held the queue's lock. Or native code that
    loads a model hangs, which nothing else could end.
    """
    logger.critical("Ending this cluster: %s.", why)
    logging.shutdown()
    os.killpg(os.getpgrp(), signal.SIGKILL)
