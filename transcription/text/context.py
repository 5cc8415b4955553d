"""What goes to an engine beside the sound: the terms of a glossary, then the request's prompt.

Whisper keeps the end of what stands before a transcript and Qwen3-ASR the beginning of its
system turn, so the whole must be short enough for both; and it is written so that of what might
be cut the least weighty stands first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: Whisper has room for 219 tokens of context; the estimate below may be a little short.
BUDGET_TOKENS = 200
#: Most tokens for a character, as Whisper's vocabulary has names in Latin and in Chinese.
_TOKENS_PER_ASCII_CHARACTER = 0.45
_TOKENS_PER_OTHER_CHARACTER = 2.2
_GAP = ", "


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The terms that go along with a prompt."""

    #: The weightiest first.
    terms: tuple[str, ...]
    #: Those that had no room.
    left_out: tuple[str, ...]


def estimate_tokens(text: str) -> float:
    """Return about how many tokens a text is to an engine, rather too many than too few."""
    ascii_characters = sum(character.isascii() for character in text)
    return (
        ascii_characters * _TOKENS_PER_ASCII_CHARACTER
        + (len(text) - ascii_characters) * _TOKENS_PER_OTHER_CHARACTER
    )


def choose_terms(prompt: str, terms: Sequence[str]) -> Chosen:
    """Choose of the terms, the weightiest first, those for which the prompt leaves room.

    The prompt always goes whole. A term that stands in it or came before goes along anyway and
    takes no room. Choosing ends with the first that has none: a weightier term never gives way
    to a shorter one.
    """
    room = BUDGET_TOKENS - estimate_tokens(prompt)
    seen: set[str] = set()
    chosen: list[str] = []
    for at, term in enumerate(terms):
        known = term.casefold()
        if known in seen or _stands_in(known, prompt.casefold()):
            continue
        room -= estimate_tokens(term + _GAP)
        if room < 0:
            return Chosen(terms=tuple(chosen), left_out=tuple(terms[at:]))
        seen.add(known)
        chosen.append(term)
    return Chosen(terms=tuple(chosen), left_out=())


def write_terms(terms: Sequence[str]) -> str:
    """Write chosen terms, the weightiest first, as the engine reads them: it comes last."""
    return _GAP.join(reversed(terms))


def join_context(glossary: str, prompt: str) -> str:
    """Put the prompt, just as it is, behind what ``write_terms`` wrote; either may be ""."""
    if not glossary or not prompt.strip():
        return glossary or prompt
    return f"{glossary}. {prompt}"


def _stands_in(term: str, text: str) -> bool:
    """Whether the term is in the text and no part of a longer Latin word there."""
    return bool(re.search(rf"(?<![a-z0-9]){re.escape(term)}(?![a-z0-9])", text))
