"""Segments of a text that has no times of its own: sentences, spread over the audible part."""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt

from transcription.engines.base import SAMPLE_RATE_HZ, Segment

#: A sentence ends after these marks wherever they stand…
_FULL_ENDS = "。！？｡…؟।။៕"
#: …and after these where white space follows: not in "3.14" or "example.org".
_SPACED_ENDS = ".!?"
#: Marks that close and belong to the sentence that they follow.
_CLOSERS = "\"'”’»)]）】」』"
_SENTENCE_END = re.compile(
    rf"(?:[{_FULL_ENDS}]+[{re.escape(_CLOSERS)}]*|[{_SPACED_ENDS}]+[{re.escape(_CLOSERS)}]*(?=\s))"
)

#: Length of the windows that are asked whether they are audible.
_WINDOW_SECONDS = 0.05
#: A window is audible if it is within this many decibels of the loudest one.
_AUDIBLE_DB = 35.0


def sentence_ends(text: str) -> list[int]:
    """Places in the text right after each sentence's last mark, in order."""
    return [match.end() for match in _SENTENCE_END.finditer(text)]


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, stripped, in order; together they are the whole text."""
    bounds = [0, *sentence_ends(text), len(text)]
    sentences = [text[a:b].strip() for a, b in itertools.pairwise(bounds)]
    return [sentence for sentence in sentences if sentence]


def audible_span_seconds(samples: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Start and end of the part that is not silence: (0, duration) where all of it is.

    ``samples`` is float32, shape (samples,), mono, 16 kHz.
    """
    duration_seconds = len(samples) / SAMPLE_RATE_HZ
    window = round(_WINDOW_SECONDS * SAMPLE_RATE_HZ)
    count = len(samples) // window
    if not count:
        return 0.0, duration_seconds
    energy = np.mean(np.square(samples[: count * window].reshape(count, window)), axis=1)
    audible = np.flatnonzero(energy >= energy.max() * 10 ** (-_AUDIBLE_DB / 10))
    end_seconds = (int(audible[-1]) + 1) * _WINDOW_SECONDS
    # What is left after the last whole window belongs to it.
    if audible[-1] == count - 1:
        end_seconds = duration_seconds
    return int(audible[0]) * _WINDOW_SECONDS, min(end_seconds, duration_seconds)


def timed_segments(
    text: str, samples: npt.NDArray[np.float32], *, avg_logprob: float | None
) -> tuple[Segment, ...]:
    """A segment for each sentence, its share of the audible time by its letters and digits.

    The times are estimates until an aligner has heard the clip; they rise, they do not overlap
    and they stay within the clip. Empty for an empty text.
    """
    sentences = sentences_of(text)
    if not sentences:
        return ()
    start_seconds, end_seconds = audible_span_seconds(samples)
    weights = [max(1, sum(mark.isalnum() for mark in sentence)) for sentence in sentences]
    bounds = [0, *np.cumsum(weights).tolist()]
    seconds_per_letter = (end_seconds - start_seconds) / bounds[-1]
    times = [round(start_seconds + bound * seconds_per_letter, 3) for bound in bounds]
    return tuple(
        Segment(start_seconds=start, end_seconds=end, text=sentence, avg_logprob=avg_logprob)
        for start, end, sentence in zip(times[:-1], times[1:], sentences, strict=True)
    )
