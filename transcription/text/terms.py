"""Text as it is searched: its terms, and those that a query asks for.

Both sides are folded the same way: case, width and accents make no difference. Scripts without
spaces between words are cut into pairs of neighbouring characters, so that any word of two or
more characters is found wherever it stands; what a text's single characters are stands beside.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from transcription.text.characters import UNSPACED_CLASS

#: Longer words are compared by their beginning; no index takes terms of any length.
MAX_TERM_CHARACTERS = 64
#: Of a query; what comes after them is not looked at.
MAX_QUERY_CHARACTERS = 300
MAX_QUERY_TERMS = 32
#: Stands between the words in their order and the single characters. No text has such a term.
BORDER = "@@"

#: Accents of Latin, Greek and Cyrillic, vowel signs of Hebrew and Arabic: written or left out
#: as one likes. Those of other scripts are letters of their own.
_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u064b-\u065f\u0670]")
#: A stretch of a script without spaces, or a word: letters, digits, vowel signs of India.
_STRETCH = re.compile(
    rf"([{UNSPACED_CLASS}]+)|((?:[^\W_{UNSPACED_CLASS}\u0964\u0965]|[\u0900-\u0963\u0966-\u0dff])+)"
)
_ASCII_WORD = re.compile("[a-z0-9]+")
#: A blank where none belongs: before a new line, or between words that somebody set apart.
_GAP = re.compile(rf"(?<=[{UNSPACED_CLASS}])\s+(?=[{UNSPACED_CLASS}])")
#: Signs of those scripts that are no part of a word.
_UNSPACED_MARKS = re.compile(
    "[\u0e2f\u0e46\u0e4f\u0e5a\u0e5b\u0f0b-\u0f14\u104a-\u104f\u17d4-\u17da\u30a0\u30fb]"
)


@dataclass(frozen=True, kw_only=True)
class Query:
    """What a text must have to be found; all of it."""

    #: Runs of terms that stand one after the other.
    phrases: tuple[tuple[str, ...], ...]

    @property
    def terms(self) -> tuple[str, ...]:
        """Every term once."""
        return tuple(dict.fromkeys(term for phrase in self.phrases for term in phrase))

    def __bool__(self) -> bool:
        return bool(self.phrases)


def fold(text: str) -> str:
    """Return the text without the differences that a search overlooks."""
    if text.isascii():
        return text.lower()
    level = unicodedata.normalize("NFKD", text.casefold()).casefold()
    return _GAP.sub("", unicodedata.normalize("NFC", _ACCENTS.sub("", level)))


def terms_of(text: str) -> list[str]:
    """Return the terms of a text in their order: words, and pairs of unspaced characters."""
    return list(_terms(fold(text)))


def indexed(*texts: str) -> str:
    """Return what an index keeps of texts: their terms, the border, their single characters.

    Terms are separated by one blank and made of anything but blanks and signs of ASCII.
    """
    folded = fold(" | ".join(texts))
    singles = dict.fromkeys(
        character
        for stretch, _word in _STRETCH.findall(folded)
        for character in _UNSPACED_MARKS.sub("", stretch)
    )
    return " ".join([*_terms(folded), BORDER, *singles])


def parse(query: str) -> Query:
    """Return what a person's query asks for; false if there is no letter or digit in it.

    Words between quotation marks, and the parts of what is written without a space, must stand
    one after the other; all the rest may stand anywhere. Nothing else has a meaning: there is no
    query that is wrong.
    """
    phrases: dict[tuple[str, ...], None] = {}
    room = MAX_QUERY_TERMS
    for part in _parts(query[:MAX_QUERY_CHARACTERS]):
        for phrase in _phrases(terms_of(part)[:room]):
            phrases[phrase] = None
            room -= len(phrase)
    return Query(phrases=tuple(phrases))


def _terms(folded: str) -> Iterator[str]:
    if folded.isascii():
        for plain in _ASCII_WORD.findall(folded):
            yield plain[:MAX_TERM_CHARACTERS]
        return
    for stretch, word in _STRETCH.findall(folded):
        if word:
            yield word[:MAX_TERM_CHARACTERS]
            continue
        for run in _UNSPACED_MARKS.split(stretch):
            if len(run) == 1:
                yield run
            for left, right in pairwise(run):
                yield left + right


def _parts(query: str) -> Iterator[str]:
    """Yield the quoted parts whole and the others word by word."""
    for index, part in enumerate(re.split('["“”„«»「」『』＂]', query)):
        if index % 2:
            yield part
        else:
            yield from part.split()


def _phrases(terms: list[str]) -> Iterator[tuple[str, ...]]:
    """Cut a phrase where a single unspaced character stands.

    In the text it most often is a part of pairs, and so not itself a neighbour of anything.
    """
    phrase: list[str] = []
    for term in terms:
        if len(term) == 1 and _STRETCH.fullmatch(term)[1]:  # type: ignore[index]
            if phrase:
                yield tuple(phrase)
            phrase = []
            yield (term,)
        else:
            phrase.append(term)
    if phrase:
        yield tuple(phrase)
