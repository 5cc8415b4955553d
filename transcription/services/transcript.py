"""The text and the segments of a recording, out of its recognised chunks.

The same for the text so far as for the finished one, so that nothing but what is new changes
under the eyes of a reader. A chunk keeps what the engine wrote; this is what people read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transcription.models import Chunk, Transcription
from transcription.text.joining import Piece, join
from transcription.text.script import Script, convert
from transcription.text.written import Punctuate, Stretch, same_words, text_of, written

logger = logging.getLogger(__name__)

Polish = Transcription.Polish

#: Rate of the work audio, which the samples of a chunk are counted at.
SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, kw_only=True)
class TranscriptSegment:
    """A stretch of the text with its times; the fields are those of the Segment row."""

    start_seconds: float
    end_seconds: float
    text: str
    #: Code; "" where it is not known.
    language: str
    #: Times of the single words, in the form the engine gave them; None where there are none.
    words: list[dict[str, Any]] | None
    avg_logprob: float | None
    no_speech_probability: float | None


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """What can be read of a recording."""

    text: str
    #: In order of time; polished, their texts joined are the text.
    segments: list[TranscriptSegment]


def transcript_of(
    chunks: Sequence[Chunk],
    *,
    script: Script,
    polish: str,
    complete: bool,
    punctuate: Punctuate | None = None,
) -> Transcript:
    """Return the text and segments of recognised chunks, given in their order.

    ``polish`` is one of ``Transcription.Polish``. ``complete`` says whether the last chunk ends
    the recording. ``punctuate`` is the punctuation model; without one, ``model`` is as ``rules``.
    """
    raw = [segment for chunk in chunks for segment in _segments(chunk, script)]
    if polish == Polish.OFF:
        pieces = [
            Piece(
                text=convert(chunk.text, script, language=chunk.language),
                language=chunk.language or None,
            )
            for chunk in chunks
        ]
        return Transcript(text=join(pieces), segments=raw)
    stretches = [
        Stretch(
            text=segment.text,
            language=segment.language or None,
            start_seconds=segment.start_seconds,
            end_seconds=segment.end_seconds,
        )
        for segment in raw
    ]
    texts = written(
        stretches,
        complete=complete,
        punctuate=punctuate if polish == Polish.MODEL else None,
    )
    return Transcript(
        text=text_of(stretches, texts),
        segments=[
            replace(segment, text=text)
            for segment, text in zip(raw, texts, strict=True)
            # Marks alone went to a neighbour.
            if text
        ],
    )


def _segments(chunk: Chunk, script: Script) -> Iterator[TranscriptSegment]:
    """Yield a chunk's segments; one for all of it, if the engine's do not hold its words.

    What is read is put together from the segments, and no word of the text may be missing there.
    """
    raw_segments: list[dict[str, Any]] = chunk.segments
    if chunk.text and not same_words("".join(raw["text"] for raw in raw_segments), chunk.text):
        logger.warning("The segments of %s are not its text: it becomes one segment.", chunk)
        raw_segments = [_whole(chunk)]
    for raw in raw_segments:
        yield TranscriptSegment(
            start_seconds=raw["start"],
            end_seconds=raw["end"],
            text=convert(raw["text"], script, language=chunk.language),
            language=chunk.language,
            words=_words(raw, chunk.language, script),
            avg_logprob=raw.get("avg_logprob"),
            no_speech_probability=raw.get("no_speech_probability"),
        )


def _whole(chunk: Chunk) -> dict[str, Any]:
    return {
        "start": round(chunk.start_sample / SAMPLE_RATE_HZ, 3),
        "end": round(chunk.end_sample / SAMPLE_RATE_HZ, 3),
        "text": chunk.text,
        "words": [word for raw in chunk.segments for word in raw.get("words") or []],
    }


def _words(raw: dict[str, Any], language: str, script: Script) -> list[dict[str, Any]] | None:
    return [
        {**word, "word": convert(word["word"], script, language=language)}
        for word in raw.get("words") or []
    ] or None
