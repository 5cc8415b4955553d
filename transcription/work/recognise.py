"""From chunks to text: claims a batch across all waiting recordings and recognises it."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum, Window
from django.db.models.functions import Now, RowNumber
from django.utils import timezone

from asr_project.logs import request_id
from transcription.audio.quiet import quietest_sample
from transcription.audio.workfile import WorkFileError, read_span
from transcription.engines.base import SAMPLE_RATE_HZ, Clip, Result
from transcription.models import Chunk, LeasedWork, SpeechModel, Transcription
from transcription.models.leases import in_seconds, max_attempts, pause_seconds
from transcription.work.batching import WaitingChunk, choose_batch
from transcription.work.engine_host import Ready
from transcription.work.finish import finish_these
from transcription.work.paths import work_file
from transcription.work.progress import advance, forget_text_of_other_weights, give_up
from transcription.work.runtime import Runtime, new_lease

logger = logging.getLogger(__name__)
State = LeasedWork.State

#: Chunks of one recording that are looked at; more of one recording never share a batch.
CHUNKS_OF_ONE_RECORDING = 32
RECORDINGS_LOOKED_AT = 1_000
#: A chunk whose text was cut off is halved down to this length before the cut is accepted.
SHORTEST_SPLIT_SECONDS = 4.0
#: Pause of a chunk whose audio is not there yet, since its recording is decoded again.
MISSING_AUDIO_PAUSE_SECONDS = 1.0


def recognise_next(runtime: Runtime) -> bool:
    """Recognise one batch; False: there was nothing to do, or its audio must be decoded first."""
    # Asked a hundred times a second while a recording is prepared, so the cheap question first.
    if not Chunk.objects.claimable().exists():
        return False
    models = {model.name: model for model in SpeechModel.objects.all()}
    waiting = waiting_chunks()
    while waiting:
        chosen = choose_batch(
            waiting, budget_seconds=settings.BATCH_SECONDS, last_served=runtime.last_served
        )
        name = chosen[0].model_name
        ready = runtime.engines.ready(models[name]) if name in models else None
        if ready is None:
            # Its recordings wait; those of other models need not.
            waiting = [one for one in waiting if one.model_name != name]
            continue
        chunks = Chunk.objects.claim([one.id for one in chosen], new_lease())
        if chunks:
            runtime.served({one.owner for one in chosen})
            return recognise(chunks, ready, runtime)
        # All of them went to other workers in the meantime.
        waiting = waiting_chunks()
    return False


def waiting_chunks() -> list[WaitingChunk]:
    """Return what could be claimed now: the first chunks of every recording."""
    ranked = (
        Chunk.objects.claimable()
        .annotate(
            place=Window(
                RowNumber(), partition_by=[F("transcription_id")], order_by=F("start_sample").asc()
            )
        )
        .filter(place__lte=CHUNKS_OF_ONE_RECORDING)
        .order_by("place", "transcription__created_at")
        .values_list(
            "pk",
            "transcription_id",
            "transcription__owner_id",
            "model_name",
            "start_sample",
            "end_sample",
            "attempts",
            "transcription__created_at",
            "transcription__speech_seconds",
            "transcription__expected_seconds",
            "transcription__processed_seconds",
        )[: RECORDINGS_LOOKED_AT * 2]
    )
    now = timezone.now()
    return [
        WaitingChunk(
            id=pk,
            transcription=transcription,
            owner=owner,
            model_name=model_name,
            start_sample=start,
            seconds=(end - start) / SAMPLE_RATE_HZ,
            remaining_seconds=max((speech or expected or 0.0) - processed, 0.0),
            waited_seconds=max((now - created).total_seconds(), 0.0),
            begun=processed > 0,
            interrupted=attempts > 0,
        )
        for (
            pk,
            transcription,
            owner,
            model_name,
            start,
            end,
            attempts,
            created,
            speech,
            expected,
            processed,
        ) in ranked
    ]


def recognise(chunks: Sequence[Chunk], ready: Ready, runtime: Runtime) -> bool:
    """Recognise claimed chunks as one batch and store what came of each.

    False: their audio is not there at present, so looking again at once is of no use.
    """
    with runtime.keeper.holding(chunks, limit_seconds=settings.BATCH_LIMIT_SECONDS):
        rows = {
            row.pk: row
            for row in Transcription.objects.filter(
                pk__in={chunk.transcription_id for chunk in chunks}
            )
        }
        begun = [row.pk for row in rows.values() if row.processed_seconds]
        likely = _likely_languages(begun) if begun else {}
        batch: list[Chunk] = []
        clips: list[Clip] = []
        for chunk in chunks:
            row = rows.get(chunk.transcription_id)
            # None: deleted since the claim, and its chunks with it.
            samples = _samples(chunk, row) if row else None
            if row and samples is not None:
                batch.append(chunk)
                clips.append(
                    Clip(
                        samples=samples,
                        language=row.language_hint or None,
                        likely_language=likely.get(row.pk),
                        context=row.prompt,
                    )
                )
        if not batch:
            return False
        started = time.monotonic()
        try:
            results = ready.engine.transcribe(clips)
        except Exception as error:
            # EngineError is its word for it; whatever else a library raises means the same.
            logger.exception("The engine failed on a batch of %d.", len(batch))
            for chunk in batch:
                put_off(chunk, str(error) or repr(error))
            return True
        complete = _store(batch, clips, results, ready, rows)
        _log(batch, rows, time.monotonic() - started)
    finish_these(complete, runtime)
    return True


def _log(batch: Sequence[Chunk], rows: dict[uuid.UUID, Transcription], seconds: float) -> None:
    """One line for each recording, under the id of the request that brought it."""
    for row in rows.values():
        mine = [chunk for chunk in batch if chunk.transcription_id == row.pk]
        if mine:
            with request_id(row.request_id):
                logger.info(
                    "%s: recognised %.1f s in %d of the %d chunks of a batch that took %.2f s.",
                    row.pk,
                    sum(chunk.duration_seconds for chunk in mine),
                    len(mine),
                    len(batch),
                    seconds,
                )


def _samples(chunk: Chunk, row: Transcription) -> np.ndarray | None:
    """Return the chunk's audio; None, the chunk handed back, where it must be decoded again."""
    path: Path = work_file(row.pk)
    try:
        return read_span(path, chunk.start_sample, chunk.end_sample)
    except (WorkFileError, FileNotFoundError) as error:
        # A power cut took it, or its recording is just being decoded anew.
        logger.warning("%s of %s must be decoded again: %s", path.name, row.pk, error)
        with transaction.atomic():
            if chunk.hand_back(error=str(error), pause_seconds=MISSING_AUDIO_PAUSE_SECONDS):
                Transcription.objects.filter(pk=row.pk, step=Transcription.Step.RECOGNISE).update(
                    step=Transcription.Step.PREPARE,
                    state=State.PENDING,
                    attempts=0,
                    not_before=Now(),
                )
    except OSError as error:
        logger.error("The audio of %s cannot be read: %s", row.pk, error)
        chunk.hand_back(error=str(error), pause_seconds=MISSING_AUDIO_PAUSE_SECONDS)
    return None


def _likely_languages(ids: list[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return the language that most of each recording's finished chunks are in."""
    shares = (
        Chunk.objects.filter(transcription__in=ids, state=State.DONE)
        .exclude(language="")
        .values_list("transcription_id", "language")
        .annotate(samples=Sum(F("end_sample") - F("start_sample")))
        .order_by("samples")
    )
    return {transcription: language for transcription, language, _samples in shares}


def _store(
    chunks: Sequence[Chunk],
    clips: Sequence[Clip],
    results: Sequence[Result],
    ready: Ready,
    rows: dict[uuid.UUID, Transcription],
) -> list[uuid.UUID]:
    """Write the texts in one transaction: one write to the disk for the whole batch.

    Returns the recordings whose last chunk this was.
    """
    complete: list[uuid.UUID] = []
    stored: dict[uuid.UUID, float] = {}
    spent: dict[uuid.UUID, float] = {}
    with transaction.atomic():
        for chunk, clip, result in zip(chunks, clips, results, strict=True):
            if (
                result.finish_reason == "length"
                and chunk.duration_seconds >= 2 * SHORTEST_SPLIT_SECONDS
            ):
                _halve(chunk, clip)
                continue
            if store_result(chunk, result, ready.loaded.digest):
                key = chunk.transcription_id
                stored[key] = stored.get(key, 0.0) + chunk.duration_seconds
                spent[key] = spent.get(key, 0.0) + result.engine_seconds
        # Rows are locked in one order by every worker.
        for key in sorted(stored, key=str):
            Transcription.objects.filter(pk=key).update(
                processed_seconds=F("processed_seconds") + stored[key],
                engine_seconds=F("engine_seconds") + spent[key],
                model_name=ready.name,
            )
            if rows[key].processed_seconds:
                forget_text_of_other_weights(key, ready.loaded.digest)
            if advance(key):
                complete.append(key)
    return complete


def store_result(chunk: Chunk, result: Result, digest: str) -> bool:
    """Write what the engine heard; False: the lease was lost and the result is dropped."""
    offset_seconds = chunk.start_sample / SAMPLE_RATE_HZ
    return chunk.finish(
        text=result.text,
        language=result.language or "",
        language_probability=result.language_probability,
        segments=[
            {
                "start": round(offset_seconds + segment.start_seconds, 3),
                "end": round(offset_seconds + segment.end_seconds, 3),
                "text": segment.text,
                "words": [
                    {
                        "start": round(offset_seconds + word.start_seconds, 3),
                        "end": round(offset_seconds + word.end_seconds, 3),
                        "word": word.text,
                        "probability": word.probability,
                    }
                    for word in segment.words
                ],
                "avg_logprob": segment.avg_logprob,
                "no_speech_probability": segment.no_speech_probability,
            }
            for segment in result.segments
        ],
        finish_reason=result.finish_reason,
        weights_digest=digest,
        engine_seconds=result.engine_seconds,
        last_error="",
    )


def _halve(chunk: Chunk, clip: Clip) -> None:
    """Cut a chunk whose text was cut off into two, to be recognised anew."""
    middle = chunk.start_sample + quietest_sample(clip.samples)
    end = chunk.end_sample
    if chunk.finish(State.PENDING, end_sample=middle, attempts=0, not_before=Now()):
        logger.info("A text was cut off; its chunk is halved at sample %d.", middle)
        Chunk.objects.create(
            transcription_id=chunk.transcription_id,
            start_sample=middle,
            end_sample=end,
            model_name=chunk.model_name,
        )


def put_off(chunk: Chunk, error: str) -> None:
    """Give a chunk on which the engine failed back for another try, or give it up."""
    if chunk.attempts < max_attempts():
        chunk.finish(
            State.PENDING,
            not_before=in_seconds(pause_seconds(chunk.attempts)),
            last_error=error,
        )
        return
    give_up(chunk, error)
