"""What an engine hears in a batch of chunks, and that it does not only say what it was told."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from transcription.engines.base import SAMPLE_RATE_HZ, Clip, Engine, Result
from transcription.models import Chunk
from transcription.text.leaks import is_heard_again, is_suspect

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What was heard in one clip."""

    result: Result
    #: Whether the context got into the text, and ``result`` is the one without it.
    context_dropped: bool = False


def hear(engine: Engine, clips: Sequence[Clip]) -> list[Heard]:
    """Recognise a batch; where a text may be its context, that clip once more without it.

    All of those are one second batch, so a clip costs twice its time at most. What the speaker
    did say is heard without the context, too: then the first text stays, whose names are spelled
    as people want them. Raises what the engine does.
    """
    results = engine.transcribe(clips)
    suspects = [
        at
        for at, (clip, result) in enumerate(zip(clips, results, strict=True))
        if is_suspect(
            result.text,
            clip.context,
            duration_seconds=clip.duration_seconds,
            no_speech_probability=_no_speech_probability(result),
        )
    ]
    heard = [Heard(result=result) for result in results]
    if not suspects:
        return heard
    repeated = engine.transcribe([replace(clips[at], context="") for at in suspects])
    for at, again in zip(suspects, repeated, strict=True):
        first = results[at]
        leaked = not is_heard_again(first.text, again.text)
        heard[at] = Heard(
            result=replace(
                again if leaked else first,
                engine_seconds=first.engine_seconds + again.engine_seconds,
            ),
            context_dropped=leaked,
        )
    dropped = sum(one.context_dropped for one in heard)
    logger.info(
        "%d of %d texts looked like their context; %d were it.", len(suspects), len(clips), dropped
    )
    return heard


def _no_speech_probability(result: Result) -> float | None:
    """Return how likely it is that nobody spoke anywhere; None where the engine does not say."""
    said = [
        segment.no_speech_probability
        for segment in result.segments
        if segment.no_speech_probability is not None
    ]
    return min(said) if said else None


def store_heard(chunk: Chunk, heard: Heard, digest: str) -> bool:
    """Write what the engine heard; False: the lease was lost and the result is dropped."""
    result = heard.result
    offset_seconds = chunk.start_sample / SAMPLE_RATE_HZ
    return chunk.finish(
        text=result.text,
        language=result.language or "",
        language_probability=result.language_probability,
        segments=[
            {
                "start": round(offset_seconds + segment.start_seconds, 3),
                "end": round(offset_seconds + segment.end_seconds, 3),
                "text": segment.text,
                "words": [
                    {
                        "start": round(offset_seconds + word.start_seconds, 3),
                        "end": round(offset_seconds + word.end_seconds, 3),
                        "word": word.text,
                        "probability": word.probability,
                    }
                    for word in segment.words
                ],
                "avg_logprob": segment.avg_logprob,
                "no_speech_probability": segment.no_speech_probability,
            }
            for segment in result.segments
        ],
        finish_reason=result.finish_reason,
        context_dropped=heard.context_dropped,
        weights_digest=digest,
        engine_seconds=result.engine_seconds,
        last_error="",
    )
