"""Log lines that can be followed from the request into the worker, in one file per process."""

from __future__ import annotations

import fcntl
import logging
import logging.handlers
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

_request_id: ContextVar[str] = ContextVar("asr_request_id", default="")
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


def new_request_id(offered: str = "") -> str:
    """Return the caller's id where it is harmless in a log line, else a fresh one."""
    return offered if _ACCEPTED_ID.match(offered) else uuid.uuid4().hex


def current_request_id() -> str:
    """Return the id of the request, or of the job's request, that this code works for; or ""."""
    return _request_id.get()


@contextmanager
def request_id(value: str) -> Iterator[None]:
    """Mark every log line written inside with this request id."""
    token = _request_id.set(value)
    try:
        yield
    finally:
        _request_id.reset(token)


class RequestIdFilter(logging.Filter):
    """Adds ``request_id`` and ``request_suffix`` (" [id]", or nothing) to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        # What a line was given by hand counts; ``extra`` puts it there.
        found = record.__dict__.setdefault("request_id", _request_id.get())
        record.__dict__["request_suffix"] = f" [{found}]" if found else ""
        return True


class ProcessFileHandler(logging.handlers.RotatingFileHandler):
    """A rotating file that no two processes share, since rotation by two loses lines.

    The file is opened at the first line, and again after a fork, under the first free name of
    ``ROLE.log``, ``ROLE.2.log``, ``ROLE.3.log``…; a lock held by the living process says which
    names are taken, so that restarts reuse them and their number stays bounded.
    """

    def __init__(self, directory: Path, role: str, maxBytes: int, backupCount: int) -> None:
        self._directory = Path(directory)
        self._role = role
        self._pid = 0
        self._lock_file: IO[str] | None = None
        super().__init__(
            self._directory / f"{role}.log",
            maxBytes=maxBytes,
            backupCount=backupCount,
            encoding="utf-8",
            delay=True,
        )

    def emit(self, record: logging.LogRecord) -> None:
        if self._pid != os.getpid():
            self._take_a_name()
        super().emit(record)

    def _take_a_name(self) -> None:
        if self.stream is not None:  # inherited through a fork: the parent's, not ours to write
            self.stream.close()
            self.stream = None
        if self._lock_file is not None:
            # Closing a lock inherited through fork does not release the parent's hold on it.
            self._lock_file.close()
        number = 1
        while True:
            name = f"{self._role}.log" if number == 1 else f"{self._role}.{number}.log"
            lock_file = (self._directory / f".{name}.lock").open("w", encoding="ascii")
            try:
                fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock_file.close()
                number += 1
                continue
            break
        self._lock_file = lock_file
        self.baseFilename = str(self._directory / name)
        self._pid = os.getpid()
