from __future__ import annotations

import numpy as np
import pytest

from transcription.audio.peaks import SAMPLES_PER_PEAK, PeakMeter, peaks_of


def test_a_peak_is_the_loudest_sample_of_its_twentieth_of_a_second() -> None:
    samples = np.zeros(3 * SAMPLES_PER_PEAK, dtype=np.int16)
    samples[5] = 16_384
    samples[2 * SAMPLES_PER_PEAK] = -32_768
    assert list(peaks_of(samples)) == [128, 0, 255]


def test_blocks_of_any_size_give_the_same_peaks() -> None:
    samples = np.random.default_rng(3).integers(-32_768, 32_767, 10_007).astype(np.int16)
    meter = PeakMeter()
    for start in range(0, len(samples), 613):
        meter.feed(samples[start : start + 613])
    meter.feed(samples[:0])
    peaks = meter.finish()
    assert peaks == peaks_of(samples)
    assert len(peaks) == 13
    assert meter.finish() == peaks


def test_float_samples_give_the_peaks_of_the_same_sound() -> None:
    samples = np.random.default_rng(4).integers(-32_768, 32_767, 4_000).astype(np.int16)
    assert peaks_of(samples.astype(np.float32) / 32_768) == peaks_of(samples)
    assert list(peaks_of(np.array([0.5, -2.0]))) == [255]


def test_nothing_has_no_peaks_and_other_samples_are_refused() -> None:
    assert peaks_of(np.zeros(0, dtype=np.int16)) == b""
    with pytest.raises(ValueError, match="int16 or float"):
        peaks_of(np.zeros(4, dtype=np.int32))
    with pytest.raises(ValueError, match="shape"):
        peaks_of(np.zeros((2, 4), dtype=np.int16))
