"""What one worker process holds between its tasks."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings

from transcription.engines.devices import DeviceMemory, memory_of
from transcription.models import Lease
from transcription.work.couriers import Couriers
from transcription.work.devices import device_lock, gpu_is_present
from transcription.work.engine_host import EngineHost
from transcription.work.keeping import LeaseKeeper
from transcription.work.stopping import stop_requested

#: Pause between two rounds of putting rows and disk in order.
UPKEEP_EVERY_SECONDS = 3600.0


def _lock_device() -> None:
    """Have this process be the only one that loads models onto its device.

    Raises ``LockTakenError`` when another process of the installation does not give it up.
    """
    device_lock(settings.DEVICE, run_dir=settings.RUN_DIR, give_up=stop_requested)


def _memory_for_models() -> DeviceMemory | None:
    """Return the memory of the device that this process loads models onto; None: unknown."""
    device: str = settings.DEVICE
    if device == "auto":
        device = "cuda:0" if gpu_is_present() else "cpu"
    return memory_of("cuda:0" if device == "cuda" else device)


@dataclass
class Runtime:
    """The state of this worker process; made at its first use, never inherited by a fork."""

    pid: int
    keeper: LeaseKeeper = field(default_factory=LeaseKeeper)
    couriers: Couriers = field(default_factory=Couriers)
    engines: EngineHost = field(
        default_factory=lambda: EngineHost(
            before_load=_lock_device, device_memory=_memory_for_models
        )
    )
    #: Owner -> the number of the turn in which he was last served.
    last_served: dict[object, int] = field(default_factory=dict)
    turn: int = 0
    #: Monotonic seconds; at first the past, so that a start clears what a crash left.
    last_upkeep: float = float("-inf")
    idle_since: float = field(default_factory=time.monotonic)
    _busy: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Mark the time in which this worker looks for rows and works on them."""
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                self.idle_since = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """Seconds since this worker last looked for work; 0 while it does."""
        with self._lock:
            return 0.0 if self._busy else time.monotonic() - self.idle_since

    @property
    def upkeep_is_due(self) -> bool:
        """Whether this worker has not put rows and disk in order for a while."""
        return time.monotonic() - self.last_upkeep > UPKEEP_EVERY_SECONDS

    def served(self, owners: set[object]) -> None:
        """Remember whose turn it was."""
        self.turn += 1
        for owner in owners:
            self.last_served[owner] = self.turn


_runtime: Runtime | None = None


def runtime() -> Runtime:
    """Return the state of this process."""
    global _runtime
    if _runtime is None or _runtime.pid != os.getpid():
        _runtime = Runtime(pid=os.getpid())
    return _runtime


def this_cluster() -> str:
    """Return the name under which this process holds leases.

    A process outside any cluster (a test, a command) has a name that no launcher releases.
    """
    return settings.CLUSTER or f"{socket.gethostname()}:{os.getpid()}"


def new_lease() -> Lease:
    """Return what a claim of this process writes."""
    return Lease(holder=this_cluster(), seconds=settings.LEASE_SECONDS)
