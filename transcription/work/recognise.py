"""From chunks to text: claims a batch across all waiting recordings and recognises it."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
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
from transcription.engines.base import SAMPLE_RATE_HZ, Clip
from transcription.models import Chunk, LeasedWork, SpeechModel, Transcription
from transcription.models.leases import in_seconds, max_attempts, pause_seconds
from transcription.services import bell, queue, tally
from transcription.services.tally import Count
from transcription.text.context import join_context
from transcription.work.batching import WaitingChunk, choose_batch
from transcription.work.choosing import held_back
from transcription.work.engine_host import EngineHost
from transcription.work.engine_records import Ready
from transcription.work.finish import finish_these
from transcription.work.hearing import Heard, hear, store_heard
from transcription.work.paths import work_file
from transcription.work.progress import advance, forget_text_of_other_weights, give_up
from transcription.work.runtime import Runtime, new_lease
from transcription.work.waiting import look_after_models

logger = logging.getLogger(__name__)
State = LeasedWork.State

#: Chunks of one recording that are looked at; more of one recording never share a batch.
CHUNKS_OF_ONE_RECORDING = 32
RECORDINGS_LOOKED_AT = 1_000
#: A chunk whose text was cut off is halved down to this length before the cut is accepted.
SHORTEST_SPLIT_SECONDS = 4.0
#: Longest pause before the rows are looked at again while a model is being loaded.
MODEL_POLL_SECONDS = 0.25
#: Pause of a chunk whose audio is not there yet, since its recording is decoded again.
MISSING_AUDIO_PAUSE_SECONDS = 1.0


def recognise_next(runtime: Runtime) -> bool:
    """Recognise one batch; False: there was nothing to do, or its audio must be decoded first."""
    # Asked a hundred times a second while a recording is prepared, so the cheap question first.
    if not Chunk.objects.claimable().exists() or queue.is_paused():
        return False
    engines = runtime.engines
    models = look_after_models(runtime)
    waiting = waiting_chunks()
    if any(one.model_name not in models for one in waiting):
        waiting = _without_orphans(waiting, models)
    begin_loading_what_waits(waiting, models, engines)
    while waiting:
        # Those whose model is not in memory wait; those of other models need not.
        servable = [one for one in waiting if engines.has(one.model_name)]
        if not servable:
            return _wait_for_a_model(waiting, engines)
        chosen = choose_batch(
            servable, budget_seconds=settings.BATCH_SECONDS, last_served=runtime.last_served
        )
        with engines.use(chosen[0].model_name) as ready:
            if ready is None:
                continue  # it has just left the memory
            chunks = Chunk.objects.claim([one.id for one in chosen], new_lease())
            if chunks:
                runtime.served({one.owner for one in chosen})
                return recognise(chunks, ready, runtime)
        # All of them went to other workers in the meantime.
        waiting = waiting_chunks()
    return False


def begin_loading_what_waits(
    waiting: Sequence[WaitingChunk], models: Mapping[str, SpeechModel], engines: EngineHost
) -> None:
    """Begin to load a model whose chunks wait and whose turn it is to be in memory."""
    waited: dict[str, float] = {}
    for one in waiting:
        seconds = engines.waited_since(one.model_name, one.waited_seconds)
        waited[one.model_name] = max(seconds, waited.get(one.model_name, 0.0))
    missing = [name for name in waited if name in models and not engines.has(name)]
    if not missing:
        return
    held = held_back(
        waited,
        in_memory={name for name in waited if engines.has(name)},
        needing_a_swap={name for name in missing if engines.needs_a_swap(models[name])},
        since_last_load_seconds=engines.since_last_load_seconds,
    )
    for name in sorted(missing, key=lambda name: -waited[name]):
        if name not in held and engines.begin(models[name], because="recordings wait for it"):
            return


def _without_orphans(
    waiting: Sequence[WaitingChunk], models: Mapping[str, SpeechModel]
) -> list[WaitingChunk]:
    """Send recordings whose model was deleted back to be given another one; return the rest."""
    orphans = {str(one.transcription) for one in waiting if one.model_name not in models}
    for key in map(uuid.UUID, sorted(orphans)):
        with transaction.atomic():
            # Those that are still being split come to this when they have been.
            if Transcription.objects.filter(pk=key, step=Transcription.Step.RECOGNISE).update(
                step=Transcription.Step.PREPARE,
                state=State.PENDING,
                attempts=0,
                not_before=Now(),
            ):
                logger.warning("The model of %s was deleted; it gets another one.", key)
                Chunk.objects.filter(transcription=key).delete()
                bell.wake(bell.CHORES)
    return [one for one in waiting if str(one.transcription) not in orphans]


def _wait_for_a_model(waiting: Sequence[WaitingChunk], engines: EngineHost) -> bool:
    """Wait a moment for the models that the chunks need; False: none of them will come."""
    load = engines.loading
    if load is None:
        # It may have ended just now.
        return any(engines.has(one.model_name) for one in waiting)
    # One model is loaded at a time: theirs may be the next.
    failed = {name for name in engines.failed_names() if name != load.recipe.name}
    if all(one.model_name in failed for one in waiting):
        return False
    engines.wait_for_change(MODEL_POLL_SECONDS)
    return True


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
        halved = False
        batch: list[Chunk] = []
        clips: list[Clip] = []
        for chunk in chunks:
            row = rows.get(chunk.transcription_id)
            # None: deleted since the claim, and its chunks with it.
            samples = _samples(chunk, row) if row else None
            if samples is not None and chunk.duration_seconds > ready.engine.max_clip_seconds:
                # Split for another engine, or for other options of this one.
                with transaction.atomic():
                    _halve(chunk, samples)
                halved = True
            elif row and samples is not None:
                batch.append(chunk)
                clips.append(
                    Clip(
                        samples=samples,
                        language=row.language_hint or None,
                        likely_language=likely.get(row.pk),
                        context=join_context(row.glossary, row.prompt),
                        # What the model cannot give is not asked for: the text comes without, and
                        # finishing says so.
                        words=row.want_words and ready.engine.gives_words,
                    )
                )
        if not batch:
            return halved
        started = time.monotonic()
        try:
            heard = hear(ready.engine, clips)
        except Exception as error:
            # EngineError is its word for it; whatever else a library raises means the same.
            logger.exception("The engine failed on a batch of %d.", len(batch))
            for chunk in batch:
                put_off(chunk, str(error) or repr(error))
            return True
        complete = _store(batch, clips, heard, ready, rows)
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
    heard: Sequence[Heard],
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
        for chunk, clip, one in zip(chunks, clips, heard, strict=True):
            result = one.result
            if (
                result.finish_reason == "length"
                and chunk.duration_seconds >= 2 * SHORTEST_SPLIT_SECONDS
            ):
                _halve(chunk, clip.samples)
                continue
            if store_heard(chunk, one, ready.loaded.digest):
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
            # One that stands in for what another worker may have loaded throws nothing of that
            # away; what is mixed all the same is found at the end.
            if rows[key].processed_seconds and ready.stands_in_for is None:
                forget_text_of_other_weights(key, ready.loaded.digest)
            if advance(key):
                complete.append(key)
        longest_seconds = max(clip.duration_seconds for clip in clips)
        tally.add(
            {
                (Count.BATCHES, ""): 1,
                (Count.BATCH_CLIPS, ""): len(clips),
                (Count.BATCH_AUDIO_SECONDS, ""): sum(clip.duration_seconds for clip in clips),
                (Count.BATCH_PADDED_SECONDS, ""): longest_seconds * len(clips),
            }
        )
    return complete


def _halve(chunk: Chunk, samples: np.ndarray) -> None:
    """Cut a chunk whose text was cut off, or that is too long, into two, to be recognised anew."""
    middle = chunk.start_sample + quietest_sample(samples)
    end = chunk.end_sample
    if chunk.finish(State.PENDING, end_sample=middle, attempts=0, not_before=Now()):
        logger.info("A chunk of %s is halved at sample %d.", chunk.transcription_id, middle)
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
