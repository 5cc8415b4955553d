"""Finds the processes of a running service and what each of them is."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transcription.work.processes import all_processes


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


def victims(launcher_pid: int, workers: Mapping[str, int]) -> list[Victim]:
    """Return every process below the launcher but those of a program that just starts.

    ``workers`` says how many workers each cluster has; a web process has no entry.
    """
    children: dict[int, list[int]] = defaultdict(list)
    for process in all_processes():
        if not process.is_zombie:
            children[process.parent_pid].append(process.pid)
    found: list[Victim] = []
    for main in children[launcher_pid]:
        holder = variable_of(main, "ASR_CLUSTER")
        program = holder.partition("@")[0]
        if program:
            found.extend(
                Victim(pid=pid, program=program, role=role, holder=holder)
                for pid, role in _roles(main, workers.get(program, 0), children)
            )
    return found


def _roles(main: int, workers: int, children: Mapping[int, list[int]]) -> list[tuple[int, str]]:
    if not workers:
        return [(main, "main")]
    if len(children[main]) != 1:
        return []
    (sentinel,) = children[main]
    # django-q2 starts its workers, then the monitor, then the pusher.
    leaves = sorted(children[sentinel])
    roles = ["worker"] * workers + ["monitor", "pusher"]
    if len(leaves) != len(roles):
        return []
    return [
        (main, "main"),
        (sentinel, "sentinel"),
        *zip(leaves, roles, strict=True),
        *((pid, "decoder") for leaf in leaves[:workers] for pid in children[leaf]),
    ]


def variable_of(pid: int, name: str) -> str:
    """Return a variable of the environment in which a process was started; "": it has none."""
    # It may end while we look at it.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            key, _, value = line.partition(b"=")
            if key == name.encode():
                return value.decode()
    return ""


def processes_of(data_dir: str) -> list[int]:
    """Return every living process that was started for this data directory."""
    return [
        process.pid
        for process in all_processes()
        if not process.is_zombie and variable_of(process.pid, "ASR_DATA_DIR") == data_dir
    ]
