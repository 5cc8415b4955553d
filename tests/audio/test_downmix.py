from __future__ import annotations

import numpy as np

from tests.audio.made import rms, tone
from transcription.audio.downmix import RAMP_SAMPLES, Downmixer


def test_one_channel_passes_unchanged() -> None:
    sound = tone(0.1).reshape(1, -1)
    assert np.array_equal(Downmixer().fold(sound), sound[0])


def test_two_speakers_on_two_channels_are_both_heard() -> None:
    left, right = tone(1, hz=300), np.zeros(16_000, dtype=np.int16)
    left[8_000:] = 0
    right[8_000:] = tone(0.5, hz=700)
    mono = Downmixer().fold(np.stack([left, right]))
    assert np.abs(mono - (left.astype(float) + right) / 2).max() <= 1


def test_reversed_polarity_is_found_also_when_it_begins_late() -> None:
    sound = tone(1, hz=300)
    downmixer = Downmixer()
    straight = downmixer.fold(np.stack([sound, sound]))
    reversed_ = downmixer.fold(np.stack([sound, -sound]))
    assert np.array_equal(straight, sound)
    assert np.abs(reversed_[RAMP_SAMPLES:] - sound[RAMP_SAMPLES:]).max() <= 1
    # No click: the change is spread over the ramp.
    steps = np.abs(np.diff(reversed_.astype(int)))
    assert steps.max() < 3 * np.abs(np.diff(sound.astype(int))).max()


def test_polarity_is_kept_through_silence() -> None:
    sound, silence = tone(1, hz=300), np.zeros((2, 1_000), dtype=np.int16)
    downmixer = Downmixer()
    downmixer.fold(np.stack([sound, -sound]))
    assert not downmixer.fold(silence).any()
    assert np.abs(downmixer.fold(np.stack([sound, -sound])) - sound).max() <= 1


def test_unlike_channels_are_not_turned_over() -> None:
    random = np.random.default_rng(3)
    sound = random.integers(-8_000, 8_000, (2, 16_000)).astype(np.int16)
    mono = Downmixer().fold(sound)
    assert np.abs(mono - sound.astype(float).mean(axis=0)).max() <= 1


def test_nothing_clips() -> None:
    lowest = np.full(100, -32_768, dtype=np.int16)
    highest = np.full(100, 32_767, dtype=np.int16)
    assert (Downmixer().fold(np.stack([lowest, lowest])) == -32_768).all()
    turned = Downmixer().fold(np.stack([highest, lowest]))
    assert turned.min() >= 0
    assert rms(turned[RAMP_SAMPLES // 2 :]) > 16_000


def test_a_block_without_samples_is_nothing() -> None:
    assert Downmixer().fold(np.zeros((2, 0), dtype=np.int16)).shape == (0,)
