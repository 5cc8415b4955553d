"""Whether a text is what was said, or the context that the engine was given.

An engine that hears nothing may write down what it was told to expect. Such a text is made of
stretches of the context; but so is that of somebody who says just those names. Two questions
keep them apart: ``is_suspect`` looks for what no speaker does, and after the clip was recognised
once more without its context, ``is_heard_again`` tells whether the sound had it, too.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate

from transcription.text.characters import UNSPACED_CLASS
from transcription.text.terms import fold

#: Share of a text's letters that must come from the context, for the text to be no more than it.
MOSTLY = 0.8
#: From here on a model says itself that nobody spoke.
NO_SPEECH_PROBABILITY = 0.6
#: Nobody says more in a second: twice the quickest newsreader.
MOST_LETTERS_PER_SECOND = 35.0
MOST_UNSPACED_PER_SECOND = 12.0
#: A stretch of the context as long as this is no coincidence; a letter of a script without
#: spaces counts as three.
LONG_STRETCH_LETTERS = 24
#: As often one term alone.
MOST_REPEATS = 3
#: How much alike both texts are where the speaker did say it. Names are heard in many ways.
ALIKE = 0.5
#: Of the context and of the text: longer ones are looked at as far as this.
MOST_CHARACTERS = 4_000

_UNIT = re.compile(rf"[{UNSPACED_CLASS}]|[^\W_{UNSPACED_CLASS}]+")
#: Between the terms of a list or the sentences of a prompt.
_BORDER = re.compile(r"[^\w\s'’.\-]+|\.(?:\s|$)|\n")


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """A stretch of the text that stands in the context just so."""

    start: int
    end: int
    #: Whole terms or sentences of the context that it is made of.
    items: int


def is_suspect(
    text: str,
    context: str,
    *,
    duration_seconds: float,
    no_speech_probability: float | None = None,
) -> bool:
    """Whether a text, heard in so many seconds, may be the context and not speech.

    It must be made of the context, and besides: the engine itself doubts that anybody spoke, or
    it is more than can be said in the time, or several terms stand in their order as in the
    context, or a long stretch of it does, or one term again and again.
    """
    units = _units(text)
    items = [one for part in _BORDER.split(context[:MOST_CHARACTERS]) if (one := _units(part))]
    if not units or not items:
        return False
    stretches = _stretches(units, items)
    from_context = sum(_letters(units[one.start : one.end]) for one in stretches)
    if from_context < MOSTLY * _letters(units):
        return False
    if no_speech_probability is not None and no_speech_probability >= NO_SPEECH_PROBABILITY:
        return True
    if _least_seconds(units) > duration_seconds:
        return True
    if any(
        one.items >= 2 or _letters(units[one.start : one.end]) >= LONG_STRETCH_LETTERS
        for one in stretches
    ):
        return True
    said = [tuple(units[one.start : one.end]) for one in stretches]
    return any(said.count(one) >= MOST_REPEATS for one in set(said))


def is_heard_again(text: str, without_context: str) -> bool:
    """Whether the sound itself has the words: without the context they were heard much alike."""
    first, second = "".join(_units(text)), "".join(_units(without_context))
    if not first or not second:
        return not first and not second
    return SequenceMatcher(None, first, second, autojunk=False).ratio() >= ALIKE


def _units(text: str) -> list[str]:
    """Words, and single characters of scripts without spaces."""
    return _UNIT.findall(fold(text[:MOST_CHARACTERS]))


def _letters(units: list[str]) -> int:
    return sum(3 if _is_unspaced(unit) else len(unit) for unit in units)


def _is_unspaced(unit: str) -> bool:
    return re.match(f"[{UNSPACED_CLASS}]", unit) is not None


def _least_seconds(units: list[str]) -> float:
    unspaced = sum(map(_is_unspaced, units))
    spaced = sum(len(unit) for unit in units) - unspaced
    return spaced / MOST_LETTERS_PER_SECOND + unspaced / MOST_UNSPACED_PER_SECOND


def _stretches(units: list[str], items: list[list[str]]) -> list[_Stretch]:
    """Cut the text, from left to right, into the longest stretches that the context has.

    One word of a sentence alone is none: any text has some word that a prompt has, too.
    """
    whole = [unit for item in items for unit in item]
    borders = [0, *accumulate(len(item) for item in items)]
    places: dict[str, list[int]] = defaultdict(list)
    for at, unit in enumerate(whole):
        places[unit].append(at)
    found = []
    at = 0
    while at < len(units):
        best, best_items = 0, 0
        for place in places.get(units[at], ()):
            length = 1
            while (
                at + length < len(units)
                and place + length < len(whole)
                and units[at + length] == whole[place + length]
            ):
                length += 1
            # From the first border in it to the last.
            first = bisect_left(borders, place)
            covered = max(bisect_right(borders, place + length) - 1 - first, 0)
            if (length, covered) > (best, best_items):
                best, best_items = length, covered
        if best > 1 or best_items:
            found.append(_Stretch(start=at, end=at + best, items=best_items))
        at += max(best, 1)
    return found
