"""The text of a file out of the texts of its chunks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transcription.text.characters import space_between

__all__ = ["Piece", "Share", "gap", "join", "language_shares", "tidy"]

# No-break spaces stay: French puts them in front of "!" and "?" on purpose.
_BLANKS = re.compile(r"[ \t\r\n\f\v\u3000]+")

#: Marks that belong to the word before them, standing alone at the start of a chunk: the voice
#: paused there, and the cut fell between the word and its mark. ".NET" is not such a case.
_LOOSE_MARK = re.compile(r"[,.;:!?…%)\]}،؛؟।۔։]+(?:\s|$)")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """The text of one chunk."""

    #: As the engine wrote it; "" where nothing was said.
    text: str
    #: The chunk's language as a code; None where it is not known.
    language: str | None = None


def tidy(text: str) -> str:
    """The text without blanks around it, and with one space where there were blanks or lines."""
    return _BLANKS.sub(" ", text).strip()


def join(pieces: Sequence[Piece]) -> str:
    """The text of a file from the texts of its chunks, in order.

    Nothing is taken away and nothing is said twice: chunks are cut at silence and do not
    overlap, so a word that stands at both sides of a cut was said twice. Between two pieces
    stands what their languages want: a space, or nothing (see ``space_between``). Pieces
    without text are passed over; without any text the result is "".
    """
    joined: list[str] = []
    left_language: str | None = None
    for piece in pieces:
        text = tidy(piece.text)
        if not text:
            continue
        if joined:
            joined.append(gap(joined[-1], text, left_language, piece.language))
        joined.append(text)
        left_language = piece.language
    return "".join(joined)


def gap(left: str, right: str, left_language: str | None, right_language: str | None) -> str:
    """What ``join`` puts between two tidy texts of these languages: "" or one space."""
    if _LOOSE_MARK.match(right):
        return ""
    # Two languages meet: none of them decides alone, so let the characters do it.
    language = left_language if left_language == right_language else None
    return space_between(left, right, language)


@dataclass(frozen=True, kw_only=True)
class Share:
    """How much of a file's speech is in one language."""

    language: str
    #: 0 to 1, rounded to three digits; all shares of a file add up to 1.
    share: float


def language_shares(heard: Iterable[tuple[str | None, float]]) -> list[Share]:
    """The languages of a file, the one with most seconds of speech first.

    ``heard`` are (language code, seconds of speech) of each chunk; chunks without a language
    (None or "") do not count. Equal shares: the language that came first. A language with less
    than half a thousandth of the speech has the share 0.0, for it was heard. Empty where nothing
    was heard.
    """
    seconds_by_language: dict[str, float] = {}
    for language, seconds in heard:
        if language and seconds > 0:
            seconds_by_language[language] = seconds_by_language.get(language, 0.0) + seconds
    total = sum(seconds_by_language.values())
    ranked = sorted(seconds_by_language.items(), key=lambda item: -item[1])
    # Largest remainders: rounding each for itself gives thirds that add up to 0.999.
    exact = [seconds / total * 1000 for _language, seconds in ranked]
    thousandths = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda at: thousandths[at] - exact[at])
    for at in by_remainder[: 1000 - sum(thousandths) if exact else 0]:
        thousandths[at] += 1
    return [
        Share(language=language, share=share / 1000)
        for (language, _seconds), share in zip(ranked, thousandths, strict=True)
    ]
