"""The rules of cutting, without any sound: one number per 32 ms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from transcription.audio.plan import Planner, Policy, WindowRange, plan

SECOND = 31.25  # windows

Row = npt.NDArray[np.float32]


def windows(seconds: float) -> int:
    return round(seconds * SECOND)


def row(*parts: tuple[float, float]) -> Row:
    """(seconds, probability) one after the other."""
    return np.concatenate(
        [np.full(windows(seconds), value, dtype=np.float32) for seconds, value in parts]
    )


def chunks(
    probabilities: Row, *, max_seconds: float = 30, levels: Row | None = None
) -> list[tuple[int, int]]:
    if levels is None:
        levels = np.full(len(probabilities), 0.1, dtype=np.float32)
    planned = plan(probabilities, levels, Policy(max_windows=windows(max_seconds)))
    return [(chunk.start_window, chunk.end_window) for chunk in planned]


PAD = Policy(max_windows=1_000).padding_windows


def test_no_speech_gives_no_chunk() -> None:
    assert chunks(row((100, 0.02))) == []
    assert chunks(np.zeros(0, dtype=np.float32)) == []


def test_speech_is_padded_where_there_is_room() -> None:
    begin = windows(5)
    assert chunks(row((5, 0), (3, 1), (5, 0))) == [(begin - PAD, begin + windows(3) + PAD)]


def test_padding_ends_where_the_recording_does() -> None:
    assert chunks(row((3, 1))) == [(0, windows(3))]
    assert chunks(row((0.1, 0), (3, 1), (0.1, 0))) == [(0, windows(0.1) * 2 + windows(3))]


def test_a_long_silence_ends_a_chunk_and_belongs_to_none() -> None:
    found = chunks(row((3, 1), (20, 0), (3, 1)))
    assert found == [(0, windows(3) + PAD), (windows(23) - PAD, windows(3) * 2 + windows(20))]


def test_a_short_pause_stays_inside() -> None:
    assert chunks(row((3, 1), (1.2, 0), (3, 1))) == [(0, windows(3) * 2 + windows(1.2))]


def test_hesitating_probability_does_not_end_speech() -> None:
    assert chunks(row((1, 0.9), (1, 0.2), (1, 0.9))) == [(0, windows(1) * 3)]


def test_a_short_quiet_word_is_kept() -> None:
    # 0.1 s at a probability that never gets beyond a third.
    assert len(chunks(row((5, 0.05), (0.1, 0.33), (5, 0.05)))) == 1


def test_a_single_doubtful_window_is_not_worth_a_chunk() -> None:
    assert chunks(row((5, 0.05), (0.032, 0.4), (5, 0.05))) == []


def test_a_single_certain_window_is() -> None:
    assert len(chunks(row((5, 0.05), (0.032, 0.6), (5, 0.05)))) == 1


def test_a_long_talk_is_cut_at_the_longest_pause_of_the_second_half() -> None:
    found = chunks(row((16, 1), (0.3, 0), (4, 1), (0.9, 0), (5, 1), (0.2, 0), (20, 1)))
    cut = windows(16) + windows(0.3) + windows(4)
    assert found[0] == (0, cut + PAD)
    assert found[1][0] == cut + windows(0.9) - PAD


def test_a_pause_without_room_for_padding_is_shared_in_its_middle() -> None:
    found = chunks(row((20, 1), (0.32, 0), (20, 1)))
    assert found[0][1] == found[1][0] == windows(20) + windows(0.32) // 2


def test_a_pause_in_the_first_half_is_better_than_a_hard_cut() -> None:
    found = chunks(row((10, 1), (0.32, 0), (25, 1)))
    assert found[0] == (0, windows(10) + windows(0.32) // 2)


def test_without_any_pause_the_cut_is_where_it_sounds_least_like_speech() -> None:
    talk = row((24, 0.95), (0.16, 0.4), (30, 0.95))
    found = chunks(talk)
    assert found[0][1] == found[1][0]
    assert windows(24) <= found[0][1] <= windows(24) + 5


def test_between_equals_the_quietest_place_is_cut() -> None:
    talk = row((60, 1))
    levels = np.full(len(talk), 0.2, dtype=np.float32)
    levels[windows(23) : windows(23) + 5] = 0.01
    found = chunks(talk, levels=levels)
    assert found[0][1] == windows(23) + 2


def test_endless_speech_is_cut_into_pieces_that_cover_all_of_it() -> None:
    found = chunks(row((301, 1)))
    assert found[0][0] == 0
    assert found[-1][1] == windows(301)
    assert all(left[1] == right[0] for left, right in pairwise(found))
    assert len(found) <= 16  # none is much shorter than two thirds of the limit


def test_speech_that_fills_the_limit_exactly_is_one_chunk() -> None:
    assert chunks(row((30, 1)), max_seconds=30) == [(0, windows(30))]
    # The padding gives way, the speech does not.
    assert chunks(row((29.9, 1), (10, 0)), max_seconds=30) == [(0, windows(30))]


def test_a_pause_over_the_limit_is_where_the_cut_is() -> None:
    found = chunks(row((15.5, 1), (0.2, 0), (13.5, 1), (1.4, 0), (10, 1)))
    end_of_speech = windows(15.5) + windows(0.2) + windows(13.5)
    assert found[0] == (0, end_of_speech + PAD)
    assert found[1][0] == end_of_speech + windows(1.4) - PAD


def test_a_limit_that_cannot_hold_a_pause_is_refused() -> None:
    with pytest.raises(ValueError, match="must hold more"):
        Policy(max_windows=20)


def random_row(seed: int) -> tuple[Row, Row]:
    """Something like talk: stretches of any length and certainty."""
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(60):
        level = random.choice([0.0, 0.1, 0.2, 0.4, 0.9, 1.0])
        parts.append(np.clip(random.normal(level, 0.08, int(random.exponential(60)) + 1), 0, 1))
    probabilities = np.concatenate(parts).astype(np.float32)
    return probabilities, random.uniform(0, 0.3, len(probabilities)).astype(np.float32)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("max_seconds", [3, 10, 30])
def test_whatever_comes_the_promises_are_kept(seed: int, max_seconds: float) -> None:
    probabilities, levels = random_row(seed)
    policy = Policy(max_windows=windows(max_seconds))
    whole = plan(probabilities, levels, policy)
    last = 0
    for chunk in whole:
        assert last <= chunk.start_window < chunk.end_window <= len(probabilities)
        assert chunk.end_window - chunk.start_window <= policy.max_windows
        last = chunk.end_window
    # Nothing that is surely speech is outside.
    inside = np.zeros(len(probabilities), dtype=bool)
    for chunk in whole:
        inside[chunk.start_window : chunk.end_window] = True
    assert not (probabilities[~inside] >= policy.certain_probability).any()
    # And no chunk holds a silence that should have ended it.
    for chunk in whole:
        quiet = probabilities[chunk.start_window : chunk.end_window] < policy.silence_probability
        edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(int)))
        runs = edges[1::2] - edges[::2]
        assert runs.max(initial=0) < policy.separating_windows

    planner, streamed = Planner(policy), list[WindowRange]()
    random = np.random.default_rng(seed)
    position = 0
    while position < len(probabilities):
        step = int(random.integers(1, 80))
        streamed += planner.feed(
            probabilities[position : position + step], levels[position : position + step]
        )
        position += step
        # Never later than it has to be: what is held back is one chunk and the silence after it.
        waiting = position - (streamed[-1].end_window if streamed else 0)
        heard = probabilities[:position] >= policy.certain_probability
        if heard[position - waiting :].any():
            first = position - waiting + int(heard[position - waiting :].argmax())
            assert position - first <= policy.max_windows + policy.separating_windows
    assert streamed + planner.finish() == whole
