"""From a stored recording to chunks: decodes it in the sandbox and splits it at silence."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Now

from asr_project.logs import request_id
from transcription.audio.decode import DecodeLimits, Decoder, Decoding
from transcription.audio.errors import AudioError
from transcription.audio.peaks import PeakMeter
from transcription.audio.split import Span, Splitter
from transcription.audio.workfile import WorkFileWriter, read_samples
from transcription.engines.base import SAMPLE_RATE_HZ
from transcription.models import Chunk, LeasedWork, SpeechModel, Transcription
from transcription.models.leases import in_seconds, max_attempts, pause_seconds
from transcription.services import bell, outbox, throughput
from transcription.services.errors import ServiceError
from transcription.services.peaks import store_peaks
from transcription.services.routing import Choice, candidate_of, route, undecided_seconds
from transcription.work.paths import peaks_file, work_file
from transcription.work.progress import advance
from transcription.work.runtime import Runtime

logger = logging.getLogger(__name__)
State, Status, Step = LeasedWork.State, Transcription.Status, Transcription.Step

#: Pause after an error of the disk or the database, which costs no attempt.
INFRASTRUCTURE_PAUSE_SECONDS = 5.0
#: Pause when no model is enabled that could recognise the recording.
NO_MODEL_PAUSE_SECONDS = 15.0
#: Longest that a preparation may take: 6 hours of audio decode in minutes.
LIMIT_SECONDS = 3_600.0
#: What was decoded before the model was chosen is read back in pieces of a minute.
READ_BACK_SAMPLES = 60 * SAMPLE_RATE_HZ


class LeaseLost(Exception):
    """The recording was cancelled or taken over while it was worked on."""


class SplitChanged(Exception):
    """Chunks of an earlier attempt do not fit those of this one."""


@dataclass
class _Local(threading.local):
    decoder: Decoder | None = field(default=None)


_local = _Local()


def _decoder() -> Decoder:
    """Return this thread's decoder, whose sandboxed child stands by."""
    if _local.decoder is None:
        _local.decoder = Decoder(DecodeLimits(max_duration_seconds=settings.MAX_DURATION_SECONDS))
    return _local.decoder


def stand_by() -> None:
    """Start the sandbox before the first recording comes, which would wait for it."""
    _decoder()


def stand_down() -> None:
    """End this thread's sandbox; the next recording starts another."""
    if _local.decoder is not None:
        _local.decoder.close()
        _local.decoder = None


def prepare(row: Transcription, runtime: Runtime) -> None:
    """Decode and split a claimed recording; every outcome is written to its row."""
    with (
        request_id(row.request_id),
        runtime.keeper.holding([row], limit_seconds=LIMIT_SECONDS),
    ):
        try:
            _prepare(row)
        except LeaseLost:
            logger.info("%s was cancelled or taken over; its preparation stops.", row.pk)
        except AudioError as error:
            if error.retryable and row.attempts < max_attempts():
                logger.warning("Decoding %s broke off, trying again: %s", row.pk, error)
                put_off(row, error)
            else:
                limit = f"{settings.MAX_DURATION_SECONDS / 3600:g} h"
                fail(row, error.code, str(error), limit=limit)
        except ServiceError as error:
            fail(row, error.code, str(error), **error.details)
        except (OSError, DatabaseError) as error:
            logger.exception("%s is handed back: disk or database fails.", row.pk)
            row.hand_back(error=str(error), pause_seconds=INFRASTRUCTURE_PAUSE_SECONDS)
        except Exception as error:
            logger.exception("Preparing %s went wrong in a way that nobody thought of.", row.pk)
            put_off(row, error)
        finally:
            _leave_nothing_of_a_deleted_one(row)


def _leave_nothing_of_a_deleted_one(row: Transcription) -> None:
    """Remove the files that were written while the recording was being deleted."""
    paths = [work_file(row.pk), peaks_file(row.pk)]
    try:
        if (
            any(path.exists() for path in paths)
            and not Transcription.objects.filter(pk=row.pk).exists()
        ):
            for path in paths:
                path.unlink(missing_ok=True)
    except DatabaseError:
        logger.warning("Whether %s was deleted cannot be asked; upkeep will.", row.pk)


def put_off(row: Transcription, error: Exception) -> None:
    """Try a claimed step again after its pause; after the last attempt it is given up."""
    if row.attempts < max_attempts():
        row.finish(
            State.PENDING,
            not_before=in_seconds(pause_seconds(row.attempts)),
            last_error=repr(error),
        )
    else:
        fail(row, "worker_crashed", repr(error))


def fail(row: Transcription, code: str, detail: str, **details: object) -> None:
    """End a claimed transcription as failed; what waits of it is not started any more."""
    error = ServiceError(code, **details)
    with transaction.atomic():
        failed = row.finish(
            State.FAILED,
            step=Step.OVER,
            status=Status.FAILED,
            error_code=code,
            # In English: who reads it, and in which language, nobody knows here.
            error_message=str(error),
            error_details={name: str(value) for name, value in details.items()} or None,
            last_error=detail,
            completed_at=Now(),
        )
        if failed:
            Chunk.objects.filter(
                transcription=row.pk, state__in=[State.PENDING, State.LEASED]
            ).update(state=State.CANCELLED, lease_token=None, lease_until=None, leased_by="")
            outbox.announce(row)
            throughput.note_failed(code)
    if failed:
        work_file(row.pk).unlink(missing_ok=True)
        logger.warning("%s failed with %s: %s", row.pk, code, detail)


def _prepare(row: Transcription) -> None:
    if not row.audio.name or not row.audio.storage.exists(row.audio.name):
        raise ServiceError("recording_missing")
    enabled = {model.name: model for model in SpeechModel.objects.filter(enabled=True)}
    with (
        _decoder().decode(Path(row.audio.path)) as decoding,
        WorkFileWriter(work_file(row.pk)) as file,
    ):
        meter = PeakMeter()
        blocks = _measured(decoding, meter)
        choice = _choice_for(row, enabled, blocks, file)
        if choice is None:
            row.hand_back(error="no model", pause_seconds=NO_MODEL_PAUSE_SECONDS)
            logger.error("No model is enabled for %s; it waits for one.", row.pk)
            return
        model = enabled[choice.name]
        started: dict[str, Any] = {
            "status": Status.PROCESSING,
            "model": model,
            "model_name": model.name,
            "routing_reason": choice.reason,
            "expected_seconds": decoding.info.declared_duration_seconds,
        }
        if row.started_at is None:
            started["started_at"] = Now()
        else:
            # A repeated preparation starts its count at what is done.
            started["processed_seconds"] = _chunk_seconds(row, state=State.DONE)
        if not row.note(**started):
            raise LeaseLost
        try:
            _split(row, model, decoding, blocks, file, meter)
        except SplitChanged:
            logger.warning("%s is split otherwise than before; its chunks start over.", row.pk)
            with transaction.atomic():
                Chunk.objects.filter(transcription=row.pk).delete()
                row.hand_back(error="split anew")
            bell.wake(bell.CHORES)


def _measured(
    blocks: Iterable[npt.NDArray[np.int16]], meter: PeakMeter
) -> Iterator[npt.NDArray[np.int16]]:
    """Pass the blocks on; what has passed is in the meter."""
    for block in blocks:
        meter.feed(block)
        yield block


def _choice_for(
    row: Transcription,
    enabled: Mapping[str, SpeechModel],
    blocks: Iterator[npt.NDArray[np.int16]],
    file: WorkFileWriter,
) -> Choice | None:
    """Return the model to use; a recording in progress stays with the one it has.

    The duration that decides is the true one: what a header declares may be missing or wrong.
    So where models have limits, blocks are decoded into the file until the recording has ended
    or is longer than every limit that could matter (a matter of a second or two: decoding is
    hundreds of times faster than the recording plays), and only then is it split.
    """
    if row.started_at and row.model_name in enabled and row.chunks.exists():
        reason = row.routing_reason or Transcription.RoutingReason.FIRST_THAT_FITS
        return Choice(name=row.model_name, reason=Transcription.RoutingReason(reason))
    candidates = [candidate_of(model) for model in enabled.values()]
    asked: dict[str, Any] = {
        "requested": row.requested_model,
        "language": row.language_hint,
        "words": row.want_words,
    }
    undecided_samples = undecided_seconds(candidates, **asked) * SAMPLE_RATE_HZ
    while undecided_samples and file.sample_count <= undecided_samples:
        block = next(blocks, None)
        if block is None:
            break
        file.append(block)
    return route(candidates, **asked, seconds=file.sample_count / SAMPLE_RATE_HZ)


def _split(
    row: Transcription,
    model: SpeechModel,
    decoding: Decoding,
    blocks: Iterator[npt.NDArray[np.int16]],
    file: WorkFileWriter,
    meter: PeakMeter,
) -> None:
    """Enter the chunks of what is in the file already and of the blocks still to come."""
    splitter = Splitter(max_chunk_seconds=model.split_seconds)
    writer = _ChunkWriter(row, model.name)
    held = file.sample_count
    for start in range(0, held, READ_BACK_SAMPLES):
        end = min(held, start + READ_BACK_SAMPLES)
        writer.add(splitter.feed(read_samples(file.path, start, end)), end)
    for block in blocks:
        # The samples first: a chunk's row promises that its audio can be read.
        file.append(block)
        writer.add(splitter.feed(block), file.sample_count)
    report = decoding.report
    store_peaks(row.pk, meter.finish())
    with transaction.atomic():
        writer.add(splitter.finish(), file.sample_count)
        ended = row.finish(
            step=Step.RECOGNISE,
            attempts=0,
            duration_seconds=report.duration_seconds,
            speech_seconds=_chunk_seconds(row),
            warnings=list(report.warnings),
            last_error="",
        )
        if not ended:
            raise LeaseLost
        if advance(row.pk):
            # Silence, or everything was recognised while the end was being decoded.
            bell.wake(bell.CHORES)


class _ChunkWriter:
    """Enters spans as chunks, knowing those of earlier attempts at the same recording."""

    def __init__(self, row: Transcription, model_name: str) -> None:
        self._row = row
        self._model_name = model_name
        # A recording that was never begun has none.
        spans = (
            sorted(row.chunks.values_list("start_sample", "end_sample")) if row.started_at else []
        )
        self._earlier_starts = {start for start, _end in spans}
        self._earlier = spans
        self._told_samples = 0

    def add(self, spans: list[Span], decoded_samples: int) -> None:
        """Enter the chunks and wake the engine; raises ``LeaseLost`` if the row is gone."""
        fresh = [span for span in spans if span.start_sample not in self._earlier_starts]
        for span in fresh:
            if any(
                start < span.end_sample and end > span.start_sample for start, end in self._earlier
            ):
                raise SplitChanged
        if not spans and decoded_samples - self._told_samples < 60 * SAMPLE_RATE_HZ:
            return
        self._told_samples = decoded_samples
        with transaction.atomic():
            # Also how a cancelled recording is noticed in the midst of a long silence.
            if not self._row.note(step=Step.PREPARE):
                raise LeaseLost
            Chunk.objects.bulk_create(
                Chunk(
                    transcription=self._row,
                    start_sample=span.start_sample,
                    end_sample=span.end_sample,
                    model_name=self._model_name,
                )
                for span in fresh
            )
            if self._earlier:
                self._revive(decoded_samples)
            if spans:
                bell.wake(bell.ENGINE)

    def _revive(self, decoded_samples: int) -> None:
        """Let chunks that a person's retry asked for again be claimed, now that they have audio."""
        Chunk.objects.filter(
            Q(state=State.FAILED) | Q(state=State.CANCELLED),
            transcription=self._row.pk,
            attempts=0,
            end_sample__lte=decoded_samples,
        ).update(state=State.PENDING, model_name=self._model_name, not_before=Now())


def _chunk_seconds(row: Transcription, **which: object) -> float:
    total = row.chunks.filter(**which).aggregate(samples=Sum(F("end_sample") - F("start_sample")))[
        "samples"
    ]
    return (total or 0) / SAMPLE_RATE_HZ
