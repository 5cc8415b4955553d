"""Many channels become one, without clipping and without two of them cancelling each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Below this correlation the two channels are taken to be one signal with its polarity reversed
#: (a balanced microphone wired wrongly): their mean would be silence.
REVERSED_CORRELATION = -0.5
#: Length of the ramp when the polarity of the second channel changes: 10 ms at 16 kHz.
RAMP_SAMPLES = 160


class Downmixer:
    """Folds blocks of int16 channels into mono; remembers the polarity between blocks.

    The result is the mean of the channels, so it cannot clip. Of two channels the second is
    turned over while it runs against the first.
    """

    def __init__(self) -> None:
        self._polarity = 1.0

    def fold(self, channels: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """int16 of shape (channels, samples) -> int16 of shape (samples,)."""
        if channels.shape[0] == 1:
            mono: npt.NDArray[np.int16] = channels[0]
            return mono
        signal = channels.astype(np.float32)
        if channels.shape[0] == 2 and channels.shape[1]:
            signal[1] *= self._weights(signal[0], signal[1])
        mean = np.rint(signal.mean(axis=0))
        # -(-32768) is one more than int16 holds.
        folded: npt.NDArray[np.int16] = np.clip(mean, -32768, 32767).astype(np.int16)
        return folded

    def _weights(
        self, left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        before = self._polarity
        power = float(np.sqrt(np.dot(left, left) * np.dot(right, right)))
        if power > 0:
            correlation = float(np.dot(left, right)) / power
            if correlation < REVERSED_CORRELATION:
                self._polarity = -1.0
            elif correlation > 0:
                self._polarity = 1.0
        weights = np.full(left.shape, self._polarity, dtype=np.float32)
        if before != self._polarity:
            ramp = min(RAMP_SAMPLES, len(weights))
            weights[:ramp] = np.linspace(before, self._polarity, ramp, dtype=np.float32)
        return weights
