"""The bar says how far all files are together."""

from __future__ import annotations

import io

import pytest
from django.core.management.base import OutputWrapper

from tests.management.conftest import Terminal
from transcription.management.local import FileProgress
from transcription.management.progress_line import ProgressLine, _cut, clock


def bar(output: io.StringIO, *, files: int, seconds: float = 0.0) -> ProgressLine:
    times = iter([0.0] + [seconds] * 100)
    return ProgressLine(OutputWrapper(output), files=files, now=lambda: next(times))


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0:00"), (83.4, "1:23"), (3_723, "1:02:03"), (59.9, "1:00")]
)
def test_times_read_like_a_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_the_bar_counts_seconds_of_audio() -> None:
    line = bar(Terminal(), files=2, seconds=10.0)
    line.finished(seconds=60.0)
    text = line.text([FileProgress(number=1, seconds=180.0, share=0.5)])
    assert text == f"{'█' * 15}{'░' * 9}  62%  1 of 2 files  2:30 of 4:00  15.0 × real time"


def test_a_file_of_unknown_length_counts_as_a_usual_one() -> None:
    line = bar(Terminal(), files=2, seconds=10.0)
    line.finished(seconds=60.0)
    assert "  50%  " in line.text([FileProgress(number=1, seconds=None, share=0.0)])


def test_nothing_known_is_nothing_done() -> None:
    line = bar(Terminal(), files=1)
    assert "   0%  0 of 1 files" in line.text([FileProgress(number=0, seconds=None, share=0.0)])


def test_a_log_sees_finished_files_alone() -> None:
    log = io.StringIO()
    line = bar(log, files=1)
    line.update([FileProgress(number=0, seconds=9.0, share=0.5)])
    line.note("Loaded")
    line.finished(seconds=9.0)
    line.say("a.wav (0:09, en)")
    line.clear()
    assert log.getvalue() == "a.wav (0:09, en)\n"


def test_a_narrow_terminal_cuts_the_line_where_it_would_wrap() -> None:
    assert _cut("abc", 3) == "abc"
    assert _cut("录音ab", 5) == "录音a"
    assert _cut("录音", 3) == "录"
