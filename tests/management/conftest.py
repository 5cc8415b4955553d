"""What the tests of commands share."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from django.conf import settings as django_settings

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
TINY = ROOT / "tests" / "engines" / "tiny-qwen3-asr"


def write_wav(path: Path, samples: npt.NDArray[np.floating]) -> Path:
    """Write float mono samples at 16 kHz as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def left_behind() -> list[str]:
    """Whatever a command left of its own data directory."""
    folder = Path(django_settings.DATA_DIR, "local")
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class Terminal(io.StringIO):
    """An output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A file that is no recording."""
    path = tmp_path / "broken.wav"
    path.write_bytes(b"no recording at all" * 100)
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A file of no bytes."""
    path = tmp_path / "empty.wav"
    path.touch()
    return path
