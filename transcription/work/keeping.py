"""Keeps the leases of what this process works on, or ends the process.

A worker that cannot renew its leases must not go on: somebody else may already be doing the same
work. And native code that hangs (a driver, a decoder) cannot be interrupted from Python, so a
batch that runs far past its limit ends the process too; the launcher starts a new one.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from transcription.models import LeasedWork

logger = logging.getLogger(__name__)

#: Part of the lease after which a worker that could not renew it gives up.
GIVE_UP_AFTER = 0.8


@dataclass
class _Held:
    model: type[LeasedWork]
    tokens: list[uuid.UUID]
    renewed: float
    ends: float


def end_this_process(reason: str) -> None:
    """End this process at once, whatever native code is doing; the launcher starts another."""
    logger.critical("Ending this process: %s", reason)
    logging.shutdown()
    os.kill(os.getpid(), signal.SIGKILL)


class LeaseKeeper:
    """Renews leases from a thread of its own while work goes on."""

    def __init__(self) -> None:
        self._held: dict[int, _Held] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def holding(self, rows: Sequence[LeasedWork], *, limit_seconds: float) -> Iterator[None]:
        """Keep the leases of these rows (of one table) while the block runs.

        If it runs for longer than ``limit_seconds``, the process ends.
        """
        now = time.monotonic()
        held = _Held(
            model=type(rows[0]),
            tokens=sorted({row.lease_token for row in rows if row.lease_token}),
            renewed=now,
            ends=now + limit_seconds,
        )
        with self._lock:
            self._held[id(held)] = held
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._keep, name="lease-keeper", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._held[id(held)]

    @property
    def held_rows(self) -> int:
        """How many leases are held at this moment."""
        with self._lock:
            return sum(len(held.tokens) for held in self._held.values())

    def _keep(self) -> None:
        pause = min(1.0, settings.RENEW_SECONDS / 4)
        while True:
            time.sleep(pause)
            with self._lock:
                running = list(self._held.values())
            for held in running:
                self._keep_one(held)
            if running:
                connection.close()

    def _keep_one(self, held: _Held) -> None:
        now = time.monotonic()
        if now > held.ends:
            end_this_process("a piece of work ran past its limit.")
        if now - held.renewed < settings.RENEW_SECONDS:
            return
        try:
            held.model._default_manager.get_queryset().renew(  # type: ignore[attr-defined]
                held.tokens, settings.LEASE_SECONDS
            )
            held.renewed = now
        except DatabaseError as error:
            logger.warning("Leases could not be renewed, trying again: %s", error)
            if time.monotonic() - held.renewed > GIVE_UP_AFTER * settings.LEASE_SECONDS:
                end_this_process("its leases could not be renewed.")
