"""The loudest sample of each twentieth of a second: what a waveform is drawn from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 16_000
#: A page shows a few thousand of them at most; three hours are 216 kB.
PEAKS_PER_SECOND = 20
SAMPLES_PER_PEAK = SAMPLE_RATE_HZ // PEAKS_PER_SECOND


class PeakMeter:
    """Takes a recording block by block, of any sizes, and holds a byte for each peak."""

    def __init__(self) -> None:
        self._peaks = bytearray()
        self._rest = np.empty(0, dtype=np.float32)

    def feed(self, samples: npt.NDArray[Any]) -> None:
        """Add samples of shape (samples,) at 16 kHz: int16, or float within [-1, 1]."""
        levels = np.concatenate([self._rest, _levels(samples)])
        whole = len(levels) // SAMPLES_PER_PEAK * SAMPLES_PER_PEAK
        self._peaks += _as_bytes(levels[:whole].reshape(-1, SAMPLES_PER_PEAK).max(axis=1))
        self._rest = levels[whole:]

    def finish(self) -> bytes:
        """Return uint8 peaks, 255 for full scale; the last one may stand for less time."""
        if len(self._rest):
            self._peaks += _as_bytes(self._rest.max(keepdims=True))
            self._rest = self._rest[:0]
        return bytes(self._peaks)


def peaks_of(samples: npt.NDArray[Any]) -> bytes:
    """Return the peaks of a whole recording: see ``PeakMeter``."""
    meter = PeakMeter()
    meter.feed(samples)
    return meter.finish()


def _levels(samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return float32 within [0, 1]."""
    if samples.ndim != 1:
        raise ValueError(f"peaks are made of samples of shape (samples,), not {samples.shape}")
    if samples.dtype == np.int16:
        # First the wider type: the absolute value of -32768 is no int16.
        levels: npt.NDArray[np.float32] = np.abs(samples.astype(np.float32))
        levels /= 32_768
        return levels
    if np.issubdtype(samples.dtype, np.floating):
        levels = np.abs(samples.astype(np.float32))
        np.minimum(levels, 1, out=levels)
        return levels
    raise ValueError(f"peaks are made of int16 or float samples, not {samples.dtype}")


def _as_bytes(levels: npt.NDArray[np.float32]) -> bytes:
    return np.rint(levels * 255).astype(np.uint8).tobytes()
