"""What a web process costs: its start and its memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from django.conf import settings

from transcription.management.benchmarks.common import (
    Figure,
    at_most,
    measured_service,
    spread,
    web_alone,
)
from transcription.management.benchmarks.processes import children_of, memory_bytes

MOST_START_SECONDS = 2.0
MOST_MEBIBYTES = 150.0
FORBIDDEN = ("torch", "ctranslate2", "onnxruntime", "numpy", "av")


def measure(*, repeats: int = 5) -> list[Figure]:
    """Start the web process alone several times; then look at one that has served requests."""
    starts = [_seconds_to_first_answer() for _ in range(repeats)]
    with measured_service(engine="fake", model_options={"chunk_seconds": 30}) as measured:
        content = (Path(__file__).parents[3] / "samples" / "english.wav").read_bytes()
        for _ in range(20):
            measured.client.transcribe("clip.wav", content)
            measured.client.get("/api/v1/transcriptions/")
        [web] = [one for one in children_of(measured.service.pid) if one.role == "web"]
        mebibytes = memory_bytes(web.pid) / 2**20
        loaded = [name for name in FORBIDDEN if _maps_library(web.pid, name)]
    return [
        at_most("a web process answers after, median", statistics.median(starts), "s",
                MOST_START_SECONDS),
        *spread("a web process answers after", starts, "s"),
        at_most("memory (RSS) after 40 requests", mebibytes, "MiB", MOST_MEBIBYTES),
        at_most(f"libraries loaded of {', '.join(FORBIDDEN)}", len(loaded), "", 0),
    ]  # fmt: skip


def _seconds_to_first_answer() -> float:
    """Return the time from starting a web process to its first answer."""
    with tempfile.TemporaryDirectory(prefix="asr-benchmark-") as data_dir:
        environment = {**os.environ, "ASR_DATA_DIR": data_dir, "ASR_DATABASE_URL": ""}
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"],
            cwd=settings.BASE_DIR, env=environment, check=True,
        )  # fmt: skip
        started = time.monotonic()
        with web_alone(environment) as (port, _pid):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                answer.read()
            return time.monotonic() - started


def _maps_library(pid: int, name: str) -> bool:
    """Return whether the process has a compiled part of this package in its memory."""
    return f"/{name}/" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
