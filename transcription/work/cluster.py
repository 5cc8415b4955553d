"""Runs one cluster of django-q2: the main process, which tells its sentinel when to stop.

In place of ``django_q.cluster.Cluster``, because that repairs itself (it replaces what died, and
waits for ever if a worker died with a lock in its hand), and because its signal handler works
on events that the interrupted code may be holding. Here the handler writes one byte.
"""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import uuid
from types import FrameType
from typing import Any

from django.db import connections
from django_q.cluster import Sentinel
from django_q.conf import Conf
from django_q.signals import post_spawn

from transcription.work import stopping
from transcription.work.lifeline import Inherited, Tie

logger = logging.getLogger(__name__)

#: Exit status of a sentinel that found one of its processes dead.
_FOUND_DEAD = 3


class CrashOnlySentinel(Sentinel):
    """A sentinel that says whom it starts, and ends where django-q2's would repair."""

    def __init__(self, tie: Tie, *args: Any) -> None:
        self._tie = tie
        super().__init__(*args)  # returns when the cluster has stopped

    def spawn_process(self, target: Any, *args: Any) -> Any:
        """Start a worker, monitor or pusher, introduced to the launcher by that name."""
        with self._tie.forking(target.__name__):
            return super().spawn_process(target, *args)

    def reincarnate(self, process: Any) -> None:
        """End this cluster: the others die with it, and the launcher starts a whole one.

        Also where a task ran past django-q2's timeout: its own way, a second worker beside the
        first, would put a second model onto the GPU.
        """
        logger.error("Process %s of this cluster died; ending the cluster.", process.pid)
        logging.shutdown()
        os._exit(_FOUND_DEAD)


def _start_ticker(**details: Any) -> None:
    # Imported here, in the new worker: the main process forks, and stays small.
    from transcription.work.ticker import on_worker_spawn

    on_worker_spawn(**details)


def run_cluster(inherited: Inherited | None) -> int:
    """Run the cluster that ``Q_CLUSTER_NAME`` names until SIGTERM or SIGINT; return its status.

    0: it stopped when it was told to. Otherwise a process of it died. Must be called in the main
    thread of a process that has no others, since it forks. Raises ``lifeline.LifelineError``.
    """
    tie = Tie.hold(inherited)
    told, teller = os.pipe()
    os.set_blocking(teller, False)

    def on_signal(number: int, frame: FrameType | None) -> None:
        os.write(teller, b"\0")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    post_spawn.connect(_start_ticker, dispatch_uid="transcription.work.ticker")
    connections.close_all()  # a connection must not be shared with a fork
    context = multiprocessing.get_context("fork")
    stop_event, start_event = context.Event(), context.Event()
    sentinel = context.Process(
        target=CrashOnlySentinel,
        name=f"sentinel of {Conf.CLUSTER_NAME}",
        args=(tie, stop_event, start_event, uuid.uuid4(), None, Conf.TIMEOUT),
    )
    sentinel.start()
    ready = multiprocessing.connection.wait([sentinel.sentinel, told])
    if told in ready:
        tie.leave()
        stopping.request_stop()
        stop_event.set()
    sentinel.join()
    # In a fork that a signal ended, the number is negative.
    return 0 if sentinel.exitcode == 0 else _FOUND_DEAD
