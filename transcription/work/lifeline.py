"""How the launcher knows at once that a process of a cluster died, and the cluster that it did.

Downwards: the kernel sends SIGKILL to a process whose parent died (PR_SET_PDEATHSIG), set in the
main process of a cluster and, by ``os.register_at_fork``, in every fork of it. It fires when the
*thread* that forked ends, so whoever starts a process that calls ``tie_to_parent`` must do so
from its main thread.

Upwards: each process makes a pipe, sends the reading end with its name over the cluster's one
control socket to the launcher, and keeps the writing end for as long as it lives. End-of-file on
the pipe means that this process died; end-of-file on the control socket means that all did.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

#: Longest introduction in bytes; a longer one is cut by the kernel and refused.
_MESSAGE_BYTES = 256

MAIN = "main"
SENTINEL = "sentinel"
WORKER = "worker"
_LEAVING = "leaving"


class LifelineError(Exception):
    """The tie between a process and its launcher could not be made."""


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        prctl = libc.prctl
    except AttributeError:
        raise LifelineError("The launcher needs Linux: this system has no prctl().") from None
    # The kernel reads all five as longs; ctypes would pass ints.
    longs = [ctypes.c_ulong(word) for word in (value, 0, 0, 0)]
    if prctl(ctypes.c_int(option), *longs) != 0:
        number = ctypes.get_errno()
        raise LifelineError(f"prctl({option}) failed: {os.strerror(number)}.")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose parent dies, so that none goes unseen.

    Raises ``LifelineError`` where the system cannot do that.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def tie_to_parent(parent_pid: int) -> None:
    """Have the kernel kill this process by SIGKILL when its parent dies; at once if it did.

    The parent is named because it may have died before this call: then the process belongs to
    somebody else by now. Raises ``LifelineError`` where the system cannot do that.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class Introduction:
    """What a process says when it ties itself to the launcher."""

    pid: int
    #: "main", "sentinel", "worker", "monitor" or "pusher".
    role: str
    #: Reading end of its pipe, owned by whoever received this: readable at its death.
    fd: int


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """What a main process says when it begins to stop: from now on ends are no deaths."""

    pid: int


def receive(control: socket.socket) -> Introduction | Leaving | None:
    """Return the next message, or None at the end: no process holds the other side.

    Raises ``BlockingIOError`` if the socket does not block and nothing waits, and
    ``LifelineError`` for a message that is neither; its descriptors are closed.
    """
    message, fds, _flags, _address = socket.recv_fds(control, _MESSAGE_BYTES, 4)
    if not message and not fds:
        return None
    try:
        said = json.loads(message)
        if said["role"] == _LEAVING and not fds:
            return Leaving(pid=int(said["pid"]))
        (fd,) = fds
        introduction = Introduction(pid=int(said["pid"]), role=str(said["role"]), fd=fd)
    except (ValueError, KeyError, TypeError) as error:
        for fd in fds:
            os.close(fd)
        raise LifelineError(f"Not a message of a cluster: {message!r}.") from error
    os.set_blocking(introduction.fd, False)
    return introduction


@dataclass(frozen=True, kw_only=True)
class Inherited:
    """What the launcher hands to the main process of a cluster on its command line."""

    #: The control socket.
    control_fd: int
    #: A lock that says "a process of this cluster lives", see ``locks.Holders``.
    holder_fd: int
    launcher_pid: int

    def as_argument(self) -> str:
        return f"{self.control_fd}:{self.holder_fd}:{self.launcher_pid}"

    @classmethod
    def parse(cls, argument: str) -> Inherited:
        """Read what ``as_argument`` wrote; ``ValueError`` for anything else."""
        control_fd, holder_fd, launcher_pid = (int(word) for word in argument.split(":"))
        return cls(control_fd=control_fd, holder_fd=holder_fd, launcher_pid=launcher_pid)


class Tie:
    """The cluster's side: this process's tie to the launcher, renewed in each of its forks.

    The main process makes one by ``hold``, once and for good. A fork of it is introduced as the
    sentinel, a fork of that by what ``forking`` named it. Forks of these (the launcher has no
    business with them) die with their parent and hold nothing.
    """

    _GENERATIONS = 2

    def __init__(self, control: socket.socket | None) -> None:
        self._control = control
        self._lifeline: int | None = None
        self._next_role = SENTINEL
        self._generation = 0
        self._forking_pid = 0
        self._forked_by_main_thread = True

    @classmethod
    def hold(cls, inherited: Inherited | None) -> Tie:
        """Tie this process to its launcher, and from now on each of its forks.

        None: it was started without one; then only the forks are tied, to this process.
        Raises ``LifelineError``, and ``OSError`` for descriptors that are not inherited ones.
        """
        control = None
        if inherited is not None:
            tie_to_parent(inherited.launcher_pid)
            control = socket.socket(fileno=inherited.control_fd)
            # Programs that the cluster runs (decoders) hold neither; forks do.
            control.set_inheritable(False)
            os.set_inheritable(inherited.holder_fd, False)
        tie = cls(control)
        tie._introduce(MAIN)
        os.register_at_fork(before=tie._before_fork, after_in_child=tie._after_fork)
        return tie

    def leave(self) -> None:
        """Say that this cluster begins to stop, so that nobody takes its ends for deaths."""
        if self._control is not None:
            self._control.send(json.dumps({"pid": os.getpid(), "role": _LEAVING}).encode())

    @contextlib.contextmanager
    def forking(self, role: str) -> Iterator[None]:
        """Introduce what is forked inside by this role."""
        before, self._next_role = self._next_role, role
        try:
            yield
        finally:
            self._next_role = before

    def _introduce(self, role: str) -> None:
        if self._control is None:
            return
        reading, self._lifeline = os.pipe()
        message = json.dumps({"pid": os.getpid(), "role": role}).encode()
        try:
            socket.send_fds(self._control, [message], [reading])
        finally:
            os.close(reading)

    def _before_fork(self) -> None:
        self._forking_pid = os.getpid()
        self._forked_by_main_thread = threading.current_thread() is threading.main_thread()

    def _after_fork(self) -> None:
        # An exception here would only be printed, and leave a process that nobody watches.
        try:
            if self._forked_by_main_thread:
                tie_to_parent(self._forking_pid)
            if self._lifeline is not None:
                os.close(self._lifeline)  # its end of file must tell of the parent alone
                self._lifeline = None
            self._generation += 1
            if self._generation <= self._GENERATIONS:
                self._introduce(self._next_role)
            elif self._control is not None:
                self._control.close()
                self._control = None
        except BaseException:
            os.kill(os.getpid(), signal.SIGKILL)
