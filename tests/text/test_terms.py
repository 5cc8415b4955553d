"""What of a text is searched, and what a query asks for."""

from __future__ import annotations

import random

import pytest

from transcription.text.terms import MAX_QUERY_TERMS, indexed, parse, terms_of


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Hello, World", ["hello", "world"]),
        ("今天天气", ["今天", "天天", "天气"]),
        ("今天，天气", ["今天", "天气"]),
        ("我 用Python写", ["我用", "python", "写"]),
        ("ＡＢＣ１２", ["abc12"]),
        ("Café naïve ёлка", ["cafe", "naive", "елка"]),
        ("İstanbul", ["istanbul"]),
        ("ｶﾞｷﾞ", ["ガギ"]),
        (
            "コンピューター・ゲーム",
            ["コン", "ンピ", "ピュ", "ュー", "ータ", "ター", "ゲー", "ーム"],
        ),
        ("かき\nがぎ", ["かき", "きが", "がぎ"]),
        ("사람", ["사람"]),
        ("हिन्दी।", ["हिन्दी"]),
        ("meeting_2024-05.mp3", ["meeting", "2024", "05", "mp3"]),
        ("𠀀𠀁", ["𠀀𠀁"]),
        ("!? …", []),
    ],
)
def test_words_are_folded_and_unspaced_scripts_cut_into_pairs(text: str, terms: list[str]) -> None:
    assert terms_of(text) == terms


def test_an_index_keeps_the_terms_and_behind_a_border_the_single_characters() -> None:
    assert indexed("天气 ok", "天") == "天气 ok 天 @@ 天 气"


def test_no_word_goes_over_from_a_title_into_the_text() -> None:
    assert indexed("天", "气") == "天 气 @@ 天 气"


@pytest.mark.parametrize(
    ("query", "phrases"),
    [
        ("语音识别", [("语音", "音识", "识别")]),
        ("budget 预算", [("budget",), ("预算",)]),
        ('"the budget" now', [("the", "budget"), ("now",)]),
        ("“年度 预算”", [("年度", "度预", "预算")]),
        ("GPT-4o", [("gpt", "4o")]),
        ("我", [("我",)]),
        # In a text it most often is a part of pairs: it has no neighbours of its own.
        ('"用 Python 编程"', [("用",), ("python", "编程")]),
        ("budget budget", [("budget",)]),
        ('open "quote', [("open",), ("quote",)]),
        ("NEAR(a b) -c* words:d OR", [("near", "a"), ("b",), ("c",), ("words", "d"), ("or",)]),
        ("?!", []),
        ("", []),
    ],
)
def test_a_query_asks_for_phrases(query: str, phrases: list[tuple[str, ...]]) -> None:
    assert list(parse(query).phrases) == phrases
    assert bool(parse(query)) == bool(phrases)


def test_a_long_query_is_cut() -> None:
    assert len(parse(" ".join(f"w{number}" for number in range(900))).terms) == MAX_QUERY_TERMS


def test_a_term_has_nothing_in_it_that_an_index_would_read_as_more() -> None:
    chance = random.Random(1)
    for _ in range(3_000):
        text = "".join(
            chr(chance.choice([chance.randrange(0x250), chance.randrange(0xD800)]))
            for _ in range(20)
        )
        for term in [*terms_of(text), *parse(text).terms]:
            assert term == term.strip()
            assert not set(term) & set(" \t\n\0\"'%_\\@*^:-()")
            assert all(sign.isalnum() for sign in term if sign.isascii())


def test_what_is_indexed_is_found_by_itself() -> None:
    """Folding once more changes nothing, or a term could be stored that no query asks for."""
    chance = random.Random(2)
    for _ in range(3_000):
        text = "".join(chr(chance.randrange(0x20, 0x3100)) for _ in range(8))
        terms = terms_of(text)
        assert [again for term in terms for again in terms_of(term)] == terms
