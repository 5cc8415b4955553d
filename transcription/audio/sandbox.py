"""The asking side of the sandbox: starts the host process of ``decode_child`` and talks to it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The directory that holds the package ``transcription``.
CODE_ROOT = Path(__file__).resolve().parents[2]
#: How long the host may take to answer: it only forks and waits, but it may have to start first,
#: on a machine that is busy.
ANSWER_SECONDS = 30.0
#: How long the host may take to end when it is asked to, before it is killed.
STOP_SECONDS = 2.0
MAX_STDERR_BYTES = 8192

# -I: neither the caller's environment nor its working directory decides what is imported. The
# code's root goes to the end of the path, so that nothing in it can stand in for a library.
_BOOTSTRAP = (
    "import sys; sys.path.append(sys.argv[3]); "
    "from transcription.audio.decode_child import main; "
    "main(int(sys.argv[1]), int(sys.argv[2]))"
)
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    # Threads of numpy's libraries reserve address space, by the core.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class HostError(Exception):
    """The host process has ended or does not answer; another one can be started."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """A decoder that is at work on one file."""

    pid: int
    #: To be read, and closed, by the asking side.
    pipe_fd: int


class Host:
    """One host process. Not for use by two threads at once, nor on both sides of a fork.

    It is killed by the kernel when the *thread* that created it ends, and ends by itself when
    the process that created it does.
    """

    def __init__(self) -> None:
        """Starts the process and does not wait for it to be ready. Raises OSError."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stderr_fd, stderr_theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-c", _BOOTSTRAP),
                    *(str(theirs.fileno()), str(os.getpid()), str(CODE_ROOT)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr_theirs,
                pass_fds=[theirs.fileno()],
                cwd="/",
                env=_ENVIRONMENT,
            )
        except BaseException:
            self._control.close()
            os.close(self._stderr_fd)
            raise
        finally:
            theirs.close()
            os.close(stderr_theirs)
        self.owner_pid = os.getpid()
        # Also when this is forgotten and when the interpreter ends.
        self._close = weakref.finalize(
            self, _close, self._control, self._stderr_fd, self._process, self.owner_pid
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def start(self, audio_fd: int, request: dict[str, Any]) -> Started:
        """Fork a decoder for the open file. Raises HostError."""
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            message = json.dumps({"do": "decode", **request}).encode()
            try:
                socket.send_fds(self._control, [message], [audio_fd, theirs])
            except OSError as error:
                raise HostError(f"the decoder host has ended: {self.read_stderr()}") from error
            finally:
                os.close(theirs)
            return Started(pid=int(self._answer()["pid"]), pipe_fd=ours)
        except BaseException:
            os.close(ours)
            raise

    def end(self, *, kill: bool) -> int:
        """Wait for the decoder, killed first where asked; its wait status. Raises HostError."""
        try:
            self._control.send(json.dumps({"do": "end", "kill": kill}).encode())
        except OSError as error:
            raise HostError(f"the decoder host has ended: {self.read_stderr()}") from error
        return int(self._answer()["status"])

    def _answer(self) -> dict[str, Any]:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        if not poll.poll(ANSWER_SECONDS * 1000):
            raise HostError(f"the decoder host has not answered for {ANSWER_SECONDS:g} seconds")
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # as good as the end of file below
            answer = self._control.recv(4096)
        if not answer:
            raise HostError(f"the decoder host has ended: {self.read_stderr()}")
        message: dict[str, Any] = json.loads(answer)
        return message

    def read_stderr(self) -> str:
        """The last that host and decoders have printed since this was asked, bounded."""
        printed = b""
        with contextlib.suppress(BlockingIOError):  # nothing more at the moment
            while piece := os.read(self._stderr_fd, 65_536):
                printed = (printed + piece)[-MAX_STDERR_BYTES:]
        return printed.decode(errors="replace").strip()

    def close(self) -> None:
        """End the process. May be called twice; on the other side of a fork it only lets go."""
        self._close()


def _close(
    control: socket.socket, stderr_fd: int, process: subprocess.Popen[bytes], owner_pid: int
) -> None:
    control.close()
    os.close(stderr_fd)
    if owner_pid != os.getpid():
        process.returncode = 0  # not our child: keep Popen from waiting for it or warning
        return
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
