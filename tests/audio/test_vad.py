"""Silero through our own hands, against the implementation that ships with it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from tests.audio.made import SAMPLES, tone
from transcription.audio.sandbox import CODE_ROOT
from transcription.audio.vad import WINDOW_SAMPLES, SileroVad
from transcription.audio.workfile import read_span


def speech() -> npt.NDArray[np.float32]:
    """English, silence, Chinese: float32 within [-1, 1]."""
    parts = []
    for name in ("english.wav", "chinese.wav"):
        path = SAMPLES / name
        start = path.read_bytes().index(b"data") + 8
        parts.append(read_span(path, start // 2, path.stat().st_size // 2))
        parts.append(np.zeros(20_000, dtype=np.float32))
    return np.concatenate(parts)


def windows_of(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.pad(samples, (0, -len(samples) % WINDOW_SAMPLES)).reshape(-1, WINDOW_SAMPLES)


@pytest.fixture(scope="module")
def windows() -> npt.NDArray[np.float32]:
    return windows_of(speech())


def test_probabilities_are_those_of_the_shipped_implementation(
    windows: npt.NDArray[np.float32],
) -> None:
    from faster_whisper.vad import get_vad_model

    expected = get_vad_model()(windows.reshape(-1).copy())
    ours = SileroVad().feed(windows)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected.reshape(-1), atol=1e-4)
    assert ours.max() > 0.9
    assert ours.min() < 0.1


@pytest.mark.parametrize("at_once", [1, 3, 62, 300])
def test_any_way_of_feeding_gives_the_same_probabilities(
    at_once: int, windows: npt.NDArray[np.float32]
) -> None:
    vad = SileroVad()
    pieces = [
        vad.feed(windows[start : start + at_once]) for start in range(0, len(windows), at_once)
    ]
    np.testing.assert_allclose(np.concatenate(pieces), SileroVad().feed(windows), atol=1e-4)


def test_two_streams_do_not_disturb_each_other(windows: npt.NDArray[np.float32]) -> None:
    one, other = SileroVad(), SileroVad()
    silence = np.zeros((10, WINDOW_SAMPLES), dtype=np.float32)
    mixed = []
    for start in range(0, 200, 10):
        mixed.append(one.feed(windows[start : start + 10]))
        other.feed(silence)
    np.testing.assert_allclose(np.concatenate(mixed), SileroVad().feed(windows[:200]), atol=1e-4)


def test_silence_noise_and_tones_are_no_speech() -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, 160_000).astype(np.float32)
    for sound in (np.zeros(160_000, dtype=np.float32), noise, tone(10) / np.float32(32_768)):
        assert SileroVad().feed(windows_of(sound)).max() < 0.3


def test_no_windows_are_no_probabilities() -> None:
    assert SileroVad().feed(np.zeros((0, WINDOW_SAMPLES), dtype=np.float32)).shape == (0,)


def test_windows_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="512"):
        SileroVad().feed(np.zeros((3, 480), dtype=np.float32))


def test_detecting_voice_imports_no_engine() -> None:
    code = (
        "import sys, numpy; from transcription.audio.vad import SileroVad; "
        "SileroVad().feed(numpy.zeros((2, 512), dtype=numpy.float32)); "
        "print(sorted({'faster_whisper', 'ctranslate2', 'torch', 'av', 'django'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CODE_ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
