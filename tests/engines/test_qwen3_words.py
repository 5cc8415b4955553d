"""Marks go back onto the words, and sentences get their times from them."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from transcription.engines.base import Word
from transcription.engines.qwen3.words import (
    Span,
    segments_of_words,
    timed_words,
    word_spans,
)


def words_of(text: str, units: list[str]) -> list[str] | None:
    spans = word_spans(text, units)
    return spans and [text[span.start : span.end] for span in spans]


@pytest.mark.parametrize(
    ("text", "units", "words"),
    [
        ("Well-known, yes.", ["Wellknown", "yes"], ["Well-known,", "yes."]),
        ("It's $5 (or so)!", ["It's", "5", "or", "so"], ["It's", "$5", "(or", "so)!"]),
        ("“你好，”他说。", ["你", "好", "他", "说"], ["“你", "好，”", "他", "说。"]),
        ("《书》、“人”！", ["书", "人"], ["《书》、", "“人”！"]),
        ("用 GPU 算3.5倍", ["用", "GPU", "算", "35", "倍"], ["用", "GPU", "算", "3.5", "倍"]),
        ("Yes ... no", ["Yes", "no"], ["Yes ...", "no"]),
        ("— ¿Qué? —", ["Qué"], ["— ¿Qué? —"]),
    ],
)
def test_marks_go_back_onto_the_words(text, units, words) -> None:
    assert words_of(text, units) == words


def test_a_tokenizer_that_narrows_letters_is_understood() -> None:
    assert words_of("Ｗｏｒｄ１２、㎏。", ["Word12", "kg"]) == ["Ｗｏｒｄ１２、", "㎏。"]


@pytest.mark.parametrize("units", [["other"], ["yes", "no"], ["no", "yes", "more"], [], [""]])
def test_units_that_are_not_the_text_give_no_words_rather_than_wrong_ones(units) -> None:
    assert word_spans("no yes", units) is None


def test_the_words_in_a_row_are_the_text_whatever_its_marks() -> None:
    chance = random.Random(7)
    for _ in range(500):
        pieces = ["ab", "你", "9", ",", "。", " ", "(", "”", "...", "-", "'", "“", "!"]
        text = "".join(chance.choices(pieces, k=chance.randint(1, 14))).strip()
        units = [unit for part in text.split() if (unit := "".join(filter(str.isalnum, part)))]
        spans = word_spans(text, units)
        if not units:
            assert spans is None
            continue
        assert spans is not None
        words = [text[span.start : span.end] for span in spans]
        assert "".join("".join(words).split()) == "".join(text.split())
        assert all(a.end <= b.start for a, b in pairwise(spans))


def test_times_never_go_back_and_stay_within_the_clip() -> None:
    spans = [Span(start=0, end=1), Span(start=2, end=3), Span(start=4, end=5)]
    words = timed_words("a b c", spans, [(0.5, 0.4), (0.2, 1.0), (1.5, 9.0)], duration_seconds=2.0)
    assert [(word.start_seconds, word.end_seconds) for word in words] == [
        (0.5, 0.5),
        (0.5, 1.0),
        (1.5, 2.0),
    ]


def test_a_sentence_lasts_from_its_first_word_to_the_end_of_its_last() -> None:
    text = "Now, yes! (No.) At 3.14"
    spans = word_spans(text, ["Now", "yes", "No", "At", "314"])
    assert spans is not None
    times = [(0.1, 0.3), (0.4, 0.6), (1.0, 1.2), (2.0, 2.1), (2.2, 2.6)]
    words = timed_words(text, spans, times, duration_seconds=3.0)
    segments = segments_of_words(text, spans, words, avg_logprob=-0.5)
    assert [(one.start_seconds, one.end_seconds, one.text) for one in segments] == [
        (0.1, 0.6, "Now, yes!"),
        (1.0, 1.2, "(No.)"),
        (2.0, 2.6, "At 3.14"),
    ]
    assert [word for one in segments for word in one.words] == words
    assert {one.avg_logprob for one in segments} == {-0.5}


def test_a_sentence_that_ends_within_a_word_ends_with_it() -> None:
    text = "你好World。No"
    spans = word_spans(text, ["你", "好", "WorldNo"])
    assert spans is not None
    words = [Word(start_seconds=0.0, end_seconds=1.0, text="x")] * 3
    [segment] = segments_of_words(text, spans, words, avg_logprob=None)
    assert segment.text == text


def test_the_library_mends_times_that_go_back() -> None:
    # What the engine leans on: outliers are replaced, what rises stays as it is.
    from transformers.models.qwen3_asr.processing_qwen3_asr import _fix_timestamps

    assert _fix_timestamps(np.array([80.0, 160.0, 0.0, 240.0])) == [80, 160, 160, 240]
    assert _fix_timestamps(np.array([80.0, 800.0, 160.0, 240.0])) == [80, 80, 160, 240]
    chance = np.random.default_rng(3)
    for _ in range(50):
        mended = _fix_timestamps(chance.integers(0, 100, 40).astype(float))
        assert mended == sorted(mended)
