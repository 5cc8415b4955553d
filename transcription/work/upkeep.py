"""Keeps the rows and the disk in order: leases that ran out, workers that are gone, left files."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from transcription.models import WORK_KINDS, Chunk, Delivery, LeasedWork, Transcription, Worker
from transcription.models.leases import in_seconds
from transcription.models.portions import delete_in_portions
from transcription.services import bell, outbox, tally, throughput
from transcription.services.errors import ERRORS
from transcription.services.tally import Count
from transcription.work.progress import advance, give_up

logger = logging.getLogger(__name__)
State, Status, Step = LeasedWork.State, Transcription.Status, Transcription.Step

#: A body still arriving is younger than this; an older file was left by a process that died.
STALE_UPLOAD_SECONDS = 24 * 3600.0
FORGOTTEN_WORKER = timedelta(minutes=10)


def release_leases(holder: str | None = None) -> int:
    """Give back what dead workers held; return how many rows.

    Without a holder: leases that ran out. With one: all of that cluster's, at once, since the
    launcher saw it die. Work whose last attempt this was is given up.
    """
    expired = {kind: table.objects.expire(holder=holder) for kind, table in WORK_KINDS.items()}
    for chunk in Chunk.objects.exhausted(holder=holder):
        give_up(chunk, "worker_crashed")
        expired["chunk"] += 1
    for row in Transcription.objects.exhausted(holder=holder):
        expired["recording"] += _give_up_recording(row)
    for message in Delivery.objects.exhausted(holder=holder):
        expired["delivery"] += message.finish(State.FAILED, error_code="worker_crashed")
    released = sum(expired.values())
    if released:
        logger.warning("%d pieces of work were interrupted and can be claimed again.", released)
        bell.wake(bell.CHORES)
        bell.wake(bell.ENGINE)
        tally.add({(Count.LEASES_EXPIRED, kind): count for kind, count in expired.items()})
    return released


def release_leases_of(holder: str) -> int:
    """Give back at once what a cluster held that is known to be dead."""
    Worker.objects.filter(cluster=holder).delete()
    return release_leases(holder)


def _give_up_recording(row: Transcription) -> int:
    with transaction.atomic():
        failed = row.finish(
            State.FAILED,
            step=Step.OVER,
            status=Status.FAILED,
            error_code="worker_crashed",
            error_message=ERRORS["worker_crashed"].words,
            completed_at=Now(),
        )
        if failed:
            Chunk.objects.filter(transcription=row.pk, state=State.PENDING).update(
                state=State.CANCELLED
            )
            outbox.announce(row)
            throughput.note_failed("worker_crashed")
    logger.error("%s ended its worker %d times and is given up.", row.pk, row.attempts)
    return int(failed)


def finish_what_stands_still() -> int:
    """Let recordings go on whose last chunk ended without their noticing; return how many.

    Every way of ending a chunk looks after this itself. This is the net below: after a repair
    by hand in the database, say.
    """
    moved = 0
    for row in Transcription.objects.filter(step=Step.RECOGNISE, status=Status.PROCESSING).exclude(
        chunks__state__in=[State.PENDING, State.LEASED]
    )[:100]:
        moved += advance(row.pk)
    if moved:
        bell.wake(bell.CHORES)
    return moved


def forget_dead_workers() -> None:
    """Remove the rows of workers that have not reported for long."""
    Worker.objects.filter(heartbeat_at__lt=in_seconds(-FORGOTTEN_WORKER.total_seconds())).delete()


def forget_old_messages() -> int:
    """Remove messages that were over long ago; return how many."""
    old = Delivery.objects.filter(
        state__in=[State.DONE, State.FAILED, State.CANCELLED],
        created_at__lt=in_seconds(-settings.WEBHOOK_KEPT_DAYS * 86_400),
    )
    return delete_in_portions(old.order_by("created_at"))


def clear_left_files() -> int:
    """Remove uploads that were never accepted and audio of recordings that are over."""
    removed = 0
    now = time.time()
    for path in _files(settings.INCOMING_DIR):
        if now - path.stat().st_mtime > STALE_UPLOAD_SECONDS:
            path.unlink(missing_ok=True)
            removed += 1
    names = {path.stem: path for path in _files(settings.WORK_DIR) if path.suffix == ".pcm"}
    active = {
        str(pk)
        for pk in Transcription.objects.exclude(step=Step.OVER)
        .filter(pk__in=names)
        .values_list("pk", flat=True)
    }
    for stem, path in names.items():
        if stem not in active:
            path.unlink(missing_ok=True)
            removed += 1
    if removed:
        logger.info("Removed %d files that were left behind.", removed)
    return removed


def _files(directory: Path) -> Iterable[Path]:
    return [path for path in Path(directory).iterdir() if path.is_file()]
