"""Times of words, when people change the text around them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from transcription.text.characters import is_said
from transcription.text.word_times import aligned, clamped, divided, tokens


def words(*given: tuple[str, float, float]) -> list[dict[str, Any]]:
    return [
        {"word": word, "start": start, "end": end, "probability": 0.8} for word, start, end in given
    ]


def letters(text: str) -> str:
    return "".join(filter(is_said, text))


HELLO = words((" Hello", 0.0, 0.5), (" big", 0.6, 0.8), (" world.", 1.0, 1.6))


def told(result: list[dict[str, Any]]) -> list[tuple[str, float, float, float | None]]:
    return [(one["word"], one["start"], one["end"], one["probability"]) for one in result]


def aligned_to(text: str, given: list[dict[str, Any]] = HELLO) -> list[dict[str, Any]]:
    return aligned(given, text, start_seconds=0.0, end_seconds=2.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("...", []),
        ("Hello, world!", ["Hello,", "world!"]),
        ("well-known don't", ["well-known", "don't"]),
        ("今天，天气。", ["今", "天，", "天", "气。"]),
        ("用 Python 写3个", ["用", "Python", "写", "3", "个"]),
        ("“Yes” - no …", ["“Yes”", "- no …"]),
        ("他说“好”。", ["他", "说“", "好”。"]),
        ("  a  b ", ["a", "b"]),
    ],
)
def test_a_text_has_words_with_their_marks(text: str, expected: list[str]) -> None:
    assert [text[one.start : one.stop] for one in tokens(text)] == expected


def test_words_that_stay_keep_their_times_and_their_probability() -> None:
    same = aligned_to("Hello big world.")
    assert all(one is other for one, other in zip(same, HELLO, strict=True))

    assert told(aligned_to("Hello world.")) == [
        (" Hello", 0.0, 0.5, 0.8),
        (" world.", 1.0, 1.6, 0.8),
    ]


def test_another_word_has_the_time_of_the_one_it_replaces_and_no_probability() -> None:
    assert told(aligned_to("Hello small world.")) == [
        (" Hello", 0.0, 0.5, 0.8),
        ("small", 0.6, 0.8, None),
        (" world.", 1.0, 1.6, 0.8),
    ]


def test_new_words_share_the_pause_by_their_characters() -> None:
    assert told(aligned_to("Hello big blue old world.")) == [
        (" Hello", 0.0, 0.5, 0.8),
        (" big", 0.6, 0.8, 0.8),
        ("blue", 0.8, 0.914, None),
        ("old", 0.914, 1.0, None),
        (" world.", 1.0, 1.6, 0.8),
    ]
    assert told(aligned_to("Oh Hello big world. Yes"))[0] == ("Oh", 0.0, 0.0, None)
    assert told(aligned_to("Hello big world. Yes"))[-1] == ("Yes", 1.6, 2.0, None)


def test_other_marks_and_capitals_are_no_other_words() -> None:
    assert told(aligned_to("hello, big World!")) == [
        (" hello,", 0.0, 0.5, 0.8),
        (" big", 0.6, 0.8, 0.8),
        (" World!", 1.0, 1.6, 0.8),
    ]
    # An engine that gives words without marks goes on being without.
    plain = words(("good", 0.0, 0.5), ("day", 0.5, 1.0))
    assert aligned_to("good, day!", plain) == plain


def test_a_word_that_grew_is_another_word() -> None:
    assert told(aligned_to("Hello bigger world."))[1] == ("bigger", 0.6, 0.8, None)
    assert told(aligned_to("Hellobig world."))[0] == ("Hellobig", 0.0, 0.8, None)


def test_chinese_words_of_several_signs_stay_whole() -> None:
    given = words(("今天", 0.0, 0.4), ("天气", 0.4, 0.8), ("很好", 1.0, 1.5))
    assert told(aligned_to("今天的天气不好。", given)) == [
        ("今天", 0.0, 0.4, 0.8),
        ("的", 0.4, 0.4, None),
        ("天气", 0.4, 0.8, 0.8),
        ("不", 1.0, 1.25, None),
        ("好。", 1.25, 1.5, None),
    ]


def test_words_are_shared_out_where_a_text_is_cut() -> None:
    text = "Hello big world."
    for at, expected in ((1, 0), (3, 1), (5, 1), (6, 1), (8, 2), (9, 2), (12, 2), (15, 3)):
        left, right = divided(HELLO, text, at)
        assert (len(left), len(right)) == (expected, 3 - expected), at
    assert divided([], text, 5) == ([], [])


def test_words_are_kept_inside_of_their_segment() -> None:
    inside = clamped(HELLO, 0.2, 1.2)
    assert [(one["start"], one["end"]) for one in inside] == [(0.2, 0.5), (0.6, 0.8), (1.0, 1.2)]
    assert inside[1] is HELLO[1]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_written_the_words_are_those_of_the_text_and_in_order(seed: int) -> None:
    chance = random.Random(seed)
    pool = ["a", "the", "Straße", "ISTANBUL", "İstanbul", "今", "天气", "3.5", "😀", "—", "»x«"]
    given = HELLO
    for _ in range(30):
        text = chance.choice([" ", ""]).join(chance.choices(pool, k=chance.randrange(12)))
        given = aligned_to(text, given)
        assert letters("".join(one["word"] for one in given)) == letters(text)
        moments = [moment for one in given for moment in (one["start"], one["end"])]
        assert moments == sorted(moments)


def test_two_long_texts_that_share_nothing_are_not_compared_sign_by_sign() -> None:
    long = words(*((f"a{'b' * 9}", float(at), at + 1.0) for at in range(2_000)))
    result = aligned(long, "ba" * 10_000, start_seconds=0.0, end_seconds=2_000.0)
    assert told(result) == [("ba" * 10_000, 0.0, 2_000.0, None)]
