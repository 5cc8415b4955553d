"""Finds the processes of a running service and what each of them is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, kw_only=True)
class Victim:
    """A process that may be killed."""

    pid: int
    #: "web", "engine-0" or "chores".
    program: str
    #: "main", "sentinel", "worker", "monitor", "pusher" or "decoder".
    role: str
    #: Name of the running start of its program, as "engine-0@5f2a91c0".
    holder: str


def victims(launcher_pid: int, workers: dict[str, int]) -> list[Victim]:
    """Return every process below the launcher but those of a program that just starts.

    ``workers`` says how many workers each cluster has; a web process has no entry.
    """
    found: list[Victim] = []
    for main in psutil.Process(launcher_pid).children():
        # A process may end while we look at it: then its program is being started anew.
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            holder = main.environ().get("ASR_CLUSTER", "")
            program = holder.partition("@")[0]
            found.extend(
                Victim(pid=pid, program=program, role=role, holder=holder)
                for pid, role in _roles(main, workers.get(program, 0))
            )
    return found


def _roles(main: psutil.Process, workers: int) -> Iterator[tuple[int, str]]:
    if not workers:
        return iter([(main.pid, "main")])
    sentinel = main.children()[0]
    # django-q2 starts its workers, then the monitor, then the pusher.
    leaves = sorted(sentinel.children(), key=lambda leaf: (leaf.create_time(), leaf.pid))
    roles = ["worker"] * workers + ["monitor", "pusher"]
    if len(leaves) < len(roles):
        return iter([])
    decoders = [child.pid for leaf in leaves[:workers] for child in leaf.children()]
    return iter(
        [
            (main.pid, "main"),
            (sentinel.pid, "sentinel"),
            *((leaf.pid, role) for leaf, role in zip(leaves, roles, strict=True)),
            *((pid, "decoder") for pid in decoders),
        ]
    )


def processes_of(data_dir: str) -> list[int]:
    """Return every living process that was started for this data directory."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if (
                process.environ().get("ASR_DATA_DIR") == data_dir
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process.pid)
    return found
