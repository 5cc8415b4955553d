"""From recognised chunks to the text that people read."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models.functions import Now

from asr_project.logs import request_id
from transcription.models import Chunk, LeasedWork, Segment, Transcription
from transcription.services import bell, outbox
from transcription.services.errors import ERRORS
from transcription.text.joining import Piece, dominant_language, join
from transcription.text.script import Script, convert
from transcription.work.paths import work_file
from transcription.work.prepare import put_off
from transcription.work.progress import forget_text_of_other_weights
from transcription.work.runtime import Runtime, new_lease

logger = logging.getLogger(__name__)
State, Status, Step = LeasedWork.State, Transcription.Status, Transcription.Step

LIMIT_SECONDS = 300.0
INFRASTRUCTURE_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the chunks of a recording come to."""

    text: str
    language: str
    warnings: tuple[str, ...]
    #: Every chunk failed: there is nothing to show.
    failed: bool


def finish_these(ids: Sequence[uuid.UUID], runtime: Runtime) -> int:
    """Finish those of these recordings that wait for it; return how many."""
    finished = 0
    for pk in ids:
        for row in Transcription.objects.claim([pk], new_lease()):
            finish(row, runtime)
            finished += 1
    return finished


def finish(row: Transcription, runtime: Runtime) -> None:
    """Join the chunks of a claimed recording into its text and segments."""
    with (
        request_id(row.request_id),
        runtime.keeper.holding([row], limit_seconds=LIMIT_SECONDS),
    ):
        try:
            _finish(row)
        except DatabaseError as error:
            logger.exception("%s is handed back: the database fails.", row.pk)
            row.hand_back(error=str(error), pause_seconds=INFRASTRUCTURE_PAUSE_SECONDS)
        except Exception as error:
            logger.exception("Finishing %s went wrong in a way that nobody thought of.", row.pk)
            put_off(row, error)


def _finish(row: Transcription) -> None:
    chunks = list(row.chunks.order_by("start_sample"))
    if row.status != Status.CANCELLED and _send_back_mixed(row, chunks):
        return
    outcome = outcome_of(chunks, script=settings.CHINESE_SCRIPT)
    # Cancelled ones come here for the text that they had.
    status = row.status if row.status == Status.CANCELLED else Status.COMPLETED
    error_code = ""
    if outcome.failed and status != Status.CANCELLED:
        status, error_code = Status.FAILED, "recognition_failed"
    spent = sum(chunk.engine_seconds for chunk in chunks)
    with transaction.atomic():
        ended = row.finish(
            State.DONE,
            step=Step.OVER,
            status=status,
            text=outcome.text,
            language=outcome.language,
            warnings=[*row.warnings, *outcome.warnings],
            error_code=error_code,
            error_message=ERRORS[error_code].words if error_code else "",
            engine_seconds=spent,
            completed_at=row.completed_at or Now(),
        )
        if not ended:
            return
        # There are none yet: a retry deletes those of the time before.
        Segment.objects.bulk_create(
            segments_of(row, chunks, script=settings.CHINESE_SCRIPT), batch_size=500
        )
        if status != Status.CANCELLED:  # of that was told when it was cancelled
            outbox.announce(row)
    work_file(row.pk).unlink(missing_ok=True)
    logger.info(
        "%s is %s: %.1f s of audio, %.2f s of the engine, %d characters.",
        row.pk,
        status,
        row.duration_seconds or 0.0,
        spent,
        len(outcome.text),
    )


def _send_back_mixed(row: Transcription, chunks: Sequence[Chunk]) -> bool:
    """Have all but the commonest weights' chunks recognised anew; False: all are of the same.

    Two workers that load new weights at different moments can come to this.
    """
    digests = Counter(chunk.weights_digest for chunk in chunks if chunk.state == State.DONE)
    if len(digests) < 2:
        return False
    [(commonest, _count)] = digests.most_common(1)
    with transaction.atomic():
        if row.finish(State.DONE, step=Step.RECOGNISE):
            forget_text_of_other_weights(row.pk, commonest)
            bell.wake(bell.ENGINE)
    return True


def outcome_of(chunks: Sequence[Chunk], *, script: Script) -> Outcome:
    """Return the text of a recording's chunks, given in their order, and what to say of it."""
    done = [chunk for chunk in chunks if chunk.state == State.DONE]
    failed = [chunk for chunk in chunks if chunk.state == State.FAILED]
    spoken = [chunk for chunk in done if chunk.text]
    warnings = []
    if not spoken and not failed:
        warnings.append("no_speech")
    if failed and done:
        warnings.append("partial_text")
    if any(chunk.finish_reason == "length" for chunk in done):
        warnings.append("text_cut_off")
    if any(chunk.finish_reason == "repetition" for chunk in done):
        warnings.append("repetition")
    language = dominant_language([(chunk.language, chunk.duration_seconds) for chunk in spoken])
    return Outcome(
        text=join(
            [
                Piece(
                    text=convert(chunk.text, script, language=chunk.language),
                    language=chunk.language,
                )
                for chunk in spoken
            ]
        ),
        language=language or "",
        warnings=tuple(warnings),
        failed=bool(failed) and not done,
    )


def segments_of(row: Transcription, chunks: Sequence[Chunk], *, script: Script) -> list[Segment]:
    """Return the unsaved segments of a recording, numbered from 0."""
    found: list[Segment] = []
    for chunk in chunks:
        for raw in chunk.segments if chunk.state == State.DONE else []:
            found.append(
                Segment(
                    transcription=row,
                    index=len(found),
                    start_seconds=raw["start"],
                    end_seconds=raw["end"],
                    text=convert(raw["text"], script, language=chunk.language),
                    language=chunk.language,
                    words=_words(raw, chunk.language, script),
                    avg_logprob=raw.get("avg_logprob"),
                    no_speech_probability=raw.get("no_speech_probability"),
                )
            )
    return found


def _words(raw: dict[str, Any], language: str, script: Script) -> list[dict[str, Any]] | None:
    return [
        {**word, "word": convert(word["word"], script, language=language)}
        for word in raw.get("words") or []
    ] or None
