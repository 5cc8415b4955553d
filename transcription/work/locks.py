"""Locks between processes: flock on files, so that a death of any kind releases them."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.05
_TRIES = 5


class LockTakenError(OSError):
    """Somebody else holds the lock."""


def open_and_lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock of the file, or None: somebody else does."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A file that was removed between the two calls is nobody's lock: look again.
            if _is_at(fd, path):
                return fd
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a running service says about itself."""

    pid: int
    #: As "http://127.0.0.1:8000"; empty while it starts.
    url: str


class ServeLock:
    """The right to serve a data directory. One launcher has it."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / "serve.lock"
        self._fd: int | None = None

    def take(self) -> None:
        """Take the lock for the life of this process. Raises ``LockTakenError``, in words."""
        for _ in range(_TRIES):  # a reader may hold it for an instant, see ``read``
            self._fd = open_and_lock(self._path)
            if self._fd is not None:
                break
            time.sleep(_POLL_SECONDS)
        else:
            served = self.read()
            raise LockTakenError(
                f"The data directory {self._path.parent.parent} is served already"
                f"{f' by process {served.pid}' if served else ''}"
                f"{f' on {served.url}' if served and served.url else ''}. "
                "Stop that one, or set ASR_DATA_DIR to another directory."
            )
        self.announce("")

    def announce(self, url: str) -> None:
        """Say where the service is reached; for the holder of the lock."""
        if self._fd is None:
            raise LockTakenError("Only the holder of the lock can announce its address.")
        text = json.dumps({"pid": os.getpid(), "url": url}).encode()
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text, 0)

    def read(self) -> Served | None:
        """Return who holds the lock; None: nobody, or not said yet."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            said = os.pread(fd, 4096, 0)
        else:
            return None  # a text without a holder is of one that is gone
        finally:
            os.close(fd)
        try:
            values = json.loads(said)
            return Served(pid=int(values["pid"]), url=str(values["url"]))
        except (ValueError, KeyError, TypeError):
            return None

    def release(self) -> None:
        """Give the lock back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


@dataclass(frozen=True, kw_only=True)
class Holder:
    """One start of one cluster, as it appears in the leases that it holds."""

    #: As "engine-0@5f2a91c0": no two starts, and no two hosts, share a name.
    name: str
    #: Descriptor of the lock; every process of the cluster inherits it.
    fd: int


class Holders:
    """The starts of clusters whose leases are not released yet, one locked file each.

    Every process of a cluster inherits the lock of its file, so that a lock that can be had means
    that all of them are gone, also to a launcher that did not start them. The file is removed
    when the leases are released; what a killed launcher leaves, the next one finds.
    """

    def __init__(self, run_dir: Path) -> None:
        self._directory = run_dir / "holders"
        self._directory.mkdir(mode=0o700, exist_ok=True)

    def new(self, cluster: str) -> Holder:
        """Make the file of a fresh start and lock it."""
        name = f"{cluster}@{secrets.token_hex(4)}"
        fd = open_and_lock(self._directory / name)
        if fd is None:
            raise LockTakenError(f"The fresh name {name} is taken.")
        return Holder(name=name, fd=fd)

    def known(self) -> list[str]:
        """Return the names of all starts whose leases are not released yet."""
        return sorted(path.name for path in self._directory.iterdir())

    def is_gone(self, name: str) -> bool:
        """Whether no process of that start lives any more."""
        fd = open_and_lock(self._directory / name)
        if fd is None:
            return False
        os.close(fd)
        return True

    def forget(self, name: str) -> None:
        """Remove the file: its leases are released."""
        (self._directory / name).unlink(missing_ok=True)
