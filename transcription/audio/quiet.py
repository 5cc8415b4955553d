"""Where to cut a clip that must be cut."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_WINDOW_SAMPLES = 1_600  # 0.1 s at 16 kHz: shorter than a word, longer than a period of a voice


def quietest_sample(samples: npt.NDArray[np.float32]) -> int:
    """Return the sample in the middle third of a clip around which it is quietest.

    ``samples``: float32, shape (samples,), 16 kHz, at least 0.3 s. The result lies strictly
    inside the clip.
    """
    third = len(samples) // 3
    middle = samples[third : 2 * third].astype(np.float64)
    window = min(_WINDOW_SAMPLES, len(middle))
    energy = np.convolve(middle**2, np.ones(window), mode="valid")
    return third + int(energy.argmin()) + window // 2
