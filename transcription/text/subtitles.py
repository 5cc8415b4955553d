"""Subtitles: segments of text with times, cut into cues that can be read while one listens.

A cue is at most two lines of 42 columns (20 Chinese signs each, which are two columns wide) and
7 seconds, the limits that broadcasters and streaming services give their subtitlers. Where a
segment is longer it is cut where the fewest readers stumble: at the end of a sentence rather than
at a comma, at a comma rather than in a clause, and never inside a word. ``exports`` writes the
cues to files.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from transcription.text.characters import is_han_or_kana, is_unspaced_script
from transcription.text.joining import tidy

__all__ = [
    "MAX_CUE_SECONDS",
    "MAX_LINES",
    "MAX_LINE_COLUMNS",
    "MAX_WIDE_LINE_COLUMNS",
    "Cue",
    "TimedText",
    "TimedWord",
    "build_cues",
    "columns",
    "wrap",
]

MAX_LINES = 2
#: Of text in narrow letters.
MAX_LINE_COLUMNS = 42
#: Of text that is mainly Chinese or Japanese: 20 signs of two columns.
MAX_WIDE_LINE_COLUMNS = 40
MAX_CUE_SECONDS = 7.0
#: A cue shorter than this cannot be read; it stays longer where nothing follows at once.
MIN_CUE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class TimedWord:
    """One word with its times, in seconds from the start of the file."""

    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True, kw_only=True)
class TimedText:
    """A stretch of the transcript with its times, in seconds from the start of the file."""

    start_seconds: float
    end_seconds: float
    text: str
    #: Times of its words where the engine gave them, in order; they make the cuts exact.
    words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cue:
    """What is on the screen at once."""

    #: Whole milliseconds from the start of the file: what subtitle files count in.
    start_ms: int
    #: Always greater than ``start_ms``, never greater than the start of the next cue.
    end_ms: int
    #: One or two lines, never empty.
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def build_cues(segments: Iterable[TimedText]) -> list[Cue]:
    """The cues of a transcript: in order of time, none negative, none empty, no two at once.

    Segments may come in any order and may overlap; a segment without text gives no cue.
    """
    pieces: list[TimedText] = []
    for segment in sorted(segments, key=lambda segment: segment.start_seconds):
        pieces.extend(_split(segment))
    return _without_overlap(pieces)


def columns(text: str) -> int:
    """How wide the text is on the screen: 2 for a Chinese sign, 0 for an accent on a letter."""
    return sum(
        0
        if unicodedata.category(character) in {"Mn", "Me", "Cf"}
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def line_columns(text: str) -> int:
    """The longest line that suits the text: shorter where most of its signs are wide ones."""
    wide = sum(map(is_han_or_kana, text))
    return MAX_WIDE_LINE_COLUMNS if 2 * wide > len(text) else MAX_LINE_COLUMNS


# --- Units: what a line is never broken inside of ---------------------------------------------

_SENTENCE_END = re.compile(r"[.?!…。？！．｡।۔؟]['\"”’」』）)\]]*\s*$")
_CLAUSE_END = re.compile(r"[,;:、，；：،؛–—]['\"”’」』）)\]]*\s*$")

#: Marks that never begin a line, and those that never end one (kinsoku, JIS X 4051).
_NOT_AT_START = "、。，．：；？！）］｝〕〉》」』】〗’”…‥—～·・々ーぁぃぅぇぉっゃゅょァィゥェォッャュョ,.:;?!)]}%％"
_NOT_AT_END = "（［｛〔〈《「『【〖‘“([{$￥"
#: Thai and Lao vowels written before the consonant they are spoken after, and those after it.
_THAI_LEADING = "เแโใไເແໂໃໄ"
_THAI_TRAILING = "ะาำๅๆฯະາຳໆຯ"


def _may_break(left: str, right: str) -> bool:
    """Whether a line may end between two neighbouring characters, neither of them a blank."""
    if right in _NOT_AT_START or left in _NOT_AT_END:
        return False
    # Khmer and Tibetan stacks, accents and vowel signs, and whatever a joiner holds together.
    if unicodedata.category(right)[0] == "M" or right == "\u200d" or left in "\u200d\u17d2":
        return False
    if left in _THAI_LEADING or right in _THAI_TRAILING:
        return False
    return is_unspaced_script(left) or is_unspaced_script(right)


def _units(text: str, limit: int) -> list[str]:
    """The text in pieces that stay whole, each with the blank that follows it.

    Nothing is lost: the units in a row are the text. No unit is wider than ``limit`` columns.
    """
    units: list[str] = []
    start = 0
    for index in range(1, len(text)):
        left, right = text[index - 1], text[index]
        if (
            (left == " ")
            if right != " " and " " in (left, right)
            else (" " not in (left, right) and _may_break(left, right))
        ):
            units.append(text[start:index])
            start = index
    units.append(text[start:])
    return [part for unit in units for part in _chopped(unit, limit)]


def _chopped(unit: str, limit: int) -> Iterator[str]:
    """A unit wider than a line (a web address, say) in pieces as wide as a line."""
    while columns(unit.rstrip()) > limit:
        # Characters are at most ``limit`` columns each, so at least one fits.
        fitting = bisect_right(list(accumulate(map(columns, unit))), limit)
        yield unit[:fitting]
        unit = unit[fitting:]
    yield unit


# --- Lines of a cue ----------------------------------------------------------------------------


def wrap(text: str, limit: int) -> tuple[str, ...]:
    """The text in as few lines of at most ``limit`` columns as it takes, evenly filled.

    Two lines are cut where both are nearest to the same width, the upper one rather at a comma.
    """
    units = _units(text, limit)
    if columns(text) <= limit:
        return (text,)
    best: tuple[float, int] | None = None
    for index in range(1, len(units)):
        upper = "".join(units[:index]).rstrip()
        lower = "".join(units[index:]).rstrip()
        if max(columns(upper), columns(lower)) > limit:
            continue
        unevenness = abs(columns(upper) - columns(lower)) / limit
        if _SENTENCE_END.search(upper) or _CLAUSE_END.search(upper):
            unevenness -= 0.3
        if best is None or unevenness < best[0]:
            best = (unevenness, index)
    if best is not None:
        index = best[1]
        return ("".join(units[:index]).rstrip(), "".join(units[index:]).rstrip())
    return tuple(_greedy(units, limit))


def _greedy(units: Sequence[str], limit: int) -> list[str]:
    lines: list[str] = []
    line = ""
    for unit in units:
        if line and columns((line + unit).rstrip()) > limit:
            lines.append(line.rstrip())
            line = ""
        line += unit
    return [*lines, line.rstrip()]


# --- Cuts between cues -------------------------------------------------------------------------

#: What a cut costs, by where it falls; a further cue costs 1 by itself.
_CUT_IN_CLAUSE = 0.8
_CUT_AT_CLAUSE = 0.3
#: What each second over the limit costs. The limit of time is a wish: one slow word does not get
#: shorter by cutting.
_SECOND_OVER = 1.0
#: What a cue narrower than this costs: a single word on the screen, then the next.
_NARROW_COLUMNS = 12
_NARROW = 6.0


def _split(segment: TimedText) -> list[TimedText]:
    """One segment as pieces of which each fits one cue, with their times."""
    text = tidy(_visible(segment.text))
    if not text:
        return []
    start = max(0.0, segment.start_seconds)
    end = max(start, segment.end_seconds)
    limit = line_columns(text)
    if columns(text) <= limit and end - start <= MAX_CUE_SECONDS:
        return [TimedText(start_seconds=start, end_seconds=end, text=text)]

    units = _units(text, limit)
    offsets = [0, *accumulate(map(len, units))]
    clock = _Clock(text, start, end, segment.words)
    cuts = _best_cuts(units, [clock.at(offset) for offset in offsets], limit)
    return [
        TimedText(
            start_seconds=clock.at(offsets[first]),
            end_seconds=clock.end_at(offsets[last]),
            text="".join(units[first:last]).rstrip(),
        )
        for first, last in pairwise(cuts)
    ]


def _best_cuts(units: Sequence[str], times: Sequence[float], limit: int) -> list[int]:
    """Where to cut so that the sum of the costs is least: [0, …, len(units)].

    ``times`` are the seconds at which each unit begins, and the end. Shortest path over the
    possible cuts; a cue holds a bounded number of units, so the time is linear in their number.
    """
    count = len(units)
    least = [0.0] + [float("inf")] * count
    previous = [0] * (count + 1)
    for last in range(1, count + 1):
        for first in range(last - 1, -1, -1):
            text = "".join(units[first:last]).rstrip()
            if columns(text) > MAX_LINES * limit:
                break
            if len(wrap(text, limit)) > MAX_LINES:
                continue
            cost = least[first] + _cost(
                text, times[last] - times[first], whole=(first, last) == (0, count)
            )
            if last < count:
                cost += _cut_cost(units[last - 1])
            if cost < least[last]:
                least[last], previous[last] = cost, first
    cuts = [count]
    while cuts[-1]:
        cuts.append(previous[cuts[-1]])
    return cuts[::-1]


def _cost(text: str, duration_seconds: float, *, whole: bool) -> float:
    cost = 1.0 + _SECOND_OVER * max(0.0, duration_seconds - MAX_CUE_SECONDS)
    if not whole:
        cost += _NARROW * max(0, _NARROW_COLUMNS - columns(text)) / _NARROW_COLUMNS
        cost += max(0.0, MIN_CUE_SECONDS - duration_seconds)
    return cost


def _cut_cost(unit: str) -> float:
    if _SENTENCE_END.search(unit):
        return 0.0
    if _CLAUSE_END.search(unit):
        return _CUT_AT_CLAUSE
    return _CUT_IN_CLAUSE


class _Clock:
    """When each character of a segment's text is said."""

    def __init__(self, text: str, start: float, end: float, words: Sequence[TimedWord]) -> None:
        # Without times of words: in proportion to the width of what is written. A Chinese sign
        # is a syllable, and so are two to three letters.
        self._starts = [0, *accumulate(columns(character) for character in text)]
        total = self._starts[-1] or 1
        self._times = [start + (end - start) * width / total for width in self._starts]
        self._ends = list(self._times)
        found = _placed(text, words)
        if found is None:
            return
        for (first, last, word), following in zip(found, [*found[1:], None], strict=True):
            word_start = min(max(word.start_seconds, start), end)
            word_end = min(max(word.end_seconds, word_start), end)
            until = following[0] if following else len(text)
            for index in range(first, until + 1):
                self._ends[index] = word_end
                if index < until:
                    inside = min(index - first, last - first) / (last - first)
                    self._times[index] = word_start + (word_end - word_start) * inside

    def at(self, offset: int) -> float:
        """Seconds at which the character at ``offset`` begins."""
        return self._times[offset]

    def end_at(self, offset: int) -> float:
        """Seconds at which the text before ``offset`` is said."""
        return self._ends[offset]


def _placed(text: str, words: Sequence[TimedWord]) -> list[tuple[int, int, TimedWord]] | None:
    """Where each word stands in the text; None where they do not tell the same as the text."""
    placed: list[tuple[int, int, TimedWord]] = []
    cursor = 0
    for word in words:
        written = tidy(word.text)
        if not written:
            continue
        first = text.find(written, cursor)
        # Anything but blanks and marks between two words is text that has no times.
        if first < 0 or any(map(str.isalnum, text[cursor:first])):
            return None
        cursor = first + len(written)
        placed.append((first, cursor, word))
    if not placed or any(map(str.isalnum, text[cursor:])):
        return None
    return placed


# --- Times of the cues -------------------------------------------------------------------------


def _without_overlap(pieces: Sequence[TimedText]) -> list[Cue]:
    cues: list[Cue] = []
    starts = [round(piece.start_seconds * 1000) for piece in pieces]
    earliest = 0
    for index, piece in enumerate(pieces):
        start = max(starts[index], earliest)
        # A cue gives way to the next one, but is never without any time.
        follower = starts[index + 1] if index + 1 < len(pieces) else None
        end = min(round(piece.end_seconds * 1000), start + round(MAX_CUE_SECONDS * 1000))
        end = max(end, start + round(MIN_CUE_SECONDS * 1000))
        if follower is not None:
            end = min(end, follower)
        end = max(end, start + 1)
        cues.append(
            Cue(start_ms=start, end_ms=end, lines=wrap(piece.text, line_columns(piece.text)))
        )
        earliest = end
    return cues


def _visible(text: str) -> str:
    """Without control characters: a reviewer's paste may hold them, a subtitle file may not."""
    return "".join(
        " " if unicodedata.category(character) in {"Cc", "Zl", "Zp"} else character
        for character in text
    )
