"""How a transcription moves from step to step."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Now

from transcription.models import Chunk, LeasedWork, Transcription
from transcription.services import bell

logger = logging.getLogger(__name__)
State = LeasedWork.State


def advance(transcription_id: Any) -> bool:
    """Let the finish step begin once the recording is split and no chunk is unfinished.

    To be called inside the transaction that ended a chunk or the splitting, after it has
    written the transcription's row: that write locks the row, so that of two workers who end
    the last two chunks at once the second sees what the first did.
    """
    return bool(
        Transcription.objects.filter(pk=transcription_id, step=Transcription.Step.RECOGNISE)
        .exclude(chunks__state__in=[State.PENDING, State.LEASED])
        .update(
            step=Transcription.Step.FINISH,
            state=State.PENDING,
            attempts=0,
            not_before=Now(),
        )
    )


def forget_text_of_other_weights(transcription_id: Any, digest: str) -> int:
    """Send finished chunks that other weights wrote back: no transcript mixes two models."""
    others = Chunk.objects.filter(transcription=transcription_id, state=State.DONE).exclude(
        weights_digest=digest
    )
    samples = others.aggregate(total=Sum(F("end_sample") - F("start_sample")))["total"]
    if not samples:
        return 0
    count = others.update(
        state=State.PENDING, attempts=0, text="", language="", segments=[], finish_reason="",
        weights_digest="", not_before=Now(),
    )  # fmt: skip
    Transcription.objects.filter(pk=transcription_id).update(
        processed_seconds=F("processed_seconds") - samples / 16_000
    )
    return count


def give_up(chunk: Chunk, error: str) -> None:
    """Mark a chunk as a gap of its recording's text."""
    with transaction.atomic():
        if chunk.finish(State.FAILED, last_error=error):
            logger.error("A chunk of %s is given up: %s", chunk.transcription_id, error)
            Transcription.objects.filter(pk=chunk.transcription_id).update(
                processed_seconds=F("processed_seconds") + chunk.duration_seconds
            )
            if advance(chunk.transcription_id):
                bell.wake(bell.CHORES)
