"""How well a model did on recordings whose text is known: counted by file, by language, in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from transcription.management.local import Completed, Failed, Loaded
from transcription.management.manifest import Entry
from transcription.text.characters import is_unspaced_script
from transcription.text.scoring import (
    Difference,
    ErrorCount,
    Unit,
    count_errors,
    differences,
    usual_unit,
)

#: What a language is called that neither the manifest nor the model names.
UNKNOWN = "?"

_RESAMPLES = 1_000
#: From fewer recordings nothing can be said about others.
_LEAST_FOR_INTERVAL = 10
NOTHING = ErrorCount(substitutions=0, deletions=0, insertions=0, reference_length=0)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One recording and how well it was recognised."""

    entry: Entry
    unit: Unit
    outcome: Completed | Failed
    #: None: it failed, so there is nothing to count.
    count: ErrorCount | None

    @property
    def text(self) -> str:
        """What was recognised; "" where it failed."""
        return self.outcome.transcript.text if isinstance(self.outcome, Completed) else ""

    @property
    def heard_language(self) -> str:
        """Code of the language that the text is in; "" for no speech, and where it failed."""
        return (
            (self.outcome.transcript.language or "") if isinstance(self.outcome, Completed) else ""
        )

    @property
    def duration_seconds(self) -> float:
        return (
            self.outcome.transcript.duration_seconds if isinstance(self.outcome, Completed) else 0.0
        )

    @property
    def engine_seconds(self) -> float:
        return self.outcome.engine_seconds if isinstance(self.outcome, Completed) else 0.0

    def differences(self) -> list[Difference]:
        """The reference and the text, aligned."""
        return differences(self.entry.text, self.text, language=self.entry.language, unit=self.unit)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Recordings of one language, or all of them, taken together."""

    #: Code, "?" for unknown, "all".
    language: str
    #: None: some were counted in words, others in characters.
    unit: Unit | None
    files: int
    failed: int
    count: ErrorCount
    #: Between which rates that of other recordings of this kind is expected (95 %, bootstrap over
    #: recordings: Bisani and Ney, ICASSP 2004); None: too few recordings to say.
    interval: tuple[float, float] | None

    @property
    def rate(self) -> float | None:
        """Errors per word or character; None where the references have no text."""
        return self.count.rate if self.count.reference_length else None


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one model made of a manifest."""

    #: The model and its settings, as they were asked for.
    label: str
    #: Every model that was loaded: the routing may use several.
    loaded: tuple[Loaded, ...]
    files: tuple[Scored, ...]
    #: From the first file to the last text, without loading.
    seconds: float
    peak_bytes: int
    #: Whether the model had to find out the language.
    detected: bool

    @property
    def audio_seconds(self) -> float:
        return sum(one.duration_seconds for one in self.files)

    @property
    def engine_seconds(self) -> float:
        return sum(one.engine_seconds for one in self.files)

    @property
    def failures(self) -> list[Scored]:
        return [one for one in self.files if one.count is None]

    def by_language(self) -> list[Summary]:
        """A summary for each language of the manifest, in alphabetical order."""
        languages = sorted({one.entry.language or UNKNOWN for one in self.files})
        return [
            summary_of(
                language, [one for one in self.files if (one.entry.language or UNKNOWN) == language]
            )
            for language in languages
        ]

    def overall(self) -> Summary:
        """All files together."""
        return summary_of("all", self.files)

    def confusion(self) -> list[tuple[str, str, int]]:
        """Language of the manifest, language that was heard, files; the commonest first.

        Only files whose language the manifest names and that came to an end.
        """
        counted = Counter(
            (one.entry.language, one.heard_language or "no speech")
            for one in self.files
            if one.entry.language and one.count is not None
        )
        return [
            (said, heard, files)
            for (said, heard), files in sorted(
                counted.items(), key=lambda item: (item[0][0], -item[1], item[0][1])
            )
        ]

    def worst(self, count: int) -> list[Scored]:
        """The files with the most errors for the length of their references; none without."""
        wrong = [one for one in self.files if one.count is not None and one.count.errors]
        return sorted(wrong, key=lambda one: (-_rate_of(one), one.entry.line))[:count]


def score(entry: Entry, outcome: Completed | Failed) -> Scored:
    """Count the errors of one recording."""
    unit = unit_of(entry)
    count = None
    if isinstance(outcome, Completed):
        count = count_errors(
            [(entry.text, outcome.transcript.text)], language=entry.language, unit=unit
        )
    return Scored(entry=entry, unit=unit, outcome=outcome, count=count)


def unit_of(entry: Entry) -> Unit:
    """What its errors are counted in: as its language is written, else as its reference is."""
    if entry.language:
        return usual_unit(entry.language)
    letters = [character for character in entry.text if character.isalnum()]
    unspaced = sum(map(is_unspaced_script, letters))
    return "character" if unspaced * 2 > len(letters) else "word"


def summary_of(language: str, files: Sequence[Scored]) -> Summary:
    """Pool the errors of files: each weighs as much as its reference is long."""
    counted = [one.count for one in files if one.count is not None]
    units = {one.unit for one in files}
    return Summary(
        language=language,
        unit=units.pop() if len(units) == 1 else None,
        files=len(files),
        failed=len(files) - len(counted),
        count=_sum(counted),
        interval=_interval(
            [one.errors for one in counted], [one.reference_length for one in counted]
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """By how much a second run differs from a first, over the files that both brought to an end."""

    files: int
    better: int
    worse: int
    #: Rate of the second less that of the first: under 0 is better. None: no reference has text.
    difference: float | None
    #: As ``Summary.interval``, of the difference; one that holds 0 is no difference to rely on.
    interval: tuple[float, float] | None


def compare(first: Run, second: Run) -> Comparison:
    """Compare two runs over the same manifest, file by file."""
    pairs = [
        (one.count, other.count)
        for one, other in zip(first.files, second.files, strict=True)
        if one.count is not None and other.count is not None
    ]
    lengths = [one.reference_length for one, _other in pairs]
    changes = [other.errors - one.errors for one, other in pairs]
    return Comparison(
        files=len(pairs),
        better=sum(change < 0 for change in changes),
        worse=sum(change > 0 for change in changes),
        difference=sum(changes) / sum(lengths) if sum(lengths) else None,
        interval=_interval(changes, lengths),
    )


def _rate_of(one: Scored) -> float:
    assert one.count is not None
    # Words where nothing was said count as if one had been: there is no other measure.
    return one.count.errors / max(one.count.reference_length, 1)


def _sum(counts: Iterable[ErrorCount]) -> ErrorCount:
    total = NOTHING
    for one in counts:
        total = ErrorCount(
            substitutions=total.substitutions + one.substitutions,
            deletions=total.deletions + one.deletions,
            insertions=total.insertions + one.insertions,
            reference_length=total.reference_length + one.reference_length,
        )
    return total


def _interval(errors: Sequence[int], lengths: Sequence[int]) -> tuple[float, float] | None:
    """95 % interval of the pooled rate over recordings drawn anew, with repetition.

    The same numbers give the same interval.
    """
    if len(errors) < _LEAST_FOR_INTERVAL or not all(lengths):
        return None
    random = np.random.default_rng(0)
    counted, length = np.asarray(errors), np.asarray(lengths)
    rates = []
    for _ in range(_RESAMPLES):
        drawn = random.integers(0, len(counted), len(counted))
        rates.append(counted[drawn].sum() / length[drawn].sum())
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)
