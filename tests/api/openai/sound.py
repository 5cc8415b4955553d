"""Recordings that tests make."""

from __future__ import annotations

import numpy as np

from transcription.management.benchmarks.common import SAMPLE_RATE_HZ, write_wav


def silence(seconds: float) -> bytes:
    return write_wav(np.zeros(int(seconds * SAMPLE_RATE_HZ)))
