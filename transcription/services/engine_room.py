"""How the service stands: its workers, its models, its queue, its disk. Constant few queries."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.conf import settings
from django.db import connection
from django.db.models import Model, QuerySet
from django.utils import timezone

from transcription.models import WORK_KINDS, LeasedWork, SpeechModel, Transcription, Worker
from transcription.services import bell, models, queue
from transcription.services.models import ModelStanding
from transcription.services.queue import Pause

State, Status = LeasedWork.State, Transcription.Status

#: Rows of a kind that are counted; of more it is said that they are more.
COUNT_LIMIT = 10_000
#: Workers that are shown; a service of more machines has other means to look at them.
MOST_WORKERS = 200

#: Why nothing moves though recordings wait.
Obstacle = Literal[
    "paused", "no_chores_worker", "no_engine_worker", "no_model", "model_failed", "model_loading"
]


@dataclass(frozen=True, kw_only=True)
class WorkerState:
    """One worker process, as it reported itself last."""

    row: Worker
    #: Name of its cluster without the start of it, as "engine-0".
    cluster: str
    heartbeat_age_seconds: float
    #: It has missed so many heartbeats that it counts as gone.
    is_late: bool
    is_engine: bool


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """One model and how far the workers are with it."""

    row: SpeechModel
    standing: ModelStanding
    #: Generations that serve at this moment, the newest first.
    serving: tuple[int, ...]
    #: ISO 8601; since when the load that is under way runs. None: there is none.
    loading_since: str | None
    #: What went wrong last, one for each worker that says something else.
    errors: tuple[str, ...]
    #: ISO 8601; when the newest of them happened. None: nothing went wrong.
    failed_at: str | None


@dataclass(frozen=True, kw_only=True)
class WorkState:
    """What waits and runs of one kind of work; counts end at ``COUNT_LIMIT``."""

    waiting: int
    running: int
    #: Since when the oldest that waits could have been taken; None: none waits.
    oldest_since: datetime | None


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """What waits and runs; counts end at ``COUNT_LIMIT``."""

    pause: Pause | None
    recordings_waiting: int
    recordings_running: int
    failed: int
    #: By kind (``WORK_KINDS``): recordings to prepare or finish, chunks, deliveries.
    work: dict[str, WorkState]
    #: Of the recordings that are not over.
    oldest_since: datetime | None
    obstacles: tuple[Obstacle, ...]

    @property
    def unfinished(self) -> int:
        return self.recordings_waiting + self.recordings_running


@dataclass(frozen=True, kw_only=True)
class EngineRoom:
    """Everything at one moment."""

    at: datetime
    workers: list[WorkerState]
    models: list[ModelState]
    queue: QueueState
    disk_free_bytes: int
    disk_total_bytes: int
    #: "sqlite" or "postgresql".
    database: str


def look() -> EngineRoom:
    """Return how the service stands."""
    now = timezone.now()
    workers = [_worker(row, now) for row in Worker.objects.all()[:MOST_WORKERS]]
    alive = [one.row for one in workers if not one.is_late]
    rows = list(SpeechModel.objects.all())
    found = [
        _model(row, standing, alive)
        for row, standing in zip(rows, models.standings(rows), strict=True)
    ]
    disk = shutil.disk_usage(settings.DATA_DIR)
    return EngineRoom(
        at=now,
        workers=workers,
        models=found,
        queue=_queue(workers, found),
        disk_free_bytes=disk.free,
        disk_total_bytes=disk.total,
        database=connection.vendor,
    )


def _worker(row: Worker, now: datetime) -> WorkerState:
    age = max((now - row.heartbeat_at).total_seconds(), 0.0)
    return WorkerState(
        row=row,
        cluster=row.cluster.partition("@")[0],
        heartbeat_age_seconds=age,
        is_late=timedelta(seconds=age) > models.silence(),
        is_engine=row.cluster.startswith(bell.ENGINE),
    )


def _model(row: SpeechModel, standing: ModelStanding, alive: Sequence[Worker]) -> ModelState:
    serving = {
        one.generation_loaded for one in standing.workers if one.generation_loaded is not None
    }
    since = [one.loading_since for one in standing.workers if one.loading_since]
    failures: list[dict[str, Any]] = [
        entry for worker in alive for entry in worker.failed if entry.get("name") == row.name
    ]
    return ModelState(
        row=row,
        standing=standing,
        serving=tuple(sorted(serving, reverse=True)),
        loading_since=min(since, default=None),
        errors=tuple(dict.fromkeys(str(entry.get("message", "")) for entry in failures)),
        failed_at=max((str(entry.get("at", "")) for entry in failures), default=None),
    )


def _queue(workers: Sequence[WorkerState], found: Sequence[ModelState]) -> QueueState:
    rows = Transcription.objects
    waiting = counted(rows.filter(status=Status.QUEUED))
    running = counted(rows.filter(status=Status.PROCESSING))
    pause = queue.current_pause()
    return QueueState(
        pause=pause,
        recordings_waiting=waiting,
        recordings_running=running,
        failed=counted(rows.filter(status=Status.FAILED)),
        work={name: _work(kind) for name, kind in WORK_KINDS.items()},
        oldest_since=_oldest_since(),
        obstacles=obstacles(
            paused=pause is not None,
            chores_workers=sum(not one.is_late and not one.is_engine for one in workers),
            engine_workers=sum(not one.is_late and one.is_engine for one in workers),
            statuses=[one.standing.status for one in found if one.row.enabled],
            any_serves=any(one.serving for one in found if one.row.enabled),
        ),
    )


def _work(kind: type[LeasedWork]) -> WorkState:
    rows = kind._default_manager.all()
    pending = rows.filter(state=State.PENDING)
    return WorkState(
        waiting=counted(pending),
        running=counted(rows.filter(state=State.LEASED)),
        oldest_since=pending.order_by("not_before").values_list("not_before", flat=True).first(),
    )


def _oldest_since() -> datetime | None:
    # One look-up in the index for each status; a list of both would sort what is unfinished.
    firsts = [
        Transcription.objects.filter(status=status)
        .order_by("created_at", "id")
        .values_list("created_at", flat=True)
        .first()
        for status in (Status.QUEUED, Status.PROCESSING)
    ]
    return min((first for first in firsts if first is not None), default=None)


def obstacles(
    *,
    paused: bool,
    chores_workers: int,
    engine_workers: int,
    statuses: Sequence[str],
    any_serves: bool,
) -> tuple[Obstacle, ...]:
    """Return what keeps recordings waiting; empty: they move, as fast as they can.

    ``statuses`` are the standings of the enabled models; ``any_serves``: one of them, perhaps in
    an older generation, is in the memory of a worker.
    """
    found: list[Obstacle] = []
    if paused:
        found.append("paused")
    if not chores_workers:
        found.append("no_chores_worker")
    if not engine_workers:
        found.append("no_engine_worker")
    if not statuses:
        found.append("no_model")
    elif any_serves:
        pass
    elif all(status == "failed" for status in statuses):
        found.append("model_failed")
    elif "reloading" in statuses:
        found.append("model_loading")
    return tuple(found)


def counted(rows: QuerySet[Any, Any]) -> int:
    """Return how many rows there are, counted up to one past ``COUNT_LIMIT``."""
    found: QuerySet[Model, Any] = rows.order_by()[: COUNT_LIMIT + 1]
    return found.count()
