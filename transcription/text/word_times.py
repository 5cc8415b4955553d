"""The times of single words, when people change the text around them.

A word is a dictionary as the engines give it: ``word`` (with a blank in front, or without),
``start`` and ``end`` in seconds, ``probability`` (0 to 1, or null). Words that a person left as
they were keep their times and probability. Those that a person wrote get times in between, in
proportion to their characters, and no probability: no engine has heard them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from transcription.text.characters import UNSPACED_CLASS, is_said, said

__all__ = ["Word", "aligned", "clamped", "divided", "tokens"]

Word = dict[str, Any]

#: Comparing costs the product of both lengths at worst. What differs between two texts by more
#: than this (characters times characters) is taken as written anew.
MOST_COMPARISONS = 250_000

_UNSPACED = re.compile(f"[{UNSPACED_CLASS}]")


@dataclass(frozen=True, kw_only=True)
class Token:
    """A word of a text with the marks around it."""

    #: Where it is in the text, blanks around it aside.
    start: int
    stop: int
    #: Numbers of its first said character and of the one behind its last.
    first: int
    end: int


def tokens(text: str) -> list[Token]:
    """Cut a text into words: at blanks, and around each sign of a script without spaces.

    Marks belong to the word before them; those in front of the first word, or behind a blank, to
    the word that follows. Marks alone are no word.
    """
    found: list[Token] = []
    start = first = count = stop = 0  # of the token that is being read
    was_blank = was_unspaced = False
    for at, character in enumerate(text):
        if character.isspace():
            was_blank = True
            continue
        is_unspaced = _UNSPACED.match(character) is not None
        # A mark begins a token only behind a blank; then the word that follows is part of it.
        cuts = was_blank or (is_said(character) and (is_unspaced or was_unspaced))
        if cuts and count > first:
            found.append(Token(start=start, stop=stop, first=first, end=count))
            start, first = at, count
        elif stop == 0:
            start = at
        was_blank = False
        stop = at + 1
        if is_said(character):
            was_unspaced = is_unspaced
            # Some characters are two of them when they are compared ("ß" is "ss").
            count += 1 if character.isascii() else len(said(character))
    if count > first:
        found.append(Token(start=start, stop=stop, first=first, end=count))
    elif found:
        found[-1] = replace(found[-1], stop=stop)
    return found


def aligned(
    words: Sequence[Word], text: str, *, start_seconds: float, end_seconds: float
) -> list[Word]:
    """Return the words of ``text``, which was made of ``words`` and lies between these times."""
    wanted = tokens(text)
    new = said(text)
    old = [said(word["word"]) for word in words]
    places = _places("".join(old), new)
    token_at = {token.first: number for number, token in enumerate(wanted)}
    ends = {token.end: number for number, token in enumerate(wanted)}
    # Some engines give the words without the marks of the text.
    with_marks = any(_letters(word["word"]) != word["word"].strip() for word in words)
    result: list[Word] = []
    done = 0  # tokens that have their word
    dropped: list[Word] = []  # words since then that are not in the text any more
    count = 0
    moment = start_seconds
    for word, letters in zip(words, old, strict=True):
        if not letters:
            continue
        here = places[count : count + len(letters)]
        count += len(letters)
        first, last = here[0], here[-1]
        is_whole = (
            first is not None
            and here == list(range(first, first + len(letters)))
            and first in token_at
            and first + len(letters) in ends
        )
        if not is_whole or first is None or last is None or token_at[first] < done:
            dropped.append(word)
            continue
        begin, end = token_at[first], ends[last + 1] + 1
        result += _between(text, wanted[done:begin], dropped, moment, word["start"])
        written = text[wanted[begin].start : wanted[end - 1].stop]
        result.append(_kept(word, written, with_marks=with_marks))
        done, dropped, moment = end, [], word["end"]
    result += _between(text, wanted[done:], dropped, moment, end_seconds)
    return result


def divided(words: Sequence[Word], text: str, at_character: int) -> tuple[list[Word], list[Word]]:
    """Share the words of a text out to what stands before and behind a character.

    A word that the cut goes through is on the side of its larger part.
    """
    lengths = [len(said(word["word"])) for word in words]
    total = len(said(text))
    # Where the words are not quite those of the text: in proportion.
    border = len(said(text[:at_character])) * (sum(lengths) / total if total else 1.0)
    count = 0
    left: list[Word] = []
    for number, (word, length) in enumerate(zip(words, lengths, strict=True)):
        if count + length / 2 > border:
            return left, list(words[number:])
        left.append(word)
        count += length
    return left, []


def clamped(words: Iterable[Word], start_seconds: float, end_seconds: float) -> list[Word]:
    """Return the words with their times between these; most are the very same objects."""

    def inside(seconds: float) -> float:
        return min(max(seconds, start_seconds), end_seconds)

    return [
        word
        if start_seconds <= word["start"] and word["end"] <= end_seconds
        else {**word, "start": inside(word["start"]), "end": inside(word["end"])}
        for word in words
    ]


def _places(old: str, new: str) -> list[int | None]:
    """Return for each character of ``old`` where in ``new`` it is; None: it is not there."""
    shorter = min(len(old), len(new))
    head = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    rest = shorter - head
    tail = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    places: list[int | None] = [None] * len(old)
    places[:head] = range(head)
    if tail:
        places[-tail:] = range(len(new) - tail, len(new))
    old_middle, new_middle = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(old_middle) * len(new_middle) <= MOST_COMPARISONS:
        matcher = SequenceMatcher(None, old_middle, new_middle, autojunk=False)
        for block in matcher.get_matching_blocks():
            for at in range(block.size):
                places[head + block.a + at] = head + block.b + at
    return places


def _kept(word: Word, new: str, *, with_marks: bool) -> Word:
    """Return a word with its times, as it is written now."""
    old = word["word"].strip()
    if old == new or (not with_marks and old == _letters(new)):
        return word
    blank = word["word"][: len(word["word"]) - len(word["word"].lstrip())]
    return {**word, "word": blank + new}


def _letters(text: str) -> str:
    return "".join(filter(is_said, text))


def _between(
    text: str, wanted: Sequence[Token], dropped: Sequence[Word], start: float, end: float
) -> list[Word]:
    """Return new words between two moments, where these words were before."""
    if dropped:
        start, end = max(start, dropped[0]["start"]), min(end, dropped[-1]["end"])
    end = max(start, end)
    total = sum(token.end - token.first for token in wanted)
    made: list[Word] = []
    count = 0
    for token in wanted:
        begin = start + (end - start) * count / total
        count += token.end - token.first
        made.append(
            {
                "word": text[token.start : token.stop],
                "start": round(begin, 3),
                "end": round(start + (end - start) * count / total, 3),
                "probability": None,
            }
        )
    return made
