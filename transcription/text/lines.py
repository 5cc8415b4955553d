"""Breaking text into lines: how wide it is, where it may break, how it is filled into lines."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from transcription.text.characters import is_full_width_mark, is_han_or_kana, is_unspaced_script

__all__ = [
    "MAX_LINE_COLUMNS",
    "MAX_WIDE_LINE_COLUMNS",
    "Ruler",
    "columns",
    "line_columns",
    "units",
    "wrap",
]

#: Of text in narrow letters.
MAX_LINE_COLUMNS = 42
#: Of text that is mainly Chinese or Japanese: 20 signs of two columns.
MAX_WIDE_LINE_COLUMNS = 40

#: Marks that never begin a line, and those that never end one (kinsoku, JIS X 4051).
_NOT_AT_START = frozenset(
    "、。，．：；？！）］｝〕〉》」』】〗’”…‥—～·・々ーぁぃぅぇぉっゃゅょァィゥェォッャュョ,.:;?!)]}%％»"
)
_NOT_AT_END = frozenset("（［｛〔〈《「『【〖‘“([{$￥«")
#: Thai and Lao vowels written before the consonant they are spoken after, and marks after it.
_LEADING_VOWELS = frozenset("เแโใไເແໂໃໄ")
_TRAILING_VOWELS = frozenset("ะาำๅๆฯະາຳໆຯ")
_JOINERS = frozenset("\u200d\u17d2")  # zero-width joiner; Khmer's coeng stacks what follows it


def columns(text: str) -> int:
    """How wide the text is on the screen: 2 for a Chinese sign, 0 for an accent on a letter."""
    return sum(map(_character_columns, text))


@lru_cache(maxsize=8192)
def _character_columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def line_columns(text: str) -> int:
    """The longest line that suits the text: shorter where most of its signs are wide ones."""
    wide = sum(map(is_han_or_kana, text))
    return MAX_WIDE_LINE_COLUMNS if 2 * wide > len(text) else MAX_LINE_COLUMNS


def units(text: str, limit: int) -> list[str]:
    """The text in pieces that a line is never broken inside of, each with the blank after it.

    ``text`` is tidy: single blanks, none around it. Nothing is lost: the units in a row are the
    text. Words are whole, a mark stays with its word, Chinese breaks between any two signs that
    typesetters' rules let part, Thai and Khmer (written without spaces, and not cut into words
    here) between any two syllable signs. No unit is wider than ``limit`` columns: what is, a web
    address for instance, is cut.
    """
    pieces: list[str] = []
    start = 0
    for index in range(1, len(text)):
        left, right = text[index - 1], text[index]
        if right == " ":
            continue
        if right not in _NOT_AT_START and (left == " " or _parts(left, right)):
            pieces.append(text[start:index])
            start = index
    pieces.append(text[start:])
    return [part for piece in pieces for part in _chopped(piece, limit)]


def _parts(left: str, right: str) -> bool:
    """Whether a line may end between two neighbouring characters, neither of them a blank."""
    if not (_stands_alone(left) or _stands_alone(right)):
        return False
    if left in _NOT_AT_END or left in _JOINERS or right in _JOINERS:
        return False
    # Accents and vowel signs stay with their letter.
    if left in _LEADING_VOWELS or right in _TRAILING_VOWELS:
        return False
    return unicodedata.category(right)[0] != "M"


def _stands_alone(character: str) -> bool:
    return is_unspaced_script(character) or is_full_width_mark(character)


def _chopped(unit: str, limit: int) -> Iterator[str]:
    while columns(unit.rstrip()) > limit:
        # A character is at most two columns wide, so at least one fits.
        fitting = bisect_right(list(accumulate(map(columns, unit))), limit)
        yield unit[:fitting]
        unit = unit[fitting:]
    yield unit


class Ruler:
    """Widths of all stretches of units, measured once: what asks often must not add up anew."""

    def __init__(self, pieces: Sequence[str], limit: int) -> None:
        self._before = [0, *accumulate(map(columns, pieces))]
        self._bare = [columns(piece.rstrip()) for piece in pieces]
        #: Where a line that begins at a unit ends: the index of the first unit that has no room.
        self._line_end: list[int] = []
        end = 0
        for first in range(len(pieces)):
            end = max(end, first + 1)
            while end < len(pieces) and self.width(first, end + 1) <= limit:
                end += 1
            self._line_end.append(end)

    def width(self, first: int, last: int) -> int:
        """Columns of ``pieces[first:last]`` without the blank at the end; ``first < last``."""
        return self._before[last - 1] - self._before[first] + self._bare[last - 1]

    def end_of_lines(self, first: int, lines: int) -> int:
        """How far that many lines reach that begin at unit ``first`` and are filled to the full."""
        for _ in range(lines):
            if first < len(self._line_end):
                first = self._line_end[first]
        return first


def wrap(text: str, limit: int) -> tuple[str, ...]:
    """The text in as few lines of at most ``limit`` columns as it takes.

    Where two lines do, they are cut where they come nearest to the same width, rather after a
    mark. ``text`` is tidy and not empty.
    """
    pieces = units(text, limit)
    ruler = Ruler(pieces, limit)
    count = len(pieces)
    if ruler.end_of_lines(0, 1) == count:
        return (text,)
    ends = [
        index
        for index in range(1, count)
        if ruler.width(0, index) <= limit and ruler.width(index, count) <= limit
    ]
    if ends:

        def unevenness(index: int) -> float:
            marked = not pieces[index - 1].rstrip()[-1].isalnum()
            difference = abs(ruler.width(0, index) - ruler.width(index, count))
            return difference / limit - (0.3 if marked else 0.0)

        end = min(ends, key=unevenness)
        return ("".join(pieces[:end]).rstrip(), "".join(pieces[end:]).rstrip())
    lines: list[str] = []
    start = 0
    while start < count:
        end = ruler.end_of_lines(start, 1)
        lines.append("".join(pieces[start:end]).rstrip())
        start = end
    return tuple(lines)
