"""Where one sentence of a recognised text ends and the next begins."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable

#: Longer sentences, in spoken letters, are divided at a comma: about ten seconds of speech.
LONG_SENTENCE_LETTERS = 150.0

_SENTENCE_ENDS = frozenset(".!?。！？…؟।")
_CLAUSE_ENDS = frozenset(",;:，、；：،—")
_CLOSING = "\"'”’»)]}」』）"


def ends_sentence(text: str) -> bool:
    """Whether a text that goes on after this ends a sentence here."""
    stripped = text.rstrip().rstrip(_CLOSING)
    mark = stripped[-1:]
    if mark != ".":
        return mark in _SENTENCE_ENDS
    # "W. T. Smith" and "3. Mai": a stop after a single character ends no sentence.
    last_word = stripped.rstrip(".").rpartition(" ")[2]
    return len(last_word) > 1


def ends_clause(text: str) -> bool:
    """Whether a text that goes on after this may be divided here where it is too long."""
    return text.rstrip()[-1:] in _CLAUSE_ENDS


def sentences_of(text: str) -> list[str]:
    """The sentences of the text, stripped; long ones in parts. None of an empty text."""
    pieces = _split(text, _breaks(text, ends_sentence))
    return [part for piece in pieces for part in _divided(piece)]


def spoken_letters(text: str) -> float:
    """About how long it takes to say the text, in Latin letters.

    A Chinese character is a syllable, as two or three letters are; so is most of what a digit
    stands for.
    """
    return sum(_letters(character) for character in text)


def _letters(character: str) -> float:
    if character.isdigit():
        return 4.0
    if not character.isalnum():
        return 0.0
    return 2.5 if _is_wide(character) else 1.0


def _breaks(text: str, ends: Callable[[str], bool]) -> list[int]:
    """Positions where the text may be divided: before a space, or beside a full-width character."""
    return [
        position
        for position in range(1, len(text))
        if (text[position] == " " or _is_wide(text[position]) or _is_wide(text[position - 1]))
        and text[position] not in _CLOSING
        and ends(text[:position])
    ]


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in {"W", "F"}


def _split(text: str, positions: list[int]) -> list[str]:
    edges = [0, *positions, len(text)]
    pieces = [text[first:last].strip() for first, last in itertools.pairwise(edges)]
    return [piece for piece in pieces if piece]


def _divided(sentence: str) -> list[str]:
    """A sentence that is too long in two, at the clause end nearest to its middle, and so on."""
    if spoken_letters(sentence) <= LONG_SENTENCE_LETTERS:
        return [sentence]
    half = len(sentence) / 2
    positions = sorted(_breaks(sentence, ends_clause), key=lambda at: abs(at - half))
    if not positions:
        return [sentence]
    return [part for piece in _split(sentence, positions[:1]) for part in _divided(piece)]
