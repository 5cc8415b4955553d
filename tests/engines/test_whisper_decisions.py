"""What the Whisper engine decides by numbers alone: windows, batches, attempts, sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from transcription.engines.base import SAMPLE_RATE_HZ
from transcription.engines.whisper_drafts import (
    FIRST,
    FRESH,
    GUARDED,
    WIDE,
    Attempt,
    Draft,
    Limits,
    Verdict,
    fault_of,
    judge,
)
from transcription.engines.whisper_pauses import time_sentences
from transcription.engines.whisper_plan import Job, batches, max_new_tokens, window_seconds
from transcription.engines.whisper_sentences import sentences_of, spoken_letters
from transcription.engines.whisper_times import TimedWord, segments_of, time_words

# --- windows and batches ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "window"),
    [(0.01, 10), (8.9, 10), (9.0, 10), (9.1, 15), (14.0, 15), (23.5, 25), (29.5, 30), (30.0, 30)],
)
def test_a_window_is_the_clip_with_a_tail_rounded_up(duration: float, window: float) -> None:
    found = window_seconds(duration, min_seconds=10, step_seconds=5, tail_seconds=1)
    assert found == window


def test_the_most_tokens_grow_with_the_window_up_to_what_the_model_has() -> None:
    assert max_new_tokens(5) == 124
    assert max_new_tokens(30) == 224


def jobs(*facts: tuple[float, int]) -> list[Job]:
    return [
        Job(index=index, window_seconds=window, context_tokens=(1,) * tokens)
        for index, (window, tokens) in enumerate(facts)
    ]


def test_a_batch_holds_one_window_and_one_length_of_prompt() -> None:
    made = batches(jobs((10, 0), (30, 0), (10, 5), (10, 0), (30, 5)), budget_seconds=1000)
    assert [[job.index for job in batch] for batch in made] == [[0, 3], [2], [1], [4]]


def test_no_batch_is_over_the_budget_and_none_is_a_small_rest() -> None:
    made = batches(jobs(*[(10, 0)] * 9), budget_seconds=40)
    assert [len(batch) for batch in made] == [3, 3, 3]


def test_a_window_over_the_budget_goes_alone() -> None:
    assert [len(batch) for batch in batches(jobs((30, 0), (30, 0)), budget_seconds=10)] == [1, 1]


def test_no_jobs_make_no_batches() -> None:
    assert batches([], budget_seconds=100) == []


# --- attempts --------------------------------------------------------------------------------

LIMITS = Limits(
    compression_ratio=2.4,
    avg_logprob=-1.0,
    no_speech_probability=0.6,
    language_probability=0.5,
)
GOOD = "The streets are empty now and the night is cold."
LOOP = "4-4-" * 100


def draft(attempt: Attempt = FIRST, text: str = GOOD, **changes: Any) -> Draft:
    values = {
        "attempt": attempt,
        "tokens": tuple(range(20)),
        "text": text,
        "avg_logprob": -0.2,
        "no_speech_probability": 0.05,
        "capped": False,
        "duration_seconds": 10.0,
        "language_probability": 1.0,
    }
    return Draft(**{**values, **changes})


def endless(attempt: Attempt = FIRST, **changes: Any) -> Draft:
    return draft(attempt, LOOP, tokens=tuple(range(224)), avg_logprob=-0.07, capped=True, **changes)


def judged(*drafts: Draft, full: bool = False, context: bool = False) -> Attempt | Verdict:
    return judge(drafts, LIMITS, own_window_is_full=full, has_context=context)


def test_a_good_draft_is_the_text() -> None:
    assert judged(draft()) == Verdict(draft=draft(), finish_reason="eos")


def test_a_text_that_was_cut_off_says_so() -> None:
    cut = draft(capped=True)
    assert judged(cut) == Verdict(draft=cut, finish_reason="length")


def test_an_improbable_text_is_heard_again_and_the_better_one_taken() -> None:
    doubtful = draft(avg_logprob=-1.2)
    assert judged(doubtful) == FRESH
    better = draft(FRESH, avg_logprob=-1.1)
    assert judged(doubtful, better) == Verdict(draft=better, finish_reason="eos")
    worse = draft(FRESH, avg_logprob=-1.5)
    assert judged(doubtful, worse) == Verdict(draft=doubtful, finish_reason="eos")


def test_nothing_is_heard_again_where_nothing_would_be_different() -> None:
    doubtful = draft(avg_logprob=-1.2)
    assert judged(doubtful, full=True) == Verdict(draft=doubtful, finish_reason="eos")
    assert judged(doubtful, full=True, context=True) == FRESH


def test_an_improbable_text_where_nobody_seems_to_speak_is_dropped() -> None:
    silence = draft(avg_logprob=-1.2, no_speech_probability=0.8)
    assert judged(silence) == Verdict(draft=None, finish_reason="eos")


def test_a_loop_where_nobody_seems_to_speak_is_dropped() -> None:
    assert judged(endless(no_speech_probability=0.8)) == Verdict(draft=None, finish_reason="eos")


def test_a_probable_text_stays_though_nobody_seems_to_speak() -> None:
    quiet = draft(no_speech_probability=0.9)
    assert judged(quiet) == Verdict(draft=quiet, finish_reason="eos")


def test_a_loop_that_the_full_window_resolves_is_resolved() -> None:
    assert judged(endless()) == FRESH
    assert judged(endless(), draft(FRESH)) == Verdict(draft=draft(FRESH), finish_reason="eos")


def test_a_loop_that_stays_is_tried_without_repetitions() -> None:
    assert judged(endless(), endless(FRESH)) == GUARDED
    assert judged(endless(), draft(FRESH, avg_logprob=-1.2)) == GUARDED
    assert judged(endless(), full=True) == GUARDED
    resolved = draft(GUARDED)
    assert judged(endless(), endless(FRESH), resolved) == Verdict(
        draft=resolved, finish_reason="eos"
    )


def test_a_loop_that_nothing_resolves_is_marked() -> None:
    doubtful = draft(GUARDED, avg_logprob=-1.3)
    assert judged(endless(), endless(FRESH), doubtful) == Verdict(
        draft=doubtful, finish_reason="repetition"
    )


def test_somebody_who_repeats_himself_is_written_as_he_spoke() -> None:
    chorus = draft(text="One, two, three. " * 9, tokens=tuple(range(60)))
    assert fault_of(chorus, LIMITS) == "repeats"
    assert judged(chorus) == GUARDED
    # Without repetitions the decoder still finds words that it believes: it is speech.
    guarded = draft(GUARDED, "One, two, three.")
    assert judged(chorus, guarded) == Verdict(draft=chorus, finish_reason="eos")


def test_repetitions_that_nothing_speaks_for_are_marked() -> None:
    humming = draft(text="10 o'clock. " * 20, tokens=tuple(range(60)))
    doubtful = draft(GUARDED, avg_logprob=-1.2)
    assert judged(humming, doubtful) == Verdict(draft=doubtful, finish_reason="repetition")


def test_a_guessed_language_is_heard_again_in_the_full_window() -> None:
    guess = draft(language_probability=0.3)
    assert judged(guess) == WIDE
    surer, less_sure = draft(WIDE, language_probability=0.4), draft(WIDE, language_probability=0.2)
    assert judged(guess, surer) == Verdict(draft=surer, finish_reason="eos")
    assert judged(guess, less_sure) == Verdict(draft=guess, finish_reason="eos")
    assert judged(guess, full=True) == Verdict(draft=guess, finish_reason="eos")


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("context", [False, True])
def test_every_row_of_bad_drafts_ends(full: bool, context: bool) -> None:
    """Whatever goes wrong, at most four attempts, and never the same one twice."""
    makers: list[Any] = [
        lambda attempt: endless(attempt),
        lambda attempt: draft(attempt, avg_logprob=-1.5),
        lambda attempt: draft(attempt, language_probability=0.1),
        lambda attempt: draft(attempt, text="One, two. " * 20),
        lambda attempt: draft(attempt),
    ]

    def follow(drafts: list[Draft]) -> None:
        found = judge(drafts, LIMITS, own_window_is_full=full, has_context=context)
        if isinstance(found, Verdict):
            assert found.draft is None or found.draft in drafts
            return
        assert found not in [one.attempt for one in drafts]
        assert len(drafts) < 4
        for make in makers:
            follow([*drafts, make(found)])

    for make in makers:
        follow([make(FIRST)])


# --- sentences and their times ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("no marks at all", ["no marks at all"]),
        ("Hello. Is it you? Yes!", ["Hello.", "Is it you?", "Yes!"]),
        ("W. T. Smith paid 3.5 on 3. May. OK.", ["W. T. Smith paid 3.5 on 3. May.", "OK."]),
        ("He said “go.” Then he went.", ["He said “go.”", "Then he went."]),
        ("你好世界。今天天气很好！好的", ["你好世界。", "今天天气很好！", "好的"]),
        ("他说：“走吧。”然后走了。", ["他说：“走吧。”", "然后走了。"]),
    ],
)
def test_a_text_is_cut_into_its_sentences(text: str, sentences: list[str]) -> None:
    assert sentences_of(text) == sentences


def test_a_long_sentence_is_divided_at_a_comma_near_its_middle() -> None:
    half = (
        "and so it went on with many words that nobody had ever asked for "
        "at all in those long and lonely days"
    )
    assert sentences_of(f"{half}, {half}.") == [f"{half},", f"{half}."]
    without = (half + " ") * 3
    assert sentences_of(without) == [without.strip()]


def test_a_chinese_character_takes_longer_than_a_letter() -> None:
    assert spoken_letters("你好") > spoken_letters("ab")
    assert spoken_letters(" ,。") == 0


def speech(*stretches: tuple[float, float], seconds: float, noise: float) -> Any:
    """Loud stretches in a quiet room."""
    random = np.random.default_rng(5)
    samples = random.normal(0, noise, int(seconds * SAMPLE_RATE_HZ))
    for start, end in stretches:
        first, last = int(start * SAMPLE_RATE_HZ), int(end * SAMPLE_RATE_HZ)
        samples[first:last] += random.normal(0, 0.1, last - first)
    return samples.astype(np.float32)


@pytest.mark.parametrize("noise", [0.0, 0.0003, 0.005])
def test_sentences_begin_and_end_at_the_pauses(noise: float) -> None:
    truth = ((0.5, 2.5), (2.9, 6.0), (6.2, 7.0))
    samples = speech(*truth, seconds=8, noise=noise)
    found = time_sentences([20, 31, 8], samples)
    for stretch, (start, end) in zip(found, truth, strict=True):
        assert stretch.start_seconds == pytest.approx(start, abs=0.05)
        assert stretch.end_seconds == pytest.approx(end, abs=0.05)


def test_a_pause_inside_a_sentence_is_not_taken_for_its_end() -> None:
    samples = speech((0, 1), (1.5, 5), (5.3, 8), seconds=8, noise=0.001)
    first, second = time_sentences([45, 27], samples)
    assert first.end_seconds == pytest.approx(5, abs=0.05)
    assert second.start_seconds == pytest.approx(5.3, abs=0.05)


def test_sentences_without_a_pause_are_placed_by_their_length() -> None:
    first, second = time_sentences([30, 10], speech((0, 8), seconds=8, noise=0.001))
    assert first.end_seconds == second.start_seconds == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("seconds", [0.005, 0.05, 1.0])
@pytest.mark.parametrize("count", [1, 2, 30])
def test_times_are_in_order_and_inside_whatever_the_clip(seconds: float, count: int) -> None:
    for samples in (
        speech(seconds=seconds, noise=0.01),
        speech((0, seconds / 2), seconds=seconds, noise=0.0),
        np.zeros(int(seconds * SAMPLE_RATE_HZ), dtype=np.float32),
    ):
        found = time_sentences([1.0] * count, samples)
        times = [at for one in found for at in (one.start_seconds, one.end_seconds)]
        assert len(found) == count
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= seconds + 1e-9


def test_words_get_the_times_of_their_first_tokens() -> None:
    path = [(0, 10), (0, 11), (1, 20), (2, 30), (2, 31), (3, 50)]
    timed = time_words([" Hello", " world."], [1, 2], path, [0.9, 0.5, 0.7], duration_seconds=2)
    assert [(w.start_seconds, w.end_seconds) for w in timed] == [(0.2, 0.4), (0.4, 1.0)]
    assert [w.probability for w in timed] == pytest.approx([0.9, 0.6])


def test_words_stay_inside_the_clip_and_in_order() -> None:
    path = [(0, 0), (1, 90), (2, 200)]
    timed = time_words([" a", " b"], [1, 1], path, [1.0, 1.0], duration_seconds=1.5)
    assert timed[-1].end_seconds <= 1.5
    assert timed[0].end_seconds <= timed[1].start_seconds


def test_a_word_does_not_reach_over_the_pause_after_it() -> None:
    [word, _] = time_words(
        [" yes", " no"], [1, 1], [(0, 0), (1, 400), (2, 420)], [1.0, 1.0], duration_seconds=10
    )
    assert word.end_seconds == pytest.approx(0.8 + 3 * 0.08)


def test_marks_and_pieces_join_the_words_they_belong_to() -> None:
    words = ["你", "好", "，", "Chat", "GPT", " “", "ok", "”", "。"]
    path = [(index, index * 10) for index in range(len(words) + 1)]
    timed = time_words(words, [1] * len(words), path, [1.0] * len(words), duration_seconds=5)
    assert [word.text for word in timed] == ["你", "好，", "ChatGPT", " “ok”。"]
    assert "".join(word.text for word in timed) == "".join(words)


def test_words_make_segments_at_sentence_ends_and_long_pauses() -> None:
    words = [
        TimedWord(start_seconds=start, end_seconds=start + 0.3, text=text, probability=0.9)
        for start, text in [(0.0, " One"), (0.3, " two."), (0.7, " Three"), (2.5, " four")]
    ]
    segments = segments_of(words, avg_logprob=-0.1, no_speech_probability=0.0)
    assert [segment.text for segment in segments] == ["One two.", "Three", "four"]
    assert [len(segment.words) for segment in segments] == [2, 1, 1]
    assert (segments[0].start_seconds, segments[0].end_seconds) == (0.0, 0.6)
