"""Looks at the processes of a running service, by /proc."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process that the launcher started, directly or not."""

    pid: int
    #: From its environment: "web", "engine-0", "chores"; the sandbox of the decoder: "decoder".
    role: str


def children_of(pid: int) -> list[Child]:
    """Return all living processes below this one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8")
            except OSError:
                continue  # it ended while we looked
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    below = {pid}
    grown = True
    while grown:
        more = {one for one, parent in parents.items() if parent in below} - below
        below |= more
        grown = bool(more)
    return [Child(pid=one, role=_role(one)) for one in sorted(below - {pid})]


def _role(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return "gone"
    if b"decode_child" in command:
        return "decoder"
    for item in environment.split(b"\0"):
        if item.startswith(b"ASR_PROCESS_ROLE="):
            return item.partition(b"=")[2].decode()
    return "other"


def memory_bytes(pid: int) -> int:
    """Return the resident memory (VmRSS) of a process; 0 for one that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, by itself and by the kernel for it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class MemoryWatch:
    """Notes the peak memory of every process of a service, by role, while it runs."""

    def __init__(self, launcher_pid: int, *, every_seconds: float = 0.2) -> None:
        self._pid = launcher_pid
        self._every_seconds = every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        #: Role -> most bytes that any one process of it had.
        self.peaks: dict[str, int] = defaultdict(int)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            self.peaks["launcher"] = max(self.peaks["launcher"], memory_bytes(self._pid))
            for child in children_of(self._pid):
                self.peaks[child.role] = max(self.peaks[child.role], memory_bytes(child.pid))
            self._stop.wait(max(0.0, self._every_seconds - (time.monotonic() - started)))
