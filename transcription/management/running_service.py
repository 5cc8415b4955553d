"""Starts ``manage.py serve`` as a child and waits until it serves: for the demo and for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from transcription.work.locks import ServeLock

_POLL_SECONDS = 0.05
_LAST_LINES = 15


class DidNotStartError(Exception):
    """The service ended, or was not ready in time."""


class RunningService:
    """A service of our own on a free port of the loopback. A context manager; it ends it, too.

    It dies with this process, whatever ends that.
    """

    def __init__(
        self,
        *,
        base_dir: Path,
        data_dir: Path,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        ready_seconds: float = 120.0,
    ) -> None:
        """``base_dir`` holds manage.py; all that the service prints is added to ``log_path``."""
        self._base_dir = base_dir
        self._lock = ServeLock(data_dir / "run")
        self._environment = {
            **os.environ,
            # Not those of a test that starts us, unless it asks for others.
            "DJANGO_SETTINGS_MODULE": "asr_project.settings",
            **(environment or {}),
            "ASR_DATA_DIR": str(data_dir),
        }
        self.log_path = log_path
        self._ready_seconds = ready_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """Process id of the launcher."""
        if self._process is None:
            raise DidNotStartError("The service was not started.")
        return self._process.pid

    def __enter__(self) -> RunningService:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until it is ready. Raises ``DidNotStartError``, with its last words."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    str(self._base_dir / "manage.py"),
                    *("serve", "--host", "127.0.0.1", "--port", "0"),
                    *("--parent", str(os.getpid())),
                ],
                env=self._environment,
                cwd=self._base_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us, who then stop it in order
            )
        deadline = time.monotonic() + self._ready_seconds
        while time.monotonic() < deadline:
            status = self._process.poll()
            if status is not None:
                raise DidNotStartError(
                    f"The service ended with status {status}. Its last words:\n{self.last_words()}"
                )
            served = self._lock.read()
            if served is not None and served.pid == self._process.pid and served.url:
                self.url = served.url
                return
            time.sleep(_POLL_SECONDS)
        raise DidNotStartError(
            f"The service was not ready within {self._ready_seconds:g} s. "
            f"Its last words:\n{self.last_words()}"
        )

    def wait(self, timeout_seconds: float = 60.0) -> int:
        """Wait for its end by itself; ``subprocess.TimeoutExpired`` if that does not come."""
        if self._process is None:
            raise DidNotStartError("The service was not started.")
        return self._process.wait(timeout_seconds)

    def stop(self, timeout_seconds: float = 60.0) -> int | None:
        """Stop in order, by force after the time; return the exit status, None: never started."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def last_words(self) -> str:
        """Return the end of what it printed."""
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:])
