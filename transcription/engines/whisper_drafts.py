"""Is what the decoder wrote a text, and if not, what is tried next?

Whisper goes wrong in two ways that can be seen without the audio: it writes what it finds
improbable itself, or it repeats itself without end. Its own remedy is sampling at higher
temperatures (Radford et al., 2022, section 4.5). That is not used here: the same clip would get
another text each time. Instead the clip is heard again, under other conditions, always the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from transcription.engines.base import FinishReason

#: A real text that repeats itself (a chorus, a child counting) stays below this many tokens a
#: second of audio; a decoder in a loop writes as fast as it is let.
PLAUSIBLE_TOKENS_PER_SECOND = 8.0

#: ``guessed``: in a language that the model was unsure of.
#: ``improbable``: the decoder does not believe it itself. ``loop``: the same words without end.
#: ``repeats``: the same words again and again, at a pace at which somebody may have said them.
Fault = Literal["guessed", "improbable", "loop", "repeats"]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One way of decoding a clip."""

    #: Hear the clip in the window that Whisper was trained on, however short it is.
    full_window: bool
    #: Put the clip's context into the prompt; it can be what leads the decoder astray.
    with_context: bool
    #: Divide the score of tokens that were written before; 1: do not.
    repetition_penalty: float
    #: Never write the same sequence of so many tokens twice; 0: allowed.
    no_repeat_ngram_size: int


FIRST = Attempt(
    full_window=False, with_context=True, repetition_penalty=1.0, no_repeat_ngram_size=0
)
#: Languages are told apart better in the full window.
WIDE = Attempt(full_window=True, with_context=True, repetition_penalty=1.0, no_repeat_ngram_size=0)
FRESH = Attempt(
    full_window=True, with_context=False, repetition_penalty=1.0, no_repeat_ngram_size=0
)
GUARDED = Attempt(
    full_window=True, with_context=False, repetition_penalty=1.1, no_repeat_ngram_size=3
)
ATTEMPTS = (FIRST, WIDE, FRESH, GUARDED)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Where a text stops being believed; the numbers are Whisper's own."""

    #: Bytes of text per byte that zlib makes of it.
    compression_ratio: float
    #: Mean natural log-probability of the tokens.
    avg_logprob: float
    #: Probability that there is no speech, above which an unbelievable text is dropped.
    no_speech_probability: float
    #: Probability of the language, below which it is a guess.
    language_probability: float


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What one attempt wrote for a clip."""

    attempt: Attempt
    #: Text tokens alone, without anything special.
    tokens: tuple[int, ...]
    #: As decoded, with its leading space.
    text: str
    avg_logprob: float
    no_speech_probability: float
    #: Whether the text ended because no more tokens were allowed.
    capped: bool
    #: Of the clip, without its padding.
    duration_seconds: float
    #: 1 where the language was given.
    language_probability: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a clip's text is in the end."""

    #: None: there is no speech in it.
    draft: Draft | None
    finish_reason: FinishReason


def compression_ratio(text: str) -> float:
    """Bytes of the text in UTF-8 per byte that zlib makes of them; high for repetitions."""
    content = text.encode()
    return len(content) / len(zlib.compress(content))


def fault_of(draft: Draft, limits: Limits) -> Fault | None:
    """What is wrong with the draft by itself; None: nothing."""
    if compression_ratio(draft.text) > limits.compression_ratio:
        pace = len(draft.tokens) / max(draft.duration_seconds, 1.0)
        return "loop" if draft.capped or pace > PLAUSIBLE_TOKENS_PER_SECOND else "repeats"
    if draft.avg_logprob < limits.avg_logprob:
        return "improbable"
    return "guessed" if draft.language_probability < limits.language_probability else None


def judge(
    drafts: Sequence[Draft], limits: Limits, *, own_window_is_full: bool, has_context: bool
) -> Attempt | Verdict:
    """The clip's text, or the attempt to make before it can be told.

    ``drafts`` are those made so far, in order, one at least. ``own_window_is_full`` and
    ``has_context`` say what another attempt could change for this clip at all.
    """
    last = drafts[-1]
    fault = fault_of(last, limits)
    bad = fault in {"loop", "improbable"}
    if bad and last.no_speech_probability > limits.no_speech_probability:
        return Verdict(draft=None, finish_reason="eos")
    if last.attempt == GUARDED:
        return _after_guarded(drafts, limits)
    if fault == "repeats":
        return GUARDED
    if last.attempt == FIRST:
        if fault == "guessed" and not own_window_is_full:
            return WIDE
        if bad and not (own_window_is_full and not has_context):
            return FRESH
    if any(fault_of(draft, limits) == "loop" for draft in drafts):
        return _final(last) if fault is None else GUARDED
    if fault == "guessed" or last.attempt == WIDE:
        return _final(max(drafts, key=lambda draft: draft.language_probability))
    return _final(last if fault is None else max(drafts, key=lambda draft: draft.avg_logprob))


def _after_guarded(drafts: Sequence[Draft], limits: Limits) -> Verdict:
    guarded = drafts[-1]
    if fault_of(guarded, limits) is None:
        # Forbidden to repeat itself, the decoder still finds words that it believes: somebody
        # speaks. Where the pace was a speaker's, the repetitions are his; else they are a loop,
        # and what the guard let through is the text.
        for draft in drafts[:-1]:
            if fault_of(draft, limits) == "repeats":
                return _final(draft)
        return _final(guarded)
    others = [draft for draft in drafts if fault_of(draft, limits) == "improbable"]
    best = max(others or [guarded], key=lambda draft: draft.avg_logprob)
    return Verdict(draft=best, finish_reason="repetition")


def _final(draft: Draft) -> Verdict:
    return Verdict(draft=draft, finish_reason="length" if draft.capped else "eos")
