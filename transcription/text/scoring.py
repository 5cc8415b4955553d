"""How far what was recognised is from what was said: word and character error rates.

Rates are pooled: all errors over all words of the references, so that a clip of two words does
not weigh as much as one of two hundred. Both sides are normalised first (``normalise``). The
counting is jiwer's, which is imported on first use.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from transcription.text.languages import is_written_without_spaces
from transcription.text.normalise import normalise

__all__ = [
    "Difference",
    "ErrorCount",
    "NothingToScore",
    "Unit",
    "character_error_rate",
    "count_errors",
    "differences",
    "usual_unit",
    "word_error_rate",
]

Unit = Literal["word", "character"]


class NothingToScore(ValueError):
    """No reference has any text in it, so there is nothing to divide the errors by."""


@dataclass(frozen=True, kw_only=True)
class ErrorCount:
    """What it takes to make the recognised texts into the references."""

    substitutions: int
    #: Said, and missing in the recognised text.
    deletions: int
    #: Recognised, and never said.
    insertions: int
    #: Words or characters of all references.
    reference_length: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per word or character of the references: 0 is perfect, more than 1 is possible.

        Raises ``NothingToScore``.
        """
        if self.reference_length == 0:
            raise NothingToScore("The references have no text: there is no rate of errors.")
        return self.errors / self.reference_length


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A stretch of an alignment: what was said, and what stands there in the recognised text."""

    #: Normalised, with the blanks of its language; "" for what was inserted.
    said: str
    #: The same; "" for what is missing.
    recognised: str

    @property
    def is_equal(self) -> bool:
        return self.said == self.recognised


def usual_unit(language: str | None) -> Unit:
    """What errors are counted in: characters where words are not written apart."""
    return "character" if is_written_without_spaces(language) else "word"


def count_errors(
    pairs: Iterable[tuple[str, str]], *, language: str | None, unit: Unit
) -> ErrorCount:
    """The errors of all pairs (reference, recognised) together, after normalising both."""
    import jiwer

    references: list[str] = []
    recognised: list[str] = []
    for reference, text in pairs:
        references.append(_in_units(normalise(reference, language=language), unit))
        recognised.append(_in_units(normalise(text, language=language), unit))
    length = sum(len(reference.split()) for reference in references)
    if not references:
        return ErrorCount(substitutions=0, deletions=0, insertions=0, reference_length=0)
    counted = jiwer.process_words(references, recognised)
    return ErrorCount(
        substitutions=counted.substitutions,
        deletions=counted.deletions,
        insertions=counted.insertions,
        reference_length=length,
    )


def differences(reference: str, text: str, *, language: str | None, unit: Unit) -> list[Difference]:
    """Both texts, normalised and aligned as ``count_errors`` aligns them, from first to last."""
    import jiwer

    said = _in_units(normalise(reference, language=language), unit).split()
    recognised = _in_units(normalise(text, language=language), unit).split()
    glue = " " if unit == "word" else ""
    [alignment] = jiwer.process_words([" ".join(said)], [" ".join(recognised)]).alignments
    return [
        Difference(
            said=glue.join(said[part.ref_start_idx : part.ref_end_idx]),
            recognised=glue.join(recognised[part.hyp_start_idx : part.hyp_end_idx]),
        )
        for part in alignment
    ]


def word_error_rate(pairs: Iterable[tuple[str, str]], *, language: str | None) -> float:
    """Pooled word error rate of (reference, recognised) pairs. Raises ``NothingToScore``."""
    return count_errors(pairs, language=language, unit="word").rate


def character_error_rate(pairs: Iterable[tuple[str, str]], *, language: str | None) -> float:
    """Pooled character error rate of (reference, recognised) pairs; blanks do not count.

    Raises ``NothingToScore``.
    """
    return count_errors(pairs, language=language, unit="character").rate


def _in_units(text: str, unit: Unit) -> str:
    """Units with blanks between, so that one counting serves words and characters."""
    return text if unit == "word" else " ".join(text.replace(" ", ""))
