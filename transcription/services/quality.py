"""How good each model is in each language, by what people made of its texts."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass

from django.db import Error as DatabaseError
from django.db.models import Count, Q, Sum
from django.db.models.functions import Now

from transcription.models import ReviewScore, Transcription
from transcription.services import bell
from transcription.text.scoring import count_errors, usual_unit

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Quality:
    """One model in one language."""

    model_name: str
    #: Code; "": no speech was heard.
    language: str
    #: "word": the rate is a WER; "character": a CER.
    unit: str
    #: Approved recordings.
    recordings: int
    hours: float
    errors: int
    #: Words or characters of the approved texts.
    reference_length: int
    #: Recordings that were approved just as the machine wrote them.
    unchanged: int

    @property
    def rate(self) -> float | None:
        """Errors for each word or character of the approved texts; None: these have none."""
        return self.errors / self.reference_length if self.reference_length else None

    @property
    def rate_name(self) -> str:
        return "CER" if self.unit == "character" else "WER"

    @property
    def unchanged_share(self) -> float:
        return self.unchanged / self.recordings


def ask_for(row: Transcription) -> None:
    """Have an approved recording scored; to be called in the transaction that approves it."""
    forget(row.pk)
    ReviewScore.objects.create(
        transcription=row,
        model_name=row.model_name,
        language=row.language,
        duration_seconds=row.duration_seconds or 0.0,
    )
    bell.wake(bell.CHORES)


def forget(pk: uuid.UUID) -> None:
    """Take the score of a recording that is no longer approved away."""
    ReviewScore.objects.filter(transcription=pk).delete()


def score_next() -> bool:
    """Score one recording that waits for it; False: none does.

    Two workers may score the same one; they write the same. What cannot be scored is said in the
    log, counts as scored and is in no table, so that it does not hold the others up.
    """
    waiting = ReviewScore.objects.filter(scored_at__isnull=True).order_by("id").first()
    if waiting is None:
        return False
    try:
        values = _scored(waiting)
    except DatabaseError:
        raise  # it is scored when the database answers again
    except Exception:
        logger.exception("%s cannot be scored.", waiting.transcription_id)
        values = {}
    # Zero rows: it was reopened in the meantime.
    ReviewScore.objects.filter(pk=waiting.pk, scored_at__isnull=True).update(
        **values, scored_at=Now()
    )
    return True


def _scored(waiting: ReviewScore) -> dict[str, object]:
    # Nobody changes a text while it is approved.
    row = Transcription.objects.get(pk=waiting.transcription_id)
    first = row.revisions.order_by("number").first()
    machine = first.machine_text if first else row.text
    unit = usual_unit(row.language or None)
    count = count_errors([(row.text, machine)], language=row.language or None, unit=unit)
    return {
        "unit": unit,
        "errors": count.errors,
        "reference_length": count.reference_length,
        "is_unchanged": machine == row.text,
    }


def table() -> list[Quality]:
    """Every model and language with approved recordings, by name: one query.

    Rates are pooled: all errors over all words. Those that wait for their score are not in it.
    """
    rows = (
        ReviewScore.objects.exclude(unit="")
        .values("model_name", "language", "unit")
        .annotate(
            recordings=Count("id"),
            seconds=Sum("duration_seconds"),
            all_errors=Sum("errors"),
            length=Sum("reference_length"),
            unchanged=Count("id", filter=Q(is_unchanged=True)),
        )
        .order_by("model_name", "language", "unit")
    )
    return [
        Quality(
            model_name=row["model_name"],
            language=row["language"],
            unit=row["unit"],
            recordings=row["recordings"],
            hours=row["seconds"] / 3600,
            errors=row["all_errors"],
            reference_length=row["length"],
            unchanged=row["unchanged"],
        )
        for row in rows
    ]


def waiting() -> int:
    """Return how many approved recordings are not scored yet."""
    return ReviewScore.objects.filter(scored_at__isnull=True).count()
