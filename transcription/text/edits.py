"""A text as people edit it: segments in order, what can be done to them, and how it is undone.

Pure: a text and an operation give another text, and what changed between the two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from difflib import SequenceMatcher
from typing import Any

from transcription.text import word_times
from transcription.text.characters import UNSPACED_CLASS
from transcription.text.joining import Piece, join, tidy
from transcription.text.word_times import Word

__all__ = [
    "Change",
    "Difference",
    "Line",
    "changes",
    "differences",
    "edited",
    "merged",
    "reconciled",
    "split",
    "timed",
    "undone",
]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One segment. Lines are compared by identity where it is asked what has changed."""

    #: Of its row; None: it has none yet.
    id: int | None
    start_seconds: float
    end_seconds: float
    text: str
    #: Code; "" where it is not known.
    language: str
    #: As in ``text.word_times``; None: there are no times of words.
    words: list[Word] | None
    avg_logprob: float | None
    no_speech_probability: float | None
    #: Number of the revision that changed it last; 0: as the machine wrote it.
    revision: int

    def as_json(self) -> dict[str, Any]:
        """Return its fields; not a copy of the words."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def content(self) -> tuple[Any, ...]:
        """Return all of it but the revision: what restoring has to bring back."""
        return tuple(getattr(self, one.name) for one in fields(self) if one.name != "revision")


@dataclass(frozen=True, kw_only=True)
class Change:
    """Neighbouring lines that became others."""

    #: Place in the text afterwards.
    at: int
    removed: tuple[Line, ...]
    inserted: tuple[Line, ...]

    @property
    def keeps_ids(self) -> bool:
        """Whether the segments are the same ones afterwards, with other texts or times."""
        return [line.id for line in self.removed] == [line.id for line in self.inserted]

    def as_json(self) -> dict[str, Any]:
        """Return it in the form that is stored."""
        return {
            "at": self.at,
            "removed": [line.as_json() for line in self.removed],
            "inserted": [line.as_json() for line in self.inserted],
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Change:
        """Return what ``as_json`` made this of."""
        return cls(
            at=stored["at"],
            removed=tuple(Line(**line) for line in stored["removed"]),
            inserted=tuple(Line(**line) for line in stored["inserted"]),
        )


# --- what can be done -------------------------------------------------------------------------


def edited(line: Line, text: str) -> Line:
    """Return the line with another text; the very same one where that is no other.

    Words that stay keep their times, see ``text.word_times``; without times of words there are
    none afterwards either. A text that is emptied leaves no words, and words written into it
    later get times from the line's.
    """
    text = tidy(text)
    if text == tidy(line.text):
        return line
    return replace(line, text=text, words=_aligned(line.words, line, text))


def split(line: Line, at_character: int, at_seconds: float | None) -> tuple[Line, Line]:
    """Cut a line in two; the first keeps the id.

    ``at_character`` is between 1 and the last character. The cut is at ``at_seconds`` where that
    is inside the line; else in the pause between the words; else in proportion to the characters.
    """
    before, after = tidy(line.text[:at_character]), tidy(line.text[at_character:])
    left_words, right_words = (
        (None, None)
        if line.words is None
        else word_times.divided(line.words, line.text, at_character)
    )
    start, end = line.start_seconds, line.end_seconds
    seconds = start + (end - start) * at_character / len(line.text)
    if at_seconds is not None and start < at_seconds < end:
        seconds = at_seconds
    elif left_words and right_words:
        seconds = (left_words[-1]["end"] + right_words[0]["start"]) / 2
    seconds = round(min(max(seconds, start), end), 3)
    left = replace(line, end_seconds=seconds, text=before)
    right = replace(line, id=None, start_seconds=seconds, text=after, revision=0)
    return (
        replace(left, words=_aligned(left_words, left, before)),
        replace(right, words=_aligned(right_words, right, after)),
    )


def merged(left: Line, right: Line) -> Line:
    """Make one line of two neighbours; it keeps the id of the first.

    Between the texts stands what their languages want. Where one of them has times of words,
    the other's words get some, too.
    """
    text = join(
        [
            Piece(text=left.text, language=left.language or None),
            Piece(text=right.text, language=right.language or None),
        ]
    )
    one = replace(
        left,
        end_seconds=max(left.end_seconds, right.end_seconds),
        text=text,
        language=left.language if left.text or not right.language else right.language,
        words=None,
        avg_logprob=_mean(left, right, left.avg_logprob, right.avg_logprob),
        no_speech_probability=_mean(
            left, right, left.no_speech_probability, right.no_speech_probability
        ),
    )
    if left.words is None and right.words is None:
        return one
    words = [
        word for line in (left, right) for word in line.words or _aligned([], line, line.text) or ()
    ]
    return replace(one, words=_aligned(words, one, text))


def timed(line: Line, start_seconds: float, end_seconds: float) -> Line:
    """Return the line with other times; its words stay inside them."""
    if (start_seconds, end_seconds) == (line.start_seconds, line.end_seconds):
        return line
    words = line.words and word_times.clamped(line.words, start_seconds, end_seconds)
    return replace(line, start_seconds=start_seconds, end_seconds=end_seconds, words=words)


def _aligned(words: Sequence[Word] | None, line: Line, text: str) -> list[Word] | None:
    if words is None:
        return None
    found = word_times.aligned(
        words, text, start_seconds=line.start_seconds, end_seconds=line.end_seconds
    )
    return word_times.clamped(found, line.start_seconds, line.end_seconds)


def _mean(left: Line, right: Line, first: float | None, second: float | None) -> float | None:
    """Return the mean of two figures, by the duration of their lines."""
    if first is None or second is None:
        return second if first is None else first
    shares = [line.end_seconds - line.start_seconds for line in (left, right)]
    total = sum(shares)
    return (first * shares[0] + second * shares[1]) / total if total > 0 else (first + second) / 2


# --- what has changed -------------------------------------------------------------------------


def changes(before: Sequence[Line], after: Sequence[Line]) -> list[Change]:
    """Return what makes ``after`` of ``before``: each line that is not the very same object.

    Lines that stay are in the same order in both.
    """
    staying = {id(line) for line in before} & {id(line) for line in after}
    found: list[Change] = []
    old = new = 0
    while old < len(before) or new < len(after):
        at, first = new, old
        while old < len(before) and id(before[old]) not in staying:
            old += 1
        while new < len(after) and id(after[new]) not in staying:
            new += 1
        if old > first or new > at:
            found.append(
                Change(at=at, removed=tuple(before[first:old]), inserted=tuple(after[at:new]))
            )
        else:
            old, new = old + 1, new + 1
    return found


def undone(after: Sequence[Line], made: Sequence[Change]) -> list[Line]:
    """Return the text before these changes."""
    lines = list(after)
    # From the last one on, so that the places of those before it stay right.
    for change in reversed(made):
        lines[change.at : change.at + len(change.inserted)] = change.removed
    return lines


# --- what differs between two states ------------------------------------------------------------


def reconciled(here: Sequence[Line], there: Sequence[Line]) -> list[Line]:
    """Return ``there``, with the very lines of ``here`` where they say the same."""
    by_id = {line.id: line for line in here}
    return [
        by_id[line.id] if line.id in by_id and by_id[line.id].content() == line.content() else line
        for line in there
    ]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A segment that differs; several, where they were split, merged or taken away."""

    before: tuple[Line, ...]
    after: tuple[Line, ...]
    #: "same", "removed" or "added", and the text: from the one text to the other.
    parts: tuple[tuple[str, str], ...]


def differences(before: Sequence[Line], after: Sequence[Line]) -> list[Difference]:
    """Return in order what differs between two states of a text, by segment."""
    return [
        Difference(before=old, after=new, parts=tuple(_parts(_text_of(old), _text_of(new))))
        for change in changes(before, reconciled(before, after))
        for old, new in _by_segment(change)
    ]


def _by_segment(change: Change) -> list[tuple[tuple[Line, ...], tuple[Line, ...]]]:
    """Take a change apart: a segment that stays is one, with what was split from it behind it or
    merged into it."""
    staying = {line.id for line in change.removed} & {line.id for line in change.inserted}
    sides = []
    for side in (change.removed, change.inserted):
        # What comes before the first that stays is one of its own.
        groups: list[list[Line]] = [[]]
        for line in side:
            if line.id in staying:
                groups.append([])
            groups[-1].append(line)
        sides.append(groups)
    pairs = zip(*sides, strict=True)
    return [(tuple(old), tuple(new)) for old, new in pairs if old or new]


def _text_of(lines: Sequence[Line]) -> str:
    return join([Piece(text=line.text, language=line.language or None) for line in lines])


_PIECE = re.compile(rf"\s+|[{UNSPACED_CLASS}]|[^\s{UNSPACED_CLASS}]+")


def _parts(before: str, after: str) -> list[tuple[str, str]]:
    """Compare two texts by words, and by single signs in a script without spaces."""
    old, new = _PIECE.findall(before), _PIECE.findall(after)
    if len(old) * len(new) > word_times.MOST_COMPARISONS:
        whole = [("removed", before), ("added", after)]
        return [("same", before)] if before == after else whole
    parts: list[tuple[str, str]] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(("same", "".join(old[a:b])))
            continue
        if a < b:
            parts.append(("removed", "".join(old[a:b])))
        if c < d:
            parts.append(("added", "".join(new[c:d])))
    return parts
