"""What can be done to a segment, and how it is undone; the rest in tests/services/test_review."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from transcription.text.edits import (
    Change,
    Line,
    changes,
    differences,
    edited,
    merged,
    split,
    timed,
    undone,
)


def line(text: str, start: float = 0.0, end: float = 2.0, **fields: Any) -> Line:
    return Line(
        **{
            "id": 1,
            "start_seconds": start,
            "end_seconds": end,
            "text": text,
            "language": "en",
            "words": None,
            "avg_logprob": None,
            "no_speech_probability": None,
            "revision": 0,
            **fields,
        }
    )


def word(text: str, start: float, end: float) -> dict[str, Any]:
    return {"word": text, "start": start, "end": end, "probability": 0.5}


def test_a_text_that_is_the_same_but_for_blanks_is_the_same() -> None:
    one = line(" Hello  there. ")
    assert edited(one, "Hello\nthere.") is one
    assert edited(one, "Hello.").words is None


@pytest.mark.parametrize(
    ("at_seconds", "expected"),
    [(None, 0.5), (1.25, 1.25), (0.0, 0.5), (2.0, 0.5), (7.0, 0.5)],
)
def test_without_words_a_cut_is_where_it_is_said_or_in_proportion(
    at_seconds: float | None, expected: float
) -> None:
    left, right = split(line("abcd efgh ijkl mnop "), 5, at_seconds)
    assert (left.text, right.text) == ("abcd", "efgh ijkl mnop")
    assert (left.end_seconds, right.start_seconds) == (expected, expected)
    assert (left.id, right.id) == (1, None)


def test_with_words_a_cut_is_in_the_pause_between_them() -> None:
    spoken = line("one two", words=[word(" one", 0.0, 0.5), word(" two", 1.5, 2.0)])
    left, right = split(spoken, 4, None)
    assert (left.end_seconds, right.start_seconds) == (1.0, 1.0)
    left, right = split(spoken, 4, 1.75)
    assert [one["start"] for one in right.words or []] == [1.75]
    # Through a word: both parts have a word of their own.
    left, right = split(spoken, 5, None)
    assert [one["word"] for one in left.words or []] == [" one", "t"]
    assert [one["word"] for one in right.words or []] == ["wo"]


def test_merging_weighs_what_the_engine_said_by_the_seconds() -> None:
    one = merged(
        line("a", 0, 1, avg_logprob=-1.0),
        line("b", 1, 4, id=2, avg_logprob=-0.2, no_speech_probability=0.1),
    )
    assert one.avg_logprob == pytest.approx(-0.4)
    assert (one.no_speech_probability, one.text, one.words) == (0.1, "a b", None)


def test_merging_gives_words_to_the_side_that_has_none() -> None:
    one = merged(line("a", 0, 1, words=[word(" a", 0.1, 0.4)]), line("b c", 1, 2, id=2))
    assert [(each["word"], each["start"], each["end"]) for each in one.words or []] == [
        (" a", 0.1, 0.4),
        ("b", 1.0, 1.5),
        ("c", 1.5, 2.0),
    ]


def test_merging_an_empty_one_takes_the_language_of_what_is_said() -> None:
    one = merged(line("", language="en"), line("好", id=2, language="zh"))
    assert (one.text, one.language) == ("好", "zh")


def test_other_times_take_the_words_along() -> None:
    one = line("one two", words=[word(" one", 0.0, 0.5), word(" two", 1.5, 2.0)])
    assert timed(one, 0.0, 2.0) is one
    assert [each["end"] for each in timed(one, 0.0, 1.75).words or []] == [0.5, 1.75]


def test_changes_hold_what_changed_and_nothing_else() -> None:
    before = [line(str(number), id=number) for number in range(10)]
    after = [*before]
    after[7:9] = [replace(before[7], text="78")]
    after[2] = replace(before[2], text="two")
    after[4:5] = [replace(before[4], text="4"), replace(before[4], text="5", id=99)]

    made = changes(before, after)
    assert [(one.at, len(one.removed), len(one.inserted)) for one in made] == [
        (2, 1, 1),
        (4, 1, 2),
        (8, 2, 1),
    ]
    assert undone(after, made) == before
    assert [Change.from_json(one.as_json()) for one in made] == made


def test_differences_are_told_by_segment() -> None:
    before = [line("one two", id=1), line("three", id=2), line("four", id=3), line("天气好", id=4)]
    after = [
        replace(before[0], text="one"),
        line("two", id=9),
        replace(before[1], text="three four", revision=5),
        replace(before[3], text="天气很好", revision=6),
    ]
    found = differences(before, after)
    assert [
        ([one.id for one in each.before], [one.id for one in each.after]) for each in found
    ] == [
        ([1], [1, 9]),
        ([2, 3], [2]),
        ([4], [4]),
    ]
    assert found[0].parts == (("same", "one two"),)
    assert found[2].parts == (("same", "天气"), ("added", "很"), ("same", "好"))
    # Another number alone is no difference.
    assert differences(before, [replace(one, revision=3) for one in before]) == []
