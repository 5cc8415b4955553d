"""Many clients at once through the whole service: how long they wait, what memory it takes.

The same on a GPU and on a CPU; only where the memory is read differs.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from transcription.management.benchmarks.common import (
    SAMPLE_RATE_HZ,
    Figure,
    Measured,
    Spoken,
    measured_service,
    sample_speech,
    write_wav,
)
from transcription.management.benchmarks.processes import children_of, memory_bytes
from transcription.management.client import NoAnswerError

AT_ONCE = (1, 2, 4, 8, 16)
CLIP_SECONDS = 10
#: Memory may grow by so much from the first rounds to the last and still counts as the same.
GROWTH_SHARE = 0.05
GROWTH_BYTES = 32 * 2**20
_WATCH_SECONDS = 0.2
_HEADER = f"  {'at once':>7}  {'mean':>8}  {'p95':>8}  {'memory':>10}  stable"


@dataclass(frozen=True, kw_only=True)
class Level:
    """So many clients at once, each sending one recording after another."""

    at_once: int
    #: From the first byte sent to the last received, one for each answered request.
    seconds: tuple[float, ...]
    #: What was answered instead of a transcript.
    errors: tuple[str, ...]
    #: Most memory in each round.
    peak_bytes: tuple[int, ...]

    @property
    def mean_seconds(self) -> float:
        return statistics.fmean(self.seconds) if self.seconds else math.nan

    @property
    def p95_seconds(self) -> float:
        """The time within which 95 of 100 answers came (nearest rank)."""
        if not self.seconds:
            return math.nan
        return sorted(self.seconds)[math.ceil(0.95 * len(self.seconds)) - 1]

    @property
    def stable(self) -> bool:
        return not self.errors and not grows(self.peak_bytes)

    def line(self) -> str:
        stable = "yes" if self.stable else "NO"
        peak = max(self.peak_bytes) / 2**30
        return (
            f"  {self.at_once:>7}  {self.mean_seconds:>6.2f} s  {self.p95_seconds:>6.2f} s"
            f"  {peak:>6.2f} GiB  {stable}"
        )


def grows(peaks_bytes: Sequence[int]) -> bool:
    """Whether the later rounds of a level needed clearly more memory than the earlier ones."""
    if len(peaks_bytes) < 2:
        return False
    middle = (len(peaks_bytes) + 1) // 2
    before, after = max(peaks_bytes[:middle]), max(peaks_bytes[middle:])
    return after > before * (1 + GROWTH_SHARE) + GROWTH_BYTES


def measure(
    *,
    engine: str,
    options: Mapping[str, Any],
    threads: int,
    environment: Mapping[str, str] | None = None,
    recordings: Sequence[Spoken] = (),
    at_once: Sequence[int] = AT_ONCE,
    rounds: int = 4,
    say: Callable[[str], object],
) -> list[Figure]:
    """Raise the number of clients step by step; a line of the table is said for each step."""
    contents = [one.content for one in recordings] or [_clip()]
    with measured_service(
        engine=engine,
        model_options=options,
        environment={"ASR_ENGINE_THREADS": str(threads), **(environment or {})},
    ) as measured:
        _post_all(measured, contents[:1])  # the model is loaded
        device = device_of(measured.loaded_models())
        say(f"  memory of {memory_of(device)}")
        say(_HEADER)
        # Once with the most, so that what the allocator keeps is not taken for growth.
        _post_all(measured, _taken(contents, max(at_once), 0))
        levels = []
        for clients in at_once:
            level = _level(measured, contents, clients, rounds=rounds, device=device)
            levels.append(level)
            say(level.line())
            for error in level.errors[:3]:
                say(f"           {error}")
    return figures(levels)


def figures(levels: Sequence[Level]) -> list[Figure]:
    """The table as figures; that every level is stable is promised."""
    found = []
    for level in levels:
        name = f"{level.at_once} at once"
        found += [
            Figure(name=f"{name}, mean response", value=level.mean_seconds, unit="s"),
            Figure(name=f"{name}, 95 of 100 within", value=level.p95_seconds, unit="s"),
            Figure(name=f"{name}, most memory", value=max(level.peak_bytes) / 2**20, unit="MiB"),
            Figure(
                name=f"{name}, stable",
                value=float(level.stable),
                unit="",
                promise="no error, no growth",
                kept=level.stable,
            ),
        ]
    return found


def device_of(loaded: Sequence[Mapping[str, Any]]) -> str:
    """The device that the workers report ("cuda:0"). Raises ``ValueError`` for several."""
    devices = {str(one["device"]) for one in loaded}
    if len(devices) != 1:
        raise ValueError(f"The workers report the devices {sorted(devices)}; one is expected.")
    return devices.pop()


def memory_of(device: str) -> str:
    """What is read as the memory of a device, in words."""
    if device.startswith("cuda"):
        # Not of one GPU by its number: CUDA_VISIBLE_DEVICES counts them otherwise.
        return f"all GPUs ({device} is used) as nvidia-smi tells it, other programs included"
    return "the engine's process (RSS)"


def parse_gpu_memory(printed: str) -> int:
    """Bytes in use on all GPUs, out of ``nvidia-smi --query-gpu=memory.used`` in MiB.

    Raises ``ValueError`` for anything but a number for each GPU.
    """
    sizes = [int(line) for line in printed.split("\n") if line.strip()]
    if not sizes:
        raise ValueError("nvidia-smi lists no GPU.")
    return sum(sizes) * 2**20


def gpu_memory_bytes() -> int:
    """Memory in use on the GPUs now, by any program."""
    done = subprocess.run(
        ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"],
        check=True,
        capture_output=True,
        text=True,
    )
    return parse_gpu_memory(done.stdout)


def engine_memory_bytes(launcher_pid: int) -> int:
    """Resident memory of the largest process of an engine, without what it shares out."""
    sizes = [
        memory_bytes(child.pid)
        for child in children_of(launcher_pid)
        if child.role.startswith("engine")
    ]
    return max(sizes, default=0)


class _Peak:
    """Notes the highest of many readings while it is entered."""

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._error: Exception | None = None
        self.bytes = 0

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _watch(self) -> None:
        while True:
            try:
                self.bytes = max(self.bytes, self._read())
            except Exception as error:
                self._error = error
                return
            if self._stop.wait(_WATCH_SECONDS):
                return


def _level(
    measured: Measured, contents: Sequence[bytes], clients: int, *, rounds: int, device: str
) -> Level:
    seconds: list[float] = []
    errors: list[str] = []
    peaks = []

    def read() -> int:
        if device.startswith("cuda"):
            return gpu_memory_bytes()
        return engine_memory_bytes(measured.service.pid)

    for number in range(rounds):
        with _Peak(read) as peak:
            answers = _post_all(measured, _taken(contents, clients, number))
        peaks.append(peak.bytes)
        seconds += [answer for answer in answers if isinstance(answer, float)]
        errors += [answer for answer in answers if isinstance(answer, str)]
    return Level(
        at_once=clients, seconds=tuple(seconds), errors=tuple(errors), peak_bytes=tuple(peaks)
    )


def _taken(contents: Sequence[bytes], clients: int, number: int) -> list[bytes]:
    """A recording for each client; another one in every round, where there are several."""
    return [contents[(number + client) % len(contents)] for client in range(clients)]


def _post_all(measured: Measured, contents: Sequence[bytes]) -> list[float | str]:
    """Post all at once; for each the seconds until its transcript, or what came instead."""
    together = threading.Barrier(len(contents))

    def post(content: bytes) -> float | str:
        together.wait()
        try:
            answer = measured.client.transcribe("clip.wav", content)
        except NoAnswerError as error:
            return str(error)
        return answer.seconds if answer.status == 200 else f"{answer.status}: {answer.body}"

    with ThreadPoolExecutor(len(contents)) as pool:
        return list(pool.map(post, contents))


def _clip() -> bytes:
    return write_wav(np.resize(sample_speech(), CLIP_SECONDS * SAMPLE_RATE_HZ))
