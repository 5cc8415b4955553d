"""Cuts a stream of samples into the stretches that are worth recognising."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transcription.audio import SAMPLE_RATE_HZ
from transcription.audio.plan import Planner, Policy, WindowRange
from transcription.audio.vad import WINDOW_SAMPLES, SileroVad, VoiceDetector


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of the recording that has speech: samples at 16 kHz from its beginning."""

    start_sample: int
    #: Not included.
    end_sample: int

    @property
    def duration_seconds(self) -> float:
        return (self.end_sample - self.start_sample) / SAMPLE_RATE_HZ


class Splitter:
    """One recording on its way from the decoder to chunks; holds about one chunk's numbers.

    Spans come in order, do not overlap and are never longer than max_chunk_seconds; silence of
    more than about 1.5 s is in none of them. A recording without speech gives none. The result
    does not depend on how the samples are divided among the calls. See plan for the rules.
    """

    def __init__(self, *, max_chunk_seconds: float, vad: VoiceDetector | None = None) -> None:
        """vad: another detector than Silero's. Raises ValueError for a limit under 2.2 s."""
        self._planner = Planner(
            Policy(max_windows=int(max_chunk_seconds * SAMPLE_RATE_HZ) // WINDOW_SAMPLES)
        )
        self._vad: VoiceDetector = vad if vad is not None else SileroVad()
        self._rest = np.zeros(0, dtype=np.int16)
        self._samples = 0
        self._finished = False

    def feed(self, samples: npt.NDArray[np.int16]) -> list[Span]:
        """The next int16 samples, shape (samples,); the spans that are now final."""
        if self._finished:
            raise RuntimeError("this Splitter has been finished")
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise ValueError(
                f"int16 of shape (samples,) is needed: {samples.dtype} {samples.shape}"
            )
        self._samples += len(samples)
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // WINDOW_SAMPLES * WINDOW_SAMPLES
        self._rest = samples[whole:].copy()
        return self._spans(self._look_at(samples[:whole]))

    def finish(self) -> list[Span]:
        """The recording is over; the spans that are left."""
        if self._finished:
            raise RuntimeError("this Splitter has been finished")
        self._finished = True
        missing = -len(self._rest) % WINDOW_SAMPLES
        chunks = self._look_at(np.pad(self._rest, (0, missing)))
        return self._spans(chunks + self._planner.finish())

    def _look_at(self, samples: npt.NDArray[np.int16]) -> list[WindowRange]:
        if not len(samples):
            return []
        windows = samples.reshape(-1, WINDOW_SAMPLES).astype(np.float32) / np.float32(32768)
        levels = np.sqrt(np.mean(np.square(windows), axis=1))
        return self._planner.feed(self._vad.feed(windows), levels)

    def _spans(self, chunks: list[WindowRange]) -> list[Span]:
        return [
            Span(
                start_sample=chunk.start_window * WINDOW_SAMPLES,
                end_sample=min(chunk.end_window * WINDOW_SAMPLES, self._samples),
            )
            for chunk in chunks
        ]
