"""Our batches of Qwen3-ASR against one clip after another and against the package qwen-asr.

The three write the same number of tokens for the same clips, in turns, each in a process of its
own that has its model loaded. With random weights the texts mean nothing, and the times do not
depend on them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from transcription.management.benchmarks.common import (
    SAMPLE_RATE_HZ,
    Figure,
    at_least,
    sample_speech,
)

LEAST_OVER_SINGLE = 2.0
LEAST_OVER_PACKAGE = 1.2
LEAST_REAL_TIME = 5.0
#: Lengths of the clips in seconds, as they happen to come.
CLIP_SECONDS = (14, 3, 30, 8, 24, 5, 18, 10)
#: Numbers of the clips that warm a side up: the two shortest.
WARM_UP = (1, 5)
TOKENS = 40
#: The number formats that the others could take: on each device the faster is chosen for them.
THEIR_DTYPES = {"cpu": ("bfloat16", "float32"), "cuda": ("float16", "bfloat16")}
HOW_TO_GET_PACKAGE = (
    "The package qwen-asr is not at {python}. Make its environment by "
    "`sh tools/qwen_asr/venv.sh`, or leave it out by --without-qwen-asr."
)


class SideError(Exception):
    """A side of the comparison ended, or did another work than the others."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one side took for all clips."""

    seconds: float
    #: Of all its threads: what is left of it on a machine that does other things too.
    cpu_seconds: float


class Side:
    """A process that was told what to load and waits for its turns."""

    def __init__(self, command: Sequence[str], job: Mapping[str, Any]) -> None:
        self.job = job
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=settings.BASE_DIR,
            env={**os.environ, "TRANSFORMERS_VERBOSITY": "error"},
            text=True,
        )
        try:
            #: What it says of itself: device, dtype.
            self.told = self._ask(job)
        except BaseException:
            self.end()
            raise

    def turn(self, clips: Sequence[int]) -> Turn:
        """Let it work through these clips. Raises ``SideError`` if it wrote more or less."""
        answer = self._ask(list(clips))
        if answer["tokens"] != [self.job["tokens"]] * len(clips):
            raise SideError(f"{self.job['side']} wrote {answer['tokens']} tokens for {clips}.")
        return Turn(seconds=answer["seconds"], cpu_seconds=answer["cpu_seconds"])

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, question: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise SideError(
                f"{self.job['side']} ended with status {self._process.wait()}; "
                "what it said stands above."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


def measure(
    *,
    weights: Path | None,
    options: Mapping[str, Any],
    threads: int,
    device: str = "auto",
    rounds: int = 3,
    tokens: int = TOKENS,
    package_python: Path | None,
) -> list[Figure]:
    """Let all sides work on the clips in turns; ratios are taken round by round.

    ``weights``: a checkpoint in the ``-hf`` layout; None: one of the shape of 0.6B with random
    weights is made for the run (1.6 GB). ``package_python``: the Python of an environment with
    qwen-asr; None: without it. Raises ``SideError``.
    """
    if package_python is not None and not package_python.exists():
        raise SideError(HOW_TO_GET_PACKAGE.format(python=package_python))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="asr-benchmark-")))
        job = {
            "weights": str(weights or _random_weights(folder / "weights")),
            "clips": str(_write_clips(folder / "clips.npz")),
            "tokens": tokens,
            "threads": threads,
            "options": dict(options),
        }
        our_job = {**job, "side": "ours", "device": device, "dtype": options.get("dtype", "auto")}
        ours = stack.enter_context(_side(_OUR_PROGRAM, our_job))
        ours.turn(WARM_UP)
        job["device"] = ours.told["device"]
        single = stack.enter_context(_faster_single(job))
        sides = {"ours": ours, "single": single}
        if package_python is not None:
            command = [str(package_python), "-m", "tools.qwen_asr.side"]
            package_job = {**job, "side": "qwen_asr", "dtype": single.told["dtype"]}
            sides["package"] = stack.enter_context(_side(command, package_job))
            sides["package"].turn(WARM_UP)
        turns: dict[str, list[Turn]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                turns[name].append(side.turn(range(len(CLIP_SECONDS))))
        return figures(
            turns, our_dtype=ours.told["dtype"], their_dtype=single.told["dtype"], tokens=tokens
        )


def figures(
    turns: Mapping[str, Sequence[Turn]], *, our_dtype: str, their_dtype: str, tokens: int
) -> list[Figure]:
    """What the turns of ``ours``, ``single`` and, if it took part, ``package`` come to."""
    audio_seconds = float(sum(CLIP_SECONDS))
    ours = turns["ours"]
    found = [
        at_least(
            f"our batches ({our_dtype}), real-time factor",
            audio_seconds / statistics.median(turn.seconds for turn in ours),
            "x",
            LEAST_REAL_TIME,
        )
    ]
    others = (
        ("single", f"one after another ({their_dtype})", LEAST_OVER_SINGLE),
        ("package", f"qwen-asr's batch ({their_dtype})", LEAST_OVER_PACKAGE),
    )
    for key, name, least in others:
        if key not in turns:
            continue
        theirs = turns[key]
        pairs = list(zip(theirs, ours, strict=True))
        ratios = [their.seconds / our.seconds for their, our in pairs]
        cpu_ratios = [their.cpu_seconds / our.cpu_seconds for their, our in pairs]
        real_time = audio_seconds / statistics.median(turn.seconds for turn in theirs)
        found += [
            at_least(f"over {name}, median", statistics.median(ratios), "times", least),
            Figure(name="  the same, worst round", value=min(ratios), unit="times"),
            Figure(
                name="  by processor time, median",
                value=statistics.median(cpu_ratios),
                unit="times",
            ),
            Figure(name=f"{name}, real-time factor", value=real_time, unit="x"),
        ]
    return [
        *found,
        Figure(name="seconds of audio in a round", value=audio_seconds, unit="s"),
        Figure(name="tokens for each clip", value=tokens, unit=""),
    ]


_OUR_PROGRAM = (sys.executable, "-m", "transcription.engines.qwen3.sides")


@contextmanager
def _side(command: Sequence[str], job: Mapping[str, Any]) -> Iterator[Side]:
    side = Side(command, job)
    try:
        yield side
    finally:
        side.end()


@contextmanager
def _faster_single(job: Mapping[str, Any]) -> Iterator[Side]:
    """One clip after another, in the number format that is the faster here."""
    with ExitStack() as stack:
        timed = []
        for dtype in THEIR_DTYPES[str(job["device"]).partition(":")[0]]:
            one = {**job, "side": "one_after_another", "dtype": dtype}
            side = stack.enter_context(_side(_OUR_PROGRAM, one))
            side.turn(WARM_UP)
            timed.append((side.turn(WARM_UP).cpu_seconds, side))
        # By processor time: a neighbour on the machine must not choose for us.
        faster = min(timed, key=lambda entry: entry[0])[1]
        for _, side in timed:
            if side is not faster:
                side.end()
        yield faster


def _random_weights(folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "tools.tiny_qwen3_asr.full_shape", str(folder), "--size", "0.6b"],
        cwd=settings.BASE_DIR,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder


def _write_clips(path: Path) -> Path:
    speech = sample_speech().astype(np.float32) / 32768
    clips: dict[str, Any] = {
        f"{number:02}": np.resize(speech, seconds * SAMPLE_RATE_HZ)
        for number, seconds in enumerate(CLIP_SECONDS)
    }
    np.savez(path, **clips)
    return path
