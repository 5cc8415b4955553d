"""A recording of hours: what it costs in memory, and when its first text can be read."""

from __future__ import annotations

import http.client
import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from transcription.management.benchmarks.common import (
    SAMPLE_RATE_HZ,
    Figure,
    Measured,
    at_most,
    measured_service,
    sample_speech,
)
from transcription.management.benchmarks.processes import MemoryWatch

MOST_MEMORY_RATIO = 1.3
LONG_SECONDS = 3 * 3600
SHORT_SECONDS = 180
POLL_SECONDS = 0.1
SPOKEN_SECONDS = 300
LIST = "/api/v1/transcriptions/?page_size=1"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one recording took."""

    #: Role of a process -> the most memory that one process of it had.
    peak_bytes: dict[str, int]
    #: From the end of the upload.
    first_text_seconds: float
    decoded_seconds: float
    completed_seconds: float
    status: str
    characters: int


def measure(
    *,
    engine: str,
    options: dict[str, Any],
    long_seconds: int = LONG_SECONDS,
    speech_share: float = 1.0,
) -> list[Figure]:
    """Compare the peaks of a long recording with those of one of three minutes."""
    short = run(engine=engine, options=options, seconds=SHORT_SECONDS)
    long = run(engine=engine, options=options, seconds=long_seconds, speech_share=speech_share)
    figures = [
        at_most(
            "memory of a process, long over short, worst",
            max(ratios(short, long).values()),
            "times",
            MOST_MEMORY_RATIO,
        ),
        *(
            Figure(name=f"peak of {role}, {name}", value=peak / 2**20, unit="MiB")
            for role in sorted(short.peak_bytes)
            for name, peak in (
                ("short", short.peak_bytes[role]),
                ("long", long.peak_bytes.get(role, 0)),
            )
        ),
        at_most(
            "first text of the long one, share of its decoding",
            long.first_text_seconds / long.decoded_seconds,
            "",
            1.0,
        ),
        Figure(name="first text of the long one after", value=long.first_text_seconds, unit="s"),
        Figure(name="its decoding took", value=long.decoded_seconds, unit="s"),
        Figure(name="completed after", value=long.completed_seconds, unit="s"),
        Figure(
            name="real-time factor of the long one",
            value=long_seconds / long.completed_seconds,
            unit="x",
        ),
    ]
    if long.status != "completed":
        raise RuntimeError(f"The long recording ended as {long.status}.")
    return figures


def ratios(short: Run, long: Run) -> dict[str, float]:
    """Return the memory of each role's largest process, long over short."""
    return {role: long.peak_bytes.get(role, 0) / peak for role, peak in short.peak_bytes.items()}


def run(*, engine: str, options: dict[str, Any], seconds: int, speech_share: float = 1.0) -> Run:
    """Post one recording to a fresh service and watch it to its end."""
    with (
        measured_service(engine=engine, model_options=options) as measured,
        MemoryWatch(measured.service.pid) as watch,
    ):
        address = _post_streaming(measured, seconds, speech_share)
        started = time.monotonic()
        first_text = decoded = None
        while True:
            # The whole transcript until there is some text, then the short state, as a page does.
            shown = measured.client.get(address if first_text is None else LIST).body
            state = shown if first_text is None else shown["results"][0]
            now = time.monotonic() - started
            if first_text is None and shown.get("text"):
                first_text = now
            if decoded is None and state["duration_seconds"] is not None:
                decoded = now
            if state["status"] in {"completed", "failed", "cancelled"}:
                break
            time.sleep(POLL_SECONDS)
        text = measured.client.get(address).body["text"]
    return Run(
        peak_bytes=dict(watch.peaks),
        first_text_seconds=first_text if first_text is not None else now,
        decoded_seconds=decoded if decoded is not None else now,
        completed_seconds=now,
        status=str(state["status"]),
        characters=len(text),
    )


def _post_streaming(measured: Measured, seconds: int, speech_share: float = 1.0) -> str:
    """Post a WAV file of that length without ever having it in memory; return its address.

    With a share under 1, five minutes of speech are followed by silence, again and again.
    """
    boundary = "benchmark-boundary"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="long.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    samples = seconds * SAMPLE_RATE_HZ
    length = len(head) + 44 + samples * 2 + len(tail)

    def body() -> Iterator[bytes]:
        yield head
        yield _wav_header(samples)
        # A pause after each sentence, as people make; otherwise one hard cut follows another.
        sentence = np.concatenate([sample_speech(), np.zeros(SAMPLE_RATE_HZ, dtype="<i2")])
        block = sentence.astype("<i2").tobytes()
        if speech_share < 1:
            spoken = block * max(1, SPOKEN_SECONDS * 2 * SAMPLE_RATE_HZ // len(block))
            block = spoken + bytes(round(len(spoken) / 2 * (1 / speech_share - 1)) * 2)
        left = samples * 2
        while left:
            piece = block[:left]
            yield piece
            left -= len(piece)
        yield tail

    connection = http.client.HTTPConnection(
        measured.service.url.removeprefix("http://"), timeout=600
    )
    try:
        connection.request(
            "POST",
            "/api/v1/transcriptions/",
            body=body(),
            headers={
                "Authorization": measured.client.authorization,
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Content-Length": str(length),
            },
        )
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
    if response.status != 202:
        raise RuntimeError(f"The service answered {response.status}: {answer}")
    return f"/api/v1/transcriptions/{answer['id']}/"


def _wav_header(samples: int) -> bytes:
    data = samples * 2
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + data, b"WAVE", b"fmt ", 16, 1, 1,
        SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * 2, 2, 16, b"data", data,
    )  # fmt: skip
