"""A recording of three hours needs the memory of one of three minutes."""

from __future__ import annotations

import pytest

from transcription.management.benchmarks import long_recording
from transcription.management.benchmarks.long_recording import LONG_SECONDS, SHORT_SECONDS, run

OPTIONS = {"chunk_seconds": 30}


@pytest.mark.timeout(900)
def test_three_hours_need_the_memory_of_three_minutes_and_are_read_while_they_are_decoded() -> None:
    short = run(engine="fake", options=OPTIONS, seconds=SHORT_SECONDS)
    long = run(engine="fake", options=OPTIONS, seconds=LONG_SECONDS)
    assert long.status == "completed"
    assert long.characters > 30 * short.characters
    worst = long_recording.ratios(short, long)
    assert {"launcher", "web", "chores", "engine-0", "decoder"} <= set(worst)
    assert max(worst.values()) <= long_recording.MOST_MEMORY_RATIO, worst
    assert long.first_text_seconds < long.decoded_seconds
    print(
        f"first text after {long.first_text_seconds:.1f} s, decoded after "
        f"{long.decoded_seconds:.1f} s, completed after {long.completed_seconds:.1f} s; "
        f"memory {worst}"
    )
