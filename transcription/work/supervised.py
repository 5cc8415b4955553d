"""One program that the launcher keeps running: its process, its lifelines, its end."""

from __future__ import annotations

import contextlib
import enum
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from transcription.work import processes
from transcription.work.lifeline import (
    MAIN,
    WORKER,
    Inherited,
    Introduction,
    Leaving,
    receive,
)
from transcription.work.locks import Holder, Holders


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run: a main process that holds a ``lifeline.Tie``, and whatever it forks."""

    #: As "web-0", "engine-0", "chores".
    name: str
    #: Command line; the launcher appends ``--tie …``.
    command: tuple[str, ...]
    #: Added to the launcher's own environment.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Descriptors that it inherits beside those of its tie.
    descriptors: tuple[int, ...] = ()
    #: How many workers must have introduced themselves before it counts as ready.
    workers: int = 0
    #: Whether it is told to stop before the others: those serve what it still waits for.
    stops_first: bool = False


class Phase(enum.Enum):
    """Where a program stands."""

    WAITING = "to be started at a time"
    RUNNING = "running"
    STOPPING = "told to stop"
    ENDING = "killed, not yet gone"
    OVER = "ended for good"


def restart_delay_seconds(deaths: int, limit_seconds: float) -> float:
    """Return the pause before a program is started again after this many deaths in a row.

    At once after the first, then 0.5 s, doubled each time up to the limit.
    """
    if deaths <= 1:
        return 0.0
    # The exponent is bounded only to keep the number a float after a week of failures.
    return min(limit_seconds, 0.5 * 2.0 ** min(deaths - 2, 32))


class Supervised:
    """A program, and the process that runs it at this moment.

    Knows nothing about when to start or stop: that is the launcher's. Its descriptors are
    watched through ``selector``, with this object's methods as the data to call.
    """

    def __init__(self, program: Program, holders: Holders, selector: selectors.BaseSelector):
        self.program = program
        self.phase = Phase.WAITING
        #: When the phase must change, on the clock of ``time.monotonic``; None: whenever.
        self.due: float | None = None
        self.deaths = 0
        self.started = 0.0
        self.was_ready = False
        #: Whether its main process ended before it was killed.
        self.died_itself = False
        #: When it was last found dead; 0: never.
        self.ended = 0.0
        self.is_hanging = False
        #: Why it is not as it should be, in words; empty: nothing happened.
        self.fault = ""
        self.holder_name = ""
        self._holders = holders
        self._selector = selector
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lifelines: dict[int, Introduction] = {}

    @property
    def pid(self) -> int:
        """Process id of the main process, which is also its session's; 0: there is none."""
        return self._process.pid if self._process else 0

    @property
    def is_ready(self) -> bool:
        """Whether all that it must have has introduced itself, and nothing of it died."""
        roles = [introduction.role for introduction in self._lifelines.values()]
        return (
            self.phase is Phase.RUNNING
            and MAIN in roles
            and roles.count(WORKER) >= self.program.workers
        )

    def start(self) -> None:
        """Start it under a fresh name. Raises ``OSError`` if that cannot be done."""
        holder = self._holders.new(self.program.name)
        with contextlib.ExitStack() as handed_over:
            handed_over.callback(os.close, holder.fd)
            try:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                handed_over.callback(theirs.close)
                self._process = self._spawn(theirs.fileno(), holder)
            except OSError:
                self._holders.forget(holder.name)
                raise
        ours.setblocking(False)
        self._control = ours
        self._selector.register(ours, selectors.EVENT_READ, self._on_control)
        self.holder_name = holder.name
        self.phase = Phase.RUNNING
        self.due = None
        self.started = time.monotonic()
        self.was_ready = self.is_hanging = self.died_itself = False
        self.fault = ""

    def _spawn(self, control_fd: int, holder: Holder) -> subprocess.Popen[bytes]:
        inherited = Inherited(control_fd=control_fd, holder_fd=holder.fd, launcher_pid=os.getpid())
        return subprocess.Popen(
            [*self.program.command, "--tie", inherited.as_argument()],
            env={
                **os.environ,
                **self.program.environment,
                "ASR_PROCESS_ROLE": self.program.name,
                "ASR_CLUSTER": holder.name,
            },
            # Away from the terminal: Ctrl-C is the launcher's alone, and a kill of the session
            # reaches all of it and nothing else.
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            pass_fds=(control_fd, holder.fd, *self.program.descriptors),
        )

    def _on_control(self) -> None:
        if self._control is None:
            return
        try:
            while True:
                message = receive(self._control)
                if isinstance(message, Leaving):
                    self.phase = Phase.STOPPING if self.phase is Phase.RUNNING else self.phase
                elif message is None:
                    self._drop_control()
                    return
                else:
                    self._lifelines[message.fd] = message
                    self._selector.register(
                        message.fd,
                        selectors.EVENT_READ,
                        lambda fd=message.fd: self._on_lifeline(fd),
                    )
        except BlockingIOError:
            return
        except ConnectionResetError:  # the other side ended with our words unread: it ended
            self._drop_control()

    def _on_lifeline(self, fd: int) -> None:
        if os.read(fd, 16):
            return  # nothing is ever written there
        self._on_control()  # it may say that it is leaving, which makes this no death
        died = self._lifelines.pop(fd)
        self._selector.unregister(fd)
        os.close(fd)
        if self.phase is Phase.RUNNING and not self.fault:
            self.fault = f"its {died.role} (process {died.pid}) died"
            self.died_itself = died.role == MAIN

    def _drop_control(self) -> None:
        if self._control is not None:
            self._selector.unregister(self._control)
            self._control.close()
            self._control = None

    def has_exited(self) -> bool:
        """Whether its main process ended."""
        return self._process is not None and processes.has_exited(self._process.pid)

    def tell_to_stop(self) -> None:
        """Send SIGTERM to the main process only: to the group it would hang django-q."""
        # Popen.send_signal() would wait for an ended process, and so give its id away.
        if self._process is not None and not self.has_exited():
            os.kill(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to all of it."""
        if self._process is not None:
            processes.kill_session(self._process.pid)

    def take_leave(self) -> str | None:
        """Wait for its main process if all of it is gone; return how that ended, else None.

        All of it: the main process ended, no process holds the control socket or a lifeline,
        and its session is empty but for the main process, whose id is kept until now so that no
        stranger can have got it.
        """
        if (
            self._process is None
            or not self.has_exited()
            or self._control is not None
            or self._lifelines
            or processes.kill_session(self._process.pid)
        ):
            return None
        status = self._process.wait()
        self._process = None
        return processes.in_words(status)
