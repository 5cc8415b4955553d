"""Subtitles: segments of text with times, cut into cues that can be read while one listens.

A cue is at most two lines of 42 columns (20 Chinese signs each, which are two columns wide) and
7 seconds, the limits that broadcasters and streaming services give their subtitlers. Where a
segment is longer it is cut where readers stumble least: at the end of a sentence rather than at
a comma, at a comma rather than in a clause, and never inside a word. ``exports`` writes the cues
to files.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from transcription.text.characters import said
from transcription.text.joining import tidy
from transcription.text.lines import Ruler, columns, line_columns, units, wrap

__all__ = ["MAX_CUE_SECONDS", "MAX_LINES", "Cue", "TimedText", "TimedWord", "build_cues"]

MAX_LINES = 2
MAX_CUE_SECONDS = 7.0
#: A cue shorter than this cannot be read; it stays this long where nothing follows at once.
MIN_CUE_SECONDS = 1.0

_SENTENCE_END = re.compile(r"[.?!…。？！．｡।۔؟]['\"”’」』）)\]]*\s*$")
_CLAUSE_END = re.compile(r"[,;:、，；：،؛–—]['\"”’」』）)\]]*\s*$")

# What a cut costs, by where it falls. Each further cue costs 1 by itself.
_CUT_AT_CLAUSE = 0.4
_CUT_IN_CLAUSE = 1.5
#: What each second over the limit costs. The limit of time is a wish: a slow word does not get
#: shorter by cutting, and the cue is taken from the screen in time anyway.
_SECOND_OVER = 1.0
# What a cue of a word or two costs, more the narrower it is.
_NARROW_COLUMNS = 12
_NARROW = 6.0


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
    #: One or two lines, none empty.
    lines: tuple[str, ...]


def build_cues(segments: Iterable[TimedText]) -> list[Cue]:
    """The cues of a transcript: in order of time, none negative, none empty, no two at once.

    Segments may come in any order and may overlap; a segment without text gives no cue.
    """
    pieces = [piece for segment in segments for piece in _split(segment)]
    return _without_overlap(sorted(pieces, key=lambda piece: piece.start_seconds))


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """A cue whose times may still overlap with its neighbours'."""

    start_seconds: float
    end_seconds: float
    lines: tuple[str, ...]


def _split(segment: TimedText) -> list[_Piece]:
    text = tidy(_visible(segment.text))
    if not text:
        return []
    start = max(0.0, segment.start_seconds)
    end = max(start, segment.end_seconds)
    limit = line_columns(text)
    pieces = units(text, limit)
    offsets = [0, *accumulate(map(len, pieces))]
    clock = _Clock(text, start, end, segment.words)
    cuts = _best_cuts(pieces, [clock.start_at(offset) for offset in offsets], limit)
    return [
        _Piece(
            start_seconds=clock.start_at(offsets[first]),
            end_seconds=clock.end_at(offsets[last]),
            lines=wrap("".join(pieces[first:last]).rstrip(), limit),
        )
        for first, last in pairwise(cuts)
    ]


def _best_cuts(pieces: Sequence[str], times: Sequence[float], limit: int) -> list[int]:
    """Where to cut units of text so that the costs add up to least: [0, …, len(pieces)].

    ``times`` are the seconds at which each unit begins, and the end. Shortest path over the
    possible cuts; a cue holds a bounded number of units, so the work grows with their number
    only.
    """
    count = len(pieces)
    ruler = Ruler(pieces, limit)
    reach = [ruler.end_of_lines(first, MAX_LINES) for first in range(count)]
    least = [0.0] + [float("inf")] * count
    previous = [0] * (count + 1)
    for last in range(1, count + 1):
        after = _cut_cost(pieces[last - 1]) if last < count else 0.0
        for first in range(last - 1, -1, -1):
            if reach[first] < last:
                break
            cost = least[first] + after + 1.0
            duration_seconds = times[last] - times[first]
            cost += _SECOND_OVER * max(0.0, duration_seconds - MAX_CUE_SECONDS)
            if (first, last) != (0, count):
                narrow = max(0, _NARROW_COLUMNS - ruler.width(first, last)) / _NARROW_COLUMNS
                cost += _NARROW * narrow + max(0.0, MIN_CUE_SECONDS - duration_seconds)
            if cost < least[last]:
                least[last], previous[last] = cost, first
    cuts = [count]
    while cuts[-1]:
        cuts.append(previous[cuts[-1]])
    return cuts[::-1]


def _cut_cost(unit: str) -> float:
    if _SENTENCE_END.search(unit):
        return 0.0
    return _CUT_AT_CLAUSE if _CLAUSE_END.search(unit) else _CUT_IN_CLAUSE


class _Clock:
    """When each character of a segment's text is said, in seconds from the start of the file."""

    def __init__(self, text: str, start: float, end: float, words: Sequence[TimedWord]) -> None:
        # Without times of words: in proportion to the width of what is written. A Chinese sign
        # is a syllable, and so are two or three letters.
        widths = [0, *accumulate(map(columns, text))]
        total = widths[-1] or 1
        self._starts = [start + (end - start) * width / total for width in widths]
        self._ends = list(self._starts)
        placed = _place(text, words)
        for position, (first, last, word) in enumerate(placed):
            word_start = min(max(word.start_seconds, start), end)
            word_end = min(max(word.end_seconds, word_start), end)
            # Marks and blanks after a word are said with it.
            until = placed[position + 1][0] if position + 1 < len(placed) else len(text)
            for index in range(first, until):
                share = min((index - first) / (last - first), 1.0)
                self._starts[index] = word_start + (word_end - word_start) * share
            self._ends[first + 1 : until + 1] = [word_end] * (until - first)
            self._starts[until] = word_end

    def start_at(self, offset: int) -> float:
        """When the character at ``offset`` begins."""
        return self._starts[offset]

    def end_at(self, offset: int) -> float:
        """When the text before ``offset`` has been said; ``offset`` > 0."""
        return self._ends[offset]


def _place(text: str, words: Sequence[TimedWord]) -> list[tuple[int, int, TimedWord]]:
    """Where each word stands in the text, as (first, last + 1, word), in order.

    Empty where the words do not say the same as the text (a reviewer has changed it, say): times
    of other words are worse than times in proportion.
    """
    # Letters and digits are compared: the words have the marks and the case of the engine, the
    # text those of written text.
    letters = [at for at, character in enumerate(text) if character.isalnum()]
    placed: list[tuple[int, int, TimedWord]] = []
    cursor = 0
    for word in words:
        wanted = "".join(filter(str.isalnum, word.text))
        if not wanted:
            continue
        places = letters[cursor : cursor + len(wanted)]
        if said("".join(text[at] for at in places)) != said(wanted):
            return []
        cursor += len(wanted)
        # What is attached to the word belongs to it, but for what opens the next one.
        first, end = places[0], places[-1] + 1
        while first > (placed[-1][1] if placed else 0) and _is_mark(text[first - 1]):
            first -= 1
        while end < len(text) and _is_mark(text[end]):
            if unicodedata.category(text[end]) in {"Ps", "Pi"}:
                break
            end += 1
        placed.append((first, end, word))
    return [] if cursor < len(letters) else placed


def _is_mark(character: str) -> bool:
    return not character.isspace() and not character.isalnum()


def _without_overlap(pieces: Sequence[_Piece]) -> list[Cue]:
    """Cues out of pieces that are sorted by their start."""
    cues: list[Cue] = []
    starts = [round(piece.start_seconds * 1000) for piece in pieces]
    earliest = 0
    for piece, start_ms, follower_ms in zip(pieces, starts, [*starts, None][1:], strict=True):
        start = max(start_ms, earliest)
        end = min(round(piece.end_seconds * 1000), start + round(MAX_CUE_SECONDS * 1000))
        end = max(end, start + round(MIN_CUE_SECONDS * 1000))
        # A cue gives way to the next one, but is never without any time.
        if follower_ms is not None:
            end = min(end, follower_ms)
        end = max(end, start + 1)
        cues.append(Cue(start_ms=start, end_ms=end, lines=piece.lines))
        earliest = end
    return cues


def _visible(text: str) -> str:
    """Without control characters: a reviewer's paste may hold them, a subtitle file may not."""
    return "".join(
        " " if unicodedata.category(character) in {"Cc", "Zl", "Zp"} else character
        for character in text
    )
