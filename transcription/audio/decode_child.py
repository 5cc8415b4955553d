"""The sandboxed side of ``decode``: a small host that forks one process per file.

The host is started once, imports FFmpeg and numpy (0.2 s of processor time) and never touches a
file. For each request it forks; the fork puts itself under its limits *before* it reads the first
byte, decodes, and ends. So every file has a process, an address space and a processor budget of
its own, at the price of a fork and not of an interpreter.

Requests come as messages over a socket pair, with the file and the pipe for the answer attached
(SCM_RIGHTS): the decoding process gets no path and can open none.

    {"do": "decode", ...limits}  + [audio file, pipe]  ->  {"pid": …}
    {"do": "end", "kill": true|false}                  ->  {"status": <wait status>}

Started by ``sandbox``, in an interpreter that is told nothing but where the code lies.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import signal
import socket
import time
from typing import Any

from transcription.audio import pump, wire
from transcription.audio.errors import AudioError
from transcription.audio.resample import Samples

MAX_MESSAGE_BYTES = 4096
#: How long a decoder that has closed its pipe is given to end by itself.
END_GRACE_SECONDS = 1.0

_PR_SET_PDEATHSIG = 1


def main(control_fd: int, parent_pid: int) -> None:
    """Serve requests on control_fd until its other end is closed or the parent is gone."""
    die_with_parent(parent_pid)
    # A Ctrl-C in the terminal is the worker's to handle: it ends us by closing the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pump.warm_up()
    gc.collect()
    gc.freeze()
    host_pid, pid = os.getpid(), 0
    with socket.socket(fileno=control_fd) as control:
        while True:
            message, fds, _, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, 2)
            if not message:
                break
            request = json.loads(message)
            if request["do"] == "decode":
                audio_fd, pipe_fd = fds
                pid = os.fork()
                if pid == 0:
                    os.close(control.detach())
                    _decode_and_exit(audio_fd, pipe_fd, request, host_pid)
                os.close(audio_fd)
                os.close(pipe_fd)
                control.send(json.dumps({"pid": pid}).encode())
            else:
                control.send(json.dumps({"status": _end(pid, kill=request["kill"])}).encode())
                pid = 0
    if pid:
        _end(pid, kill=True)


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends; end now if it already has."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        os._exit(0)


def _end(pid: int, *, kill: bool) -> int:
    """Wait for the decoder and return its wait status; kill it now, or when its grace is over."""
    deadline = time.monotonic() + END_GRACE_SECONDS
    while not kill:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        kill = time.monotonic() > deadline
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def restrict(*, memory_bytes: int, cpu_seconds: int) -> None:
    """Bind this process to its limits, for good. Every descriptor it needs is open by now."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # No further file and no socket, whatever a file makes the decoder try.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    # The soft limit's SIGXCPU names the reason; the hard one is certain.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 2))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _decode_and_exit(audio_fd: int, pipe_fd: int, request: dict[str, Any], host_pid: int) -> None:
    status = 1
    try:
        die_with_parent(host_pid)
        restrict(memory_bytes=request["memory_bytes"], cpu_seconds=request["cpu_seconds"])
        _decode(audio_fd, pipe_fd, request)
        status = 0
    except BrokenPipeError:
        status = 0  # nobody wants the rest
    except MemoryError:
        status = wire.EXIT_OUT_OF_MEMORY
    except BaseException as error:
        # Nothing may unwind into the host's loop in this fork. The parent logs what is printed.
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def _decode(audio_fd: int, pipe_fd: int, request: dict[str, Any]) -> None:
    def send(frame: bytes | memoryview) -> None:
        view = memoryview(frame)
        while view:
            view = view[os.write(pipe_fd, view) :]

    def send_samples(samples: Samples) -> None:
        payload = samples.astype("<i2", copy=False).tobytes()
        send(wire.HEADER.pack(wire.SAMPLES, len(payload)))
        send(memoryview(payload))

    pumping = pump.Pump(
        min_duration_seconds=request["min_duration_seconds"],
        max_duration_seconds=request["max_duration_seconds"],
        on_info=lambda info: send(wire.pack_json(wire.INFO, info)),
        on_samples=send_samples,
    )
    try:
        with open(audio_fd, "rb", buffering=0) as file:
            report = pumping.run(file, os.fstat(audio_fd).st_size)
        frame = wire.pack_json(wire.REPORT, report)
    except AudioError as error:
        frame = wire.pack_json(
            wire.ERROR, {"code": error.code, "message": str(error), "detail": error.detail}
        )
    send(frame)
