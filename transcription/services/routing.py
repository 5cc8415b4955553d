"""Which model recognises a recording."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from transcription.models import SpeechModel, Transcription

Reason = Transcription.RoutingReason


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What the routing knows of a model."""

    name: str
    #: Longest recording that is routed to it by itself; None: any.
    max_seconds: float | None
    #: Codes of the languages that it knows; empty: all.
    languages: frozenset[str]
    #: Whether it tells times of words; None: nobody has found out yet.
    gives_words: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The model that is used, and why."""

    name: str
    reason: Transcription.RoutingReason


def choose(
    candidates: Iterable[Candidate],
    *,
    requested: str = "",
    language: str = "",
    seconds: float | None = None,
    words: bool = False,
) -> str | None:
    """Return the name of the model that ``route`` chooses, or None where none will do."""
    choice = route(candidates, requested=requested, language=language, seconds=seconds, words=words)
    return choice.name if choice else None


def route(
    candidates: Iterable[Candidate],
    *,
    requested: str = "",
    language: str = "",
    seconds: float | None = None,
    words: bool = False,
) -> Choice | None:
    """Return the model to use and why, or None where none will do.

    A model that was asked for by name is used whatever its limits. Otherwise the first one, in
    the given order, whose limits fit: the language where it is known, the duration where it is
    known (a recording of unknown duration fits any). If the duration alone rules all of them
    out, the last that knows the language is used: a long recording is better recognised by a
    model meant for shorter ones than refused. Where times of words are wanted, those that are
    known to give them come first, then those of which nobody knows.
    """
    listed = list(candidates)
    if requested:
        found = any(one.name == requested for one in listed)
        return Choice(name=requested, reason=Reason.REQUESTED) if found else None
    listed = _considered(listed, language=language, words=words)
    speaking = _speaking(listed, language)
    for one in speaking:
        if one.max_seconds is None or seconds is None or seconds <= one.max_seconds:
            only = len(speaking) == 1 < len(listed)
            reason = Reason.ONLY_FOR_LANGUAGE if only else Reason.FIRST_THAT_FITS
            return Choice(name=one.name, reason=reason)
    if not speaking:
        return None
    return Choice(name=speaking[-1].name, reason=Reason.LONGER_THAN_EVERY_LIMIT)


def undecided_seconds(
    candidates: Iterable[Candidate],
    *,
    requested: str = "",
    language: str = "",
    words: bool = False,
) -> float:
    """Return for how many seconds of a recording its choice may still depend on its duration.

    A recording that is known to be longer than this gets the same model however long it turns
    out to be; 0: the duration plays no part at all.
    """
    longest_limit = 0.0
    if requested:
        return longest_limit
    listed = _considered(list(candidates), language=language, words=words)
    for one in _speaking(listed, language):
        if one.max_seconds is None:
            break
        longest_limit = max(longest_limit, one.max_seconds)
    return longest_limit


def _considered(listed: list[Candidate], *, language: str, words: bool) -> list[Candidate]:
    """Those of which one is used, whatever the duration: where words are wanted, who gives them."""
    for answer in (True, None) if words else ():
        giving = [one for one in listed if one.gives_words is answer]
        if _speaking(giving, language):
            return giving
    return listed


def _speaking(candidates: Iterable[Candidate], language: str) -> list[Candidate]:
    return [
        one for one in candidates if not language or not one.languages or language in one.languages
    ]


def candidate_of(row: SpeechModel) -> Candidate:
    """Return what the routing knows of a model, from its row."""
    return Candidate(
        name=row.name,
        max_seconds=row.max_seconds,
        languages=frozenset(row.languages),
        gives_words=row.gives_words,
    )


def enabled_candidates() -> list[Candidate]:
    """Return the enabled models in their order."""
    return [candidate_of(row) for row in SpeechModel.objects.filter(enabled=True)]
