"""Which model recognises a recording."""

from __future__ import annotations

from typing import Any

import pytest

from transcription.services.routing import Candidate, choose, route, undecided_seconds

FAST = Candidate(name="small", max_seconds=60.0, languages=frozenset())
GOOD = Candidate(name="large", max_seconds=None, languages=frozenset())
CHINESE = Candidate(name="chinese", max_seconds=None, languages=frozenset({"zh"}))


def test_the_first_model_that_fits_the_duration_is_used() -> None:
    assert choose([FAST, GOOD], seconds=59.0) == "small"
    assert choose([FAST, GOOD], seconds=61.0) == "large"


def test_a_recording_of_unknown_duration_fits_any() -> None:
    assert choose([FAST, GOOD]) == "small"


def test_a_model_that_was_asked_for_is_used_whatever_its_limits() -> None:
    assert choose([FAST, GOOD], requested="small", seconds=10_000.0) == "small"


def test_a_model_that_is_not_enabled_cannot_be_asked_for() -> None:
    assert choose([FAST], requested="large") is None


def test_a_model_is_not_used_for_a_language_that_it_does_not_know() -> None:
    assert choose([CHINESE, GOOD], language="en") == "large"
    assert choose([CHINESE, GOOD], language="zh") == "chinese"
    assert choose([CHINESE], language="en") is None


def test_a_recording_that_is_too_long_for_all_is_recognised_rather_than_refused() -> None:
    assert choose([FAST], seconds=10_000.0) == "small"


def test_without_models_there_is_no_choice() -> None:
    assert choose([]) is None


MUTE = Candidate(name="mute", max_seconds=None, languages=frozenset(), gives_words=False)
TELLING = Candidate(name="telling", max_seconds=60.0, languages=frozenset(), gives_words=True)


def test_times_of_words_are_asked_of_a_model_that_gives_them() -> None:
    assert choose([MUTE, TELLING]) == "mute"
    assert choose([MUTE, TELLING], words=True) == "telling"
    # one that surely gives them before one that may
    assert choose([GOOD, TELLING], words=True) == "telling"
    # a model that nobody has loaded yet may give them
    assert choose([MUTE, GOOD], words=True) == "large"
    # even one that is meant for shorter recordings
    assert choose([MUTE, TELLING], words=True, seconds=100.0) == "telling"


def test_without_a_model_that_gives_words_the_text_alone_is_better_than_nothing() -> None:
    assert choose([MUTE, CHINESE], words=True, language="en") == "mute"
    assert choose([MUTE, TELLING], words=True, requested="mute") == "mute"


# --- and why


def reason(candidates: list[Candidate], **facts: Any) -> str:
    choice = route(candidates, **facts)
    assert choice is not None
    return choice.reason.value


def test_the_reason_is_told() -> None:
    assert reason([FAST, GOOD], requested="small", seconds=900.0) == "requested"
    assert reason([FAST, GOOD], seconds=59.0) == "first_that_fits"
    assert reason([FAST, GOOD], seconds=61.0) == "first_that_fits"
    assert reason([CHINESE, GOOD], language="en") == "only_for_language"
    assert reason([CHINESE, GOOD], language="zh") == "first_that_fits"
    assert reason([FAST], seconds=61.0) == "longer_than_every_limit"
    assert reason([GOOD], language="en") == "first_that_fits"


def test_how_much_must_be_decoded_before_the_choice_is_sure() -> None:
    assert undecided_seconds([GOOD]) == 0.0
    assert undecided_seconds([GOOD, FAST]) == 0.0
    assert undecided_seconds([FAST, GOOD]) == 60.0
    assert undecided_seconds([FAST, GOOD], requested="small") == 0.0
    assert undecided_seconds([FAST, CHINESE], language="zh") == 60.0
    assert undecided_seconds([CHINESE, FAST], language="zh") == 0.0
    assert undecided_seconds([]) == 0.0
    # the model without a limit gives no words, so it is not the one
    assert undecided_seconds([MUTE, TELLING], words=True) == 60.0


@pytest.mark.parametrize("limits", [(60.0, None), (300.0, 60.0, None), (60.0, 300.0), (60.0, 30.0)])
def test_beyond_that_the_choice_never_changes(limits: tuple[float | None, ...]) -> None:
    candidates = [
        Candidate(name=str(number), max_seconds=limit, languages=frozenset())
        for number, limit in enumerate(limits)
    ]
    enough = undecided_seconds(candidates)
    later = {choose(candidates, seconds=enough + more) for more in (0.1, 10.0, 1e6)}
    assert len(later) == 1
