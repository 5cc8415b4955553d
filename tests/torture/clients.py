"""Clients that upload recordings without a pause and remember every answer."""

from __future__ import annotations

import io
import itertools
import random
import threading
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from transcription.management.client import Client, NoAnswerError

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One upload and what was answered."""

    number: int
    recording: int
    posted_at: float
    answered_at: float
    #: 0: the connection broke off before an answer.
    status: int
    transcription_id: str = ""
    text: str | None = None


def recordings() -> list[bytes]:
    """Return WAV files that all differ, from 2 to 40 s, the long ones of several chunks."""
    with wave.open(str(SAMPLES / "english.wav")) as file:
        rate, frames = file.getframerate(), file.readframes(file.getnframes())
    second = rate * 2  # bytes; 16 bits mono
    pieces = [frames[int(start * second) // 2 * 2 :] for start in (0, 2.6, 4, 5.5)]
    pieces.append(frames + pieces[1] + frames + pieces[2] + frames)
    return [_wav(piece, rate) for piece in pieces]


def _wav(frames: bytes, rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(frames)
    return buffer.getvalue()


@dataclass
class Crowd:
    """A number of client threads; start, let them work, finish."""

    url: str
    token: str
    recordings: list[bytes]
    seed: int
    first_number: int = 0
    uploads: list[Upload] = field(default_factory=list)
    _numbers: Iterator[int] = field(init=False)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(self.first_number)

    def upload(self, recording: int) -> Upload:
        """Send one recording and wait for its text."""
        number = next(self._numbers)
        posted_at = time.monotonic()
        try:
            answer = Client(self.url, self.token).transcribe(
                f"{recording}.wav", self.recordings[recording], {"prompt": f"upload {number}"}
            )
        except NoAnswerError:
            status, data = 0, {}
        else:
            status, data = answer.status, answer.body.get("data") or {}
        upload = Upload(
            number=number,
            recording=recording,
            posted_at=posted_at,
            answered_at=time.monotonic(),
            status=status,
            transcription_id=data.get("id", ""),
            text=data.get("text"),
        )
        self.uploads.append(upload)
        return upload

    def start(self, clients: int) -> None:
        for number in range(clients):
            thread = threading.Thread(target=self._work, args=(number,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def finish(self) -> None:
        """Let every client wait for its last answer."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        chance = random.Random(f"{self.seed} {number}")
        while not self._over.is_set():
            upload = self.upload(chance.randrange(len(self.recordings)))
            if upload.status != 200:
                self._over.wait(0.1)  # as a client would, before it tries another
