"""Words of a text, as it writes them, from the bare units that the forced aligner is asked about.

The aligner is asked about letters and digits alone: "Well-known, yes." becomes the units
"Wellknown" and "yes", and Chinese a unit for each character. Here the marks go back onto the
words, so that the words in a row are the text. Pure functions: no torch, no weights.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from transcription.engines.base import Segment, Word
from transcription.engines.qwen3.segments import sentence_ends

#: Languages that the aligner was trained for, by our codes.
ALIGNED_LANGUAGES = frozenset({"de", "en", "es", "fr", "it", "ja", "ko", "pt", "ru", "yue", "zh"})
#: Marks that belong to the word after them where no white space says so.
_OPENERS = frozenset("“‘«‹([{（［｛「『《〈【〔〖¿¡#$€£¥@")


@dataclass(frozen=True, kw_only=True)
class Span:
    """Where a word stands in its text: ``text[start:end]``, its marks included."""

    start: int
    end: int


def word_spans(text: str, units: Sequence[str]) -> list[Span] | None:
    """Where each unit stands in the text; between two of them there is nothing but white space.

    None where the units are not the letters of the text in their order, so that nobody can tell
    which mark belongs where.
    """
    cores = _cores(text, units)
    if not cores:
        return None
    cuts = [0, *(_cut(text, a.end, b.start) for a, b in itertools.pairwise(cores))]
    cuts.append(len(text))
    spans = []
    for start, end in itertools.pairwise(cuts):
        stripped = text[start:end]
        first = start + len(stripped) - len(stripped.lstrip())
        spans.append(Span(start=first, end=first + len(stripped.strip())))
    return spans


def timed_words(
    text: str,
    spans: Sequence[Span],
    times_seconds: Sequence[tuple[float, float]],
    *,
    duration_seconds: float,
) -> list[Word]:
    """The words with their times, which never go back and stay within the clip."""
    words, earliest = [], 0.0
    for span, (start, end) in zip(spans, times_seconds, strict=True):
        start = min(max(start, earliest), duration_seconds)
        earliest = min(max(end, start), duration_seconds)
        words.append(
            Word(
                start_seconds=round(start, 3),
                end_seconds=round(earliest, 3),
                text=text[span.start : span.end],
            )
        )
    return words


def segments_of_words(
    text: str, spans: Sequence[Span], words: Sequence[Word], *, avg_logprob: float | None
) -> tuple[Segment, ...]:
    """A segment for each sentence, from the start of its first word to the end of its last.

    A sentence that ends within a word ("3.14。abc") ends with it.
    """
    ends = sentence_ends(text)
    segments, first = [], 0
    for place, span in enumerate(spans):
        following = spans[place + 1].start if place + 1 < len(spans) else len(text) + 1
        if place + 1 < len(spans) and not any(span.start < end <= following for end in ends):
            continue
        group = words[first : place + 1]
        segments.append(
            Segment(
                start_seconds=group[0].start_seconds,
                end_seconds=group[-1].end_seconds,
                text=text[spans[first].start : span.end],
                words=tuple(group),
                avg_logprob=avg_logprob,
            )
        )
        first = place + 1
    return tuple(segments)


def _cores(text: str, units: Sequence[str]) -> list[Span]:
    """Where the letters of each unit stand; empty where they do not all stand there in order."""
    # A tokenizer may write full-width letters in half width, and "㎏" as two: compared folded.
    letters = [(folded, at) for at, mark in enumerate(text) for folded in _folded(mark)]
    cores, place = [], 0
    for unit in units:
        found: list[int] = []
        for wanted in _folded(unit):
            while place < len(letters) and letters[place][0] != wanted:
                if letters[place][0].isalnum():
                    return []
                place += 1
            if place == len(letters):
                return []
            found.append(letters[place][1])
            place += 1
        if not found:
            return []
        cores.append(Span(start=found[0], end=found[-1] + 1))
    return cores


def _cut(text: str, end: int, start: int) -> int:
    """Where the marks between two words are divided among them."""
    gap = text[end:start]
    for place in range(len(gap) - 1, -1, -1):
        if gap[place].isspace():
            return end + place + 1
    place = len(gap)
    while place and gap[place - 1] in _OPENERS:
        place -= 1
    return end + place


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
