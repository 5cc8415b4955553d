"""Any audio file becomes blocks of 16 kHz mono samples, while it is decoded, in a sandbox.

    with Decoder(DecodeLimits()) as decoder:
        with decoder.decode(path) as decoding:
            decoding.info
            for block in decoding:  # int16, shape (samples,)
                ...
            decoding.report

The decoder process has no path, can open no file and no socket, and has limits on memory,
processor time and the time it keeps its caller waiting. Whatever the file does in there, the
caller gets samples or an AudioError.

Samples are laid back to back as they are decoded. Gaps in the timestamps (a live recording that
lost packets, a microphone that was muted) are not filled with silence: times in the result are
times in the decoded samples.
"""

from __future__ import annotations

import io
import logging
import os
import select
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from transcription.audio import SAMPLE_RATE_HZ, wire
from transcription.audio.decode_types import (
    PARTIAL_AUDIO,
    AudioInfo,
    DecodeLimits,
    DecodeReport,
)
from transcription.audio.errors import ERROR_CODES, READ_FORMATS, AudioError
from transcription.audio.sandbox import Host, HostError, Started

logger = logging.getLogger(__name__)

__all__ = ["PARTIAL_AUDIO", "AudioInfo", "DecodeLimits", "DecodeReport", "Decoder", "Decoding"]


class Decoder:
    """Decodes one file after another, with a warm sandbox standing by for the next.

    For one thread of one process: make one where it is used. (The sandbox lives no longer than
    the thread that started it; it is started again when it is found dead, and after a fork.)
    """

    def __init__(self, limits: DecodeLimits | None = None) -> None:
        """Starts the sandbox without waiting for it. Raises OSError where it cannot."""
        self.limits = limits or DecodeLimits()
        self._host: Host | None = Host()
        self._busy = False
        self._closed = False

    def decode(self, path: Path) -> Decoding:
        """The decoding of the file at path, to be used in a ``with`` statement.

        One at a time. Entering raises AudioError, or OSError where the file cannot be opened.
        """
        return Decoding(self, path)

    def start(self, audio_fd: int) -> tuple[Host, Started]:
        """For Decoding: put a decoder to work on the open file. Raises AudioError."""
        if self._closed or self._busy:
            raise RuntimeError("this Decoder is closed, or its last decoding has not been left yet")
        limits = self.limits
        request = {
            "min_duration_seconds": limits.min_duration_seconds,
            "max_duration_seconds": limits.max_duration_seconds,
            "memory_bytes": limits.memory_bytes,
            "cpu_seconds": limits.cpu_seconds,
        }
        try:
            host = self._living_host()
            started = host.start(audio_fd, request)
        except (HostError, OSError) as error:
            self.discard_host()
            raise AudioError(
                "decoder_crashed",
                "The decoder could not be started. It will be tried again.",
                detail=str(error),
            ) from error
        self._busy = True
        return host, started

    def _living_host(self) -> Host:
        host = self._host
        if host is not None and (host.owner_pid != os.getpid() or not host.alive):
            self.discard_host()
            host = None
        if host is None:
            host = self._host = Host()
        return host

    def release(self) -> None:
        """For Decoding: the next file may come."""
        self._busy = False

    def discard_host(self) -> None:
        """For Decoding: the sandbox does not answer as it should; use another one."""
        if self._host is not None:
            self._host.close()
            self._host = None

    def close(self) -> None:
        """End the sandbox. May be called twice."""
        self._closed = True
        self.discard_host()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Decoding:
    """One file on its way out of the sandbox. Leaving the ``with`` early kills the decoder."""

    info: AudioInfo
    """Known on entering."""

    def __init__(self, decoder: Decoder, path: Path) -> None:
        self._decoder = decoder
        self._path = path
        self._limits = decoder.limits
        self._host: Host | None = None
        self._started: Started | None = None
        self._waited_seconds = 0.0
        self._samples = 0
        self._report: DecodeReport | None = None
        self._printed = ""

    @property
    def report(self) -> DecodeReport:
        """Raises RuntimeError before all blocks have been read."""
        if self._report is None:
            raise RuntimeError("the report is known when all blocks have been read")
        return self._report

    @property
    def decoder_pid(self) -> int | None:
        """The process that decodes, while there is one."""
        return self._started.pid if self._started is not None else None

    def __enter__(self) -> Self:
        audio_fd = _open_regular_file(self._path)
        try:
            self._host, self._started = self._decoder.start(audio_fd)
        finally:
            os.close(audio_fd)
        self._pipe = io.FileIO(self._started.pipe_fd, "rb")
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)
        try:
            kind, payload = self._read_frame()
            if kind != wire.INFO:
                raise wire.WireError(f"a frame of kind {kind} before anything else")
            self.info = _parse_info(wire.parse_json(payload))
        except wire.WireError as error:
            self._end(kill=True)
            raise _misbehaved(error) from error
        except BaseException:
            self._end(kill=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(kill=True)

    def __iter__(self) -> Iterator[npt.NDArray[np.int16]]:
        """Blocks of int16, shape (samples,), mono 16 kHz, 2 s each but the last.

        Raises AudioError as soon as it is known that the file is too long, broken or hostile;
        what was yielded until then is to be thrown away.
        """
        while self._report is None:
            if self._started is None:
                raise RuntimeError("this decoding has been left")
            try:
                kind, payload = self._read_frame()
                if kind == wire.SAMPLES:
                    self._count(len(payload) // 2)
                elif kind == wire.REPORT:
                    self._report = self._parse_report(wire.parse_json(payload))
                else:
                    raise wire.WireError(f"a frame of kind {kind} among the samples")
            except wire.WireError as error:
                self._end(kill=True)
                raise _misbehaved(error) from error
            except AudioError:
                self._end(kill=True)
                raise
            if kind == wire.SAMPLES:
                yield np.frombuffer(payload, dtype="<i2").astype(np.int16, copy=False)
        self._end(kill=False)

    def _count(self, samples: int) -> None:
        self._samples += samples
        # The decoder stops by itself; this holds even if a file has taken it over.
        if self._samples > (self._limits.max_duration_seconds + 60) * SAMPLE_RATE_HZ:
            raise wire.WireError("more samples than the limit allows")

    def _parse_report(self, message: dict[str, Any]) -> DecodeReport:
        if message.get("samples") != self._samples:
            raise wire.WireError("the report does not match the samples")
        damaged = message.get("damaged_packets")
        if not isinstance(damaged, int):
            raise wire.WireError("a report without a count of damaged packets")
        partial = damaged > 0 or message.get("cut_off") is True
        return DecodeReport(
            duration_seconds=self._samples / SAMPLE_RATE_HZ,
            warnings=(PARTIAL_AUDIO,) if partial else (),
            damaged_packets=damaged,
        )

    def _read_frame(self) -> tuple[int, bytearray]:
        """The next frame; AudioError if it is one, or if there is none to come."""
        kind, length = wire.parse_header(bytes(self._read(wire.HEADER.size)))
        payload = self._read(length)
        if kind == wire.ERROR:
            raise _parse_error(wire.parse_json(payload))
        return kind, payload

    def _read(self, length: int) -> bytearray:
        buffer = bytearray(length)
        view = memoryview(buffer)
        while view:
            self._wait()
            count = self._pipe.readinto(view)
            if not count:
                raise self._explain_end()
            view = view[count:]
        return buffer

    def _wait(self) -> None:
        left = min(self._limits.stall_seconds, self._limits.wall_seconds - self._waited_seconds)
        begun = time.monotonic()
        ready = self._poll.poll(max(left, 0) * 1000)
        self._waited_seconds += time.monotonic() - begun
        if not ready:
            raise _took_too_long()

    def _explain_end(self) -> AudioError:
        """The pipe ended without a report: why?"""
        status = self._end(kill=False)
        if status is None:
            return AudioError(
                "decoder_crashed",
                "The decoder has been ended from outside. It will be tried again.",
            )
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        if number == signal.SIGXCPU:
            return _took_too_long()
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == wire.EXIT_OUT_OF_MEMORY:
            return AudioError(
                "decode_out_of_memory",
                f"Decoding the file takes more than {self._limits.memory_bytes >> 20} MiB of "
                f"memory; sound recordings do not. Convert it to one of: {READ_FORMATS}.",
            )
        reason = (
            f"signal {number}" if number is not None else f"exit status {os.WEXITSTATUS(status)}"
        )
        return AudioError(
            "decoder_crashed",
            f"The decoder crashed on this file ({reason}). It will be tried again; if it stays so, "
            f"convert the file to one of: {READ_FORMATS}.",
            detail=self._printed,
        )

    def _end(self, *, kill: bool) -> int | None:
        """Let go of the decoder; its wait status, None where that cannot be known."""
        if self._started is None or self._host is None:
            return None
        host, self._host, self._started = self._host, None, None
        self._pipe.close()
        self._decoder.release()
        try:
            status = host.end(kill=kill)
        except HostError as error:
            logger.warning("The decoder host is replaced: %s", error)
            self._decoder.discard_host()
            return None
        self._printed = host.read_stderr()
        return status


def _open_regular_file(path: Path) -> int:
    """A descriptor for reading. Raises OSError, and AudioError for what is not a plain file."""
    wrong = AudioError(
        "not_audio", f"{path.name} is not a plain file (a folder, a link or a device, perhaps)."
    )
    try:
        # Without O_NONBLOCK a FIFO would block until somebody writes to it.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink() or path.is_socket():
            raise wrong from error
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise wrong
    return fd


def _parse_info(message: dict[str, Any]) -> AudioInfo:
    container, codec = message.get("container"), message.get("codec")
    rate, channels = message.get("sample_rate_hz"), message.get("channels")
    declared = message.get("declared_duration_seconds")
    if (
        not isinstance(container, str)
        or not isinstance(codec, str)
        or not isinstance(rate, int)
        or not isinstance(channels, int)
        or not (declared is None or isinstance(declared, int | float))
    ):
        raise wire.WireError("an impossible description of the file")
    return AudioInfo(
        container=container,
        codec=codec,
        sample_rate_hz=rate,
        channels=channels,
        declared_duration_seconds=None if declared is None else float(declared),
    )


def _parse_error(message: dict[str, Any]) -> AudioError:
    code, text, detail = message.get("code"), message.get("message"), message.get("detail")
    if code not in ERROR_CODES or not isinstance(text, str) or not isinstance(detail, str):
        raise wire.WireError("an error that is none")
    return AudioError(code, text, detail=detail)


def _took_too_long() -> AudioError:
    return AudioError(
        "decode_timeout",
        f"Decoding the file took too long and was stopped. Convert it to one of: {READ_FORMATS}.",
    )


def _misbehaved(error: wire.WireError) -> AudioError:
    return AudioError(
        "decoder_crashed",
        "The decoder did not answer as it should on this file. It will be tried again.",
        detail=str(error),
    )
