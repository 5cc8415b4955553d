"""The test's side of a toy launcher: starts it, reads what it says, waits for deaths."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOY_LAUNCHER = Path(__file__).with_name("toys") / "launcher.py"
PATIENCE_SECONDS = 20.0
ROLES = ("main", "sentinel", "worker", "monitor", "pusher")

Event = dict[str, Any]


def wait_for_death(pid: int, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Return when the process is gone; one that is nobody's child may already be."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([pidfd], [], [], patience_seconds)
        assert ready, f"process {pid} still lives after {patience_seconds:g} s"
    finally:
        os.close(pidfd)


class Launched:
    """A running toy launcher."""

    def __init__(self, run_dir: Path, wanted: Event) -> None:
        self.process = subprocess.Popen(
            # -S: the toys need no installed package, and start in half the time.
            [sys.executable, "-S", str(TOY_LAUNCHER), str(run_dir), json.dumps(wanted)],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        self.pid = self.process.pid
        self._unread = b""
        self._events: list[Event] = []

    def wait_for(self, event: str, count: int = 1, **details: Any) -> Event:
        """Take events until the wanted one was seen (so often); return the last of them."""
        return self.wait_for_all(event, count, **details)[-1]

    def wait_for_all(self, event: str, count: int = 1, **details: Any) -> list[Event]:
        wanted = {"event": event, **details}
        found: list[Event] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found) < count:
            for number, said in enumerate(self._events):
                if all(said.get(key) == value for key, value in wanted.items()):
                    found.append(self._events.pop(number))
                    break
            else:
                assert self._read(deadline - time.monotonic()), (
                    f"no {wanted} in time, but {self._events}"
                )
        return found

    def wait_for_words(self, words: str) -> Event:
        """Take log lines until one contains the words."""
        while True:
            said = self.wait_for("log")
            if words in said["words"]:
                return said

    def rest(self) -> list[Event]:
        """Everything that was said until the last process closed the pipe."""
        while self._read(PATIENCE_SECONDS):
            pass
        return self._events

    def _read(self, patience_seconds: float) -> bool:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, patience_seconds))
        if not ready:
            return False
        content = os.read(self.process.stdout.fileno(), 65536)
        *lines, self._unread = (self._unread + content).split(b"\n")
        self._events.extend(json.loads(line) for line in lines)
        return bool(content)

    def cluster_up(self, **details: Any) -> dict[str, int]:
        """Wait until a whole cluster said that it is up; return its processes by role."""
        first = self.wait_for("up", role="main", **details)
        cluster = first["cluster"]
        return {"main": first["pid"]} | {
            role: self.wait_for("up", role=role, cluster=cluster)["pid"] for role in ROLES[1:]
        }

    def stop(self) -> int:
        """Stop in order; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


@contextlib.contextmanager
def launched(run_dir: Path, programs: dict[str, str], **wanted: Any) -> Iterator[Launched]:
    """Run a toy launcher for as long as the block runs."""
    run_dir.mkdir(exist_ok=True)
    running = Launched(run_dir, {"programs": programs, **wanted})
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()  # and everything dies with it, which a test shows
        running.process.wait()
        assert running.process.stdout is not None
        running.process.stdout.close()
