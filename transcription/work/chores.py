"""The work beside the engine: preparing and finishing recordings, and upkeep."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from transcription.models import LeasedWork, Transcription
from transcription.services import (
    audit,
    idempotency,
    presence,
    quality,
    queue,
    quotas,
    search,
    throughput,
)
from transcription.work import upkeep
from transcription.work.batching import in_turns
from transcription.work.finish import finish_these
from transcription.work.prepare import prepare
from transcription.work.runtime import Runtime, new_lease

State, Step = LeasedWork.State, Transcription.Step

#: A file of this size may hold an hour; it counts as long.
LONG_FILE_BYTES = 16 * 1024 * 1024
#: A long file moves up past a short one that came this much later.
LONG_WAIT_SECONDS = 120.0
#: Long recordings split but not yet recognised; more would only fill the disk.
MOST_LONG_IN_PROGRESS = 16
#: The same for short ones.
MOST_IN_PROGRESS = 500
QUEUED_OF_ONE_OWNER = 16


@dataclass(frozen=True, kw_only=True)
class QueuedFile:
    """What the choice of the next file to prepare knows of one."""

    id: Hashable
    owner: Hashable
    size_bytes: int
    waited_seconds: float

    @property
    def is_long(self) -> bool:
        return self.size_bytes >= LONG_FILE_BYTES


def choose_file(
    queued: Sequence[QueuedFile],
    *,
    long_being_prepared: int,
    long_in_progress: int,
    in_progress: int,
    workers: int,
    last_served: Mapping[Hashable, int],
) -> QueuedFile | None:
    """Return the file to prepare next: owners in turns, short files first; None: none may.

    One worker is always left for short files, and files in progress are bounded, since their
    decoded audio lies on the disk until they are recognised.
    """
    if in_progress >= MOST_IN_PROGRESS:
        return None
    long_may_start = long_being_prepared < workers - 1 and long_in_progress < MOST_LONG_IN_PROGRESS
    ranked = sorted(
        (one for one in queued if long_may_start or not one.is_long),
        key=lambda one: LONG_WAIT_SECONDS * one.is_long - one.waited_seconds,
    )
    return next(in_turns(ranked, lambda one: one.owner, last_served), None)


def chore_next(runtime: Runtime) -> bool:
    """Do one chore; False: there was none that could be done now."""
    # New recordings first: whoever finishes a recording rings for it or does it at once.
    if _prepare_next(runtime) or finish_next(runtime):
        return True
    # Nobody waits for it.
    if quality.score_next():
        return True
    _upkeep_sometimes(runtime)
    return False


def finish_next(runtime: Runtime) -> bool:
    """Finish one recording whose chunks are all over."""
    waiting = (
        Transcription.objects.claimable()
        .filter(step=Step.FINISH)
        .order_by("not_before")
        .values_list("pk", flat=True)[:1]
    )
    return finish_these(list(waiting), runtime, model_too=True) > 0


def _prepare_next(runtime: Runtime) -> bool:
    while True:
        queued = _queued_files()
        # Asked between two recordings: what has been begun is finished.
        if not queued or queue.is_paused():
            return False
        is_long = Q(size_bytes__gte=LONG_FILE_BYTES)
        is_split = Q(step=Step.RECOGNISE)
        active = Transcription.objects.filter(status=Transcription.Status.PROCESSING).aggregate(
            long_being_prepared=Count(
                "pk", filter=is_long & Q(step=Step.PREPARE, state=State.LEASED)
            ),
            long_in_progress=Count("pk", filter=is_long & is_split),
            in_progress=Count("pk", filter=is_split),
        )
        chosen = choose_file(
            queued,
            **active,
            workers=settings.CHORES_WORKERS,
            last_served=runtime.last_served,
        )
        if chosen is None:
            return False
        for row in Transcription.objects.claim([chosen.id], new_lease()):
            runtime.served({chosen.owner})
            prepare(row, runtime)
            return True
        # Another worker took it; look again.


def _queued_files() -> list[QueuedFile]:
    ranked = (
        Transcription.objects.claimable()
        .filter(step=Step.PREPARE)
        .annotate(
            place=Window(RowNumber(), partition_by=[F("owner_id")], order_by=F("created_at").asc())
        )
        .filter(place__lte=QUEUED_OF_ONE_OWNER)
        .values_list("pk", "owner_id", "size_bytes", "created_at")
    )
    now: datetime = timezone.now()
    return [
        QueuedFile(
            id=pk,
            owner=owner,
            size_bytes=size,
            waited_seconds=(now - created).total_seconds(),
        )
        for pk, owner, size, created in ranked
    ]


def _upkeep_sometimes(runtime: Runtime) -> None:
    if runtime.upkeep_is_due:
        runtime.last_upkeep = time.monotonic()
        upkeep.clear_left_files()
        search.tidy()
        upkeep.forget_old_messages()
        audit.forget_old()
        idempotency.forget_old_keys()
        quotas.forget_past_days()
        throughput.forget_old()
        presence.forget_closed()
