"""How far a transcript is from what was said, counted in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_NO_WORD = re.compile(r"[^\w']+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, without case and punctuation."""
    return _NO_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).split()


def word_errors(expected: Sequence[str], heard: Sequence[str]) -> int:
    """Return the least number of words to insert, delete or replace (Levenshtein distance)."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(expected, start=1):
        above_left, row[0] = row[0], number
        for column, other in enumerate(heard, start=1):
            above_left, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, above_left + (word != other)),
            )
    return row[-1]
