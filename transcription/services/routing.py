"""Which model recognises a recording."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from transcription.models import SpeechModel


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


def choose(
    candidates: Iterable[Candidate],
    *,
    requested: str = "",
    language: str = "",
    seconds: float | None = None,
    words: bool = False,
) -> str | None:
    """Return the name of the model to use, or None where none will do.

    A model that was asked for by name is used whatever its limits. Otherwise the first one, in
    the given order, whose limits fit: the language where it is known, the duration where it is
    known (a recording of unknown duration fits any). If the duration alone rules all of them
    out, the last that knows the language is used: a long recording is better recognised by a
    model meant for shorter ones than refused. Where times of words are wanted, those that are
    known to give them come first, then those of which nobody knows.
    """
    listed = list(candidates)
    if words and not requested:
        for answer in (True, None):
            giving = [one for one in listed if one.gives_words is answer]
            chosen = choose(giving, language=language, seconds=seconds)
            if chosen is not None:
                return chosen
    if requested:
        return next((one.name for one in listed if one.name == requested), None)
    speaking = [
        one for one in listed if not language or not one.languages or language in one.languages
    ]
    for one in speaking:
        if one.max_seconds is None or seconds is None or seconds <= one.max_seconds:
            return one.name
    return speaking[-1].name if speaking else None


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
