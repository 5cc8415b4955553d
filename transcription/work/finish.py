"""From recognised chunks to the text that people read."""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models.functions import Now

from asr_project.logs import request_id
from transcription.models import Chunk, LeasedWork, Segment, Transcription
from transcription.punctuation.files import PunctuationModelError
from transcription.services import bell, outbox, search, throughput
from transcription.services.errors import ERRORS
from transcription.services.transcript import Transcript, transcript_of
from transcription.text.joining import Share, language_shares
from transcription.work.paths import work_file
from transcription.work.prepare import put_off
from transcription.work.progress import forget_text_of_other_weights
from transcription.work.punctuating import punctuation_model
from transcription.work.runtime import Runtime, new_lease

logger = logging.getLogger(__name__)
State, Status, Step = LeasedWork.State, Transcription.Status, Transcription.Step

LIMIT_SECONDS = 300.0
#: Of it, for the punctuation model; a text that needs more is polished by the rules.
MODEL_LIMIT_SECONDS = 200.0
INFRASTRUCTURE_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the chunks of a recording come to."""

    #: The one with most of the speech first; empty: no speech.
    languages: tuple[Share, ...]
    warnings: tuple[str, ...]
    #: Every chunk failed: there is nothing to show.
    failed: bool


def finish_these(ids: Sequence[uuid.UUID], runtime: Runtime, *, model_too: bool = False) -> int:
    """Finish those of these recordings that wait for it; return how many.

    Without ``model_too`` those that want the punctuation model are left to the chores: an engine
    has better things to do with its memory.
    """
    wanted: list[uuid.UUID] = list(ids)
    if wanted and not model_too:
        with_model = set(
            Transcription.objects.filter(
                pk__in=wanted, polish=Transcription.Polish.MODEL
            ).values_list("pk", flat=True)
        )
        wanted = [pk for pk in wanted if pk not in with_model]
        if with_model:
            bell.wake(bell.CHORES)
    finished = 0
    for pk in wanted:
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
    outcome = outcome_of(chunks, want_words=row.want_words)
    transcript, polish_warnings = _written(row, chunks)
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
            text=transcript.text,
            language=outcome.languages[0].language if outcome.languages else "",
            languages=[asdict(share) for share in outcome.languages],
            warnings=[
                *row.warnings,
                *(["glossary_cut"] if row.glossary_left_out else []),
                *outcome.warnings,
                *polish_warnings,
            ],
            error_code=error_code,
            error_message=ERRORS[error_code].words if error_code else "",
            engine_seconds=spent,
            completed_at=row.completed_at or Now(),
        )
        if not ended:
            return
        # There are none yet: a retry deletes those of the time before.
        Segment.objects.bulk_create(
            [
                Segment(
                    transcription=row,
                    index=index,
                    **{part.name: getattr(segment, part.name) for part in fields(segment)},
                )
                for index, segment in enumerate(transcript.segments)
            ],
            batch_size=500,
        )
        search.remember(row.pk)
        if status != Status.CANCELLED:  # of that was told when it was cancelled
            outbox.announce(row)
            if status == Status.FAILED:
                throughput.note_failed(error_code)
            else:
                throughput.note_completed(
                    audio_seconds=row.duration_seconds or 0.0, engine_seconds=spent
                )
    work_file(row.pk).unlink(missing_ok=True)
    logger.info(
        "%s is %s: %.1f s of audio, %.2f s of the engine, %d characters.",
        row.pk,
        status,
        row.duration_seconds or 0.0,
        spent,
        len(transcript.text),
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


def outcome_of(chunks: Sequence[Chunk], *, want_words: bool = False) -> Outcome:
    """Return what is to be said of the text of a recording's chunks, given in their order."""
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
    if any(chunk.context_dropped for chunk in done):
        warnings.append("context_dropped")
    if want_words and any(_lacks_words(chunk) for chunk in spoken):
        warnings.append("no_words")
    return Outcome(
        languages=tuple(
            language_shares([(chunk.language, chunk.duration_seconds) for chunk in spoken])
        ),
        warnings=tuple(warnings),
        failed=bool(failed) and not done,
    )


def _lacks_words(chunk: Chunk) -> bool:
    """Whether some of the chunk's text has no times of words, though there is one to time."""
    return any(
        not segment.get("words") and any(mark.isalnum() for mark in segment["text"])
        for segment in chunk.segments
    )


def _written(row: Transcription, chunks: Sequence[Chunk]) -> tuple[Transcript, list[str]]:
    """Return the text and segments as the recording wants them written, and a warning if not."""
    write = partial(
        transcript_of,
        [chunk for chunk in chunks if chunk.state == State.DONE],
        script=settings.CHINESE_SCRIPT,
        # What was cancelled has no end.
        complete=row.status != Status.CANCELLED,
    )
    if row.polish != Transcription.Polish.MODEL:
        return write(polish=row.polish), []
    try:
        punctuate = partial(
            punctuation_model(), deadline_seconds=time.monotonic() + MODEL_LIMIT_SECONDS
        )
        return write(polish=row.polish, punctuate=punctuate), []
    except PunctuationModelError:
        # The text is more than its marks: it is not held back for them.
        logger.exception("%s is polished by the rules alone.", row.pk)
        return write(polish=Transcription.Polish.RULES), ["polished_by_rules"]
