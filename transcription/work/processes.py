"""What the kernel says about processes: sessions, children, ends. Linux only."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Process:
    """One line of the process table."""

    pid: int
    parent_pid: int
    session_id: int
    #: Ended, and not yet waited for by its parent.
    is_zombie: bool


def all_processes() -> Iterator[Process]:
    """Yield every process that this one may see."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            # One that ended while we look is no longer there, which is all we want to know.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                yield _parse_stat((entry / "stat").read_bytes())


def _parse_stat(stat: bytes) -> Process:
    # The name in parentheses may itself hold spaces and parentheses: proc(5).
    pid, _, rest = stat.partition(b" ")
    state, parent_pid, _group, session_id = rest[rest.rindex(b")") + 2 :].split()[:4]
    return Process(
        pid=int(pid),
        parent_pid=int(parent_pid),
        session_id=int(session_id),
        is_zombie=state in {b"Z", b"X"},
    )


def kill_session(session_id: int) -> bool:
    """Send SIGKILL to every living process of the session; False: none lives.

    The caller's unreaped child must lead the session, so that its id is nobody else's.
    """
    killed = False
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session_id, signal.SIGKILL)
    # Members that made themselves a process group of their own.
    for process in all_processes():
        if process.session_id == session_id and not process.is_zombie:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
                killed = True
    return killed


def has_exited(child_pid: int) -> bool:
    """Whether this child ended. It is not waited for: its id stays taken."""
    return os.waitid(os.P_PID, child_pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def clear_orphans(known_children: set[int]) -> None:
    """Wait for every ended child that we did not start; end those that have not ended.

    They are what dead clusters leave: the launcher adopts them. As the first process of a
    container it also gets the orphans of strangers (``docker exec``), which are let be.
    """
    for process in all_processes():
        if process.parent_pid != os.getpid() or process.pid in known_children:
            continue
        if process.is_zombie:
            os.waitpid(process.pid, 0)
        elif os.getpid() != 1:
            os.kill(process.pid, signal.SIGKILL)


def in_words(status: int) -> str:
    """Return how a process ended, from the number that ``subprocess`` gives."""
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
