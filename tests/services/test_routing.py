"""Which model recognises a recording."""

from __future__ import annotations

from transcription.services.routing import Candidate, choose

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
