from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.audio.made import tone
from transcription.audio.sandbox import CODE_ROOT
from transcription.audio.workfile import (
    WorkFileError,
    WorkFileWriter,
    count_samples,
    read_span,
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    sound = tone(3)
    with WorkFileWriter(tmp_path / "work") as writer:
        for start in range(0, len(sound), 10_000):
            writer.append(sound[start : start + 10_000])
        assert writer.sample_count == 48_000
    span = read_span(tmp_path / "work", 1_000, 20_000)
    assert span.dtype == np.float32
    assert np.array_equal(span, sound[1_000:20_000] / np.float32(32_768))
    assert count_samples(tmp_path / "work") == 48_000


def test_full_scale_stays_within_one(tmp_path: Path) -> None:
    with WorkFileWriter(tmp_path / "work") as writer:
        writer.append(np.array([-32_768, 0, 32_767], dtype=np.int16))
    span = read_span(tmp_path / "work", 0, 3)
    assert span.tolist() == [-1.0, 0.0, 32_767 / 32_768]


def test_another_process_reads_what_was_just_written(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from transcription.audio.workfile import read_span; "
        "print(read_span(Path(sys.argv[1]), 0, 16000).sum())"
    )
    with WorkFileWriter(tmp_path / "work") as writer:
        writer.append(np.full(16_000, 16_384, dtype=np.int16))
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "work")],
            cwd=CODE_ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    assert float(done.stdout) == 8_000


def test_a_file_that_is_shorter_than_asked_for_is_an_error(tmp_path: Path) -> None:
    with WorkFileWriter(tmp_path / "work") as writer:
        writer.append(tone(1))
    with pytest.raises(WorkFileError, match="up to sample 16001 but ends at 16000"):
        read_span(tmp_path / "work", 15_000, 16_001)


def test_an_empty_span_is_no_samples(tmp_path: Path) -> None:
    with WorkFileWriter(tmp_path / "work") as writer:
        writer.append(tone(1))
    assert read_span(tmp_path / "work", 5, 5).shape == (0,)


def test_a_cleared_work_file_is_told_from_a_short_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_span(tmp_path / "work", 0, 1)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (6, 5)])
def test_an_impossible_range_is_refused(start: int, end: int, tmp_path: Path) -> None:
    (tmp_path / "work").write_bytes(bytes(100))
    with pytest.raises(ValueError, match="no range of samples"):
        read_span(tmp_path / "work", start, end)


def test_preparing_again_starts_over(tmp_path: Path) -> None:
    for seconds in (2, 1):
        with WorkFileWriter(tmp_path / "work") as writer:
            writer.append(tone(seconds))
    assert count_samples(tmp_path / "work") == 16_000


def test_only_mono_int16_is_taken(tmp_path: Path) -> None:
    with WorkFileWriter(tmp_path / "work") as writer:
        with pytest.raises(ValueError, match="float32"):
            writer.append(np.zeros(5, dtype=np.float32))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"\(2, 5\)"):
            writer.append(np.zeros((2, 5), dtype=np.int16))
