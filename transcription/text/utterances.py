"""Sentences of a recording put together to utterances of a length that models are trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transcription.text.joining import Piece, join


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One segment of a text."""

    start_seconds: float
    end_seconds: float
    text: str
    language: str


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """Neighbouring sentences in one language."""

    #: With a little of the pauses around them, never with somebody else's sentence.
    start_seconds: float
    end_seconds: float
    text: str
    language: str

    @property
    def duration_seconds(self) -> float:
        return self.end_seconds - self.start_seconds


def utterances(
    sentences: Sequence[Sentence],
    *,
    most_seconds: float = 30.0,
    most_pause_seconds: float = 1.0,
    margin_seconds: float = 0.2,
) -> Iterator[Utterance]:
    """Group the sentences, in their order, from the first on.

    A group ends where it would be longer than ``most_seconds``, at a change of the language, at a
    longer pause, and at a sentence that somebody emptied: what is said there has no text. One
    sentence that is longer than ``most_seconds``, or takes no time, is left out.
    """
    group: list[Sentence] = []
    begun = 0
    for at, sentence in enumerate(sentences):
        usable = (
            bool(sentence.text.strip())
            and 0 < sentence.end_seconds - sentence.start_seconds <= most_seconds
        )
        fits = (
            usable
            and bool(group)
            and (
                sentence.language == group[0].language
                and sentence.end_seconds - group[0].start_seconds <= most_seconds
                and 0 <= sentence.start_seconds - group[-1].end_seconds + 0.001
                and sentence.start_seconds - group[-1].end_seconds <= most_pause_seconds
            )
        )
        if group and not fits:
            yield _utterance(sentences, begun, at, most_seconds, margin_seconds)
            group = []
        if usable:
            if not group:
                begun = at
            group.append(sentence)
    if group:
        yield _utterance(sentences, begun, len(sentences), most_seconds, margin_seconds)


def _utterance(
    sentences: Sequence[Sentence], first: int, end: int, most_seconds: float, margin_seconds: float
) -> Utterance:
    group = sentences[first:end]
    start_seconds, end_seconds = group[0].start_seconds, group[-1].end_seconds
    before = sentences[first - 1].end_seconds if first else 0.0
    after = sentences[end].start_seconds if end < len(sentences) else end_seconds + margin_seconds
    # Less what rounding may add.
    room = max(most_seconds - (end_seconds - start_seconds) - 0.002, 0.0) / 2
    margin = min(margin_seconds, room)
    # Half of a pause belongs to the one before it.
    start_margin = min(margin, max((start_seconds - before) / (2 if first else 1), 0.0))
    end_margin = min(margin, max((after - end_seconds) / (2 if end < len(sentences) else 1), 0.0))
    return Utterance(
        start_seconds=round(start_seconds - start_margin, 3),
        end_seconds=round(end_seconds + end_margin, 3),
        text=join([Piece(text=one.text, language=one.language or None) for one in group]),
        language=group[0].language,
    )
