"""What Prometheus is told: of the requests of this service's web processes, and of its work.

The first comes from django-prometheus; with several web processes they add theirs up in files
(``PROMETHEUS_MULTIPROC_DIR``, which the launcher sets and empties). The second is read from the
rows at each call, and is the same whichever process answers: none of it is in its memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django_prometheus.middleware import PrometheusAfterMiddleware
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from transcription.models import WORK_KINDS
from transcription.services import engine_room, tally
from transcription.services.engine_room import EngineRoom, WorkerState
from transcription.services.tally import Count
from transcription.web.health import version

#: Name of the count, of its label ("" where it has none), and what it is.
COUNTERS: tuple[tuple[Count, str, str], ...] = (
    (Count.RECORDINGS, "outcome", "Recordings that ended."),
    (Count.FAILURES, "code", "Recordings that failed, by the code of the error."),
    (Count.AUDIO_SECONDS, "", "Seconds of the completed recordings."),
    (Count.ENGINE_SECONDS, "", "Seconds that the engines needed for the completed recordings."),
    (Count.BATCHES, "", "Batches that the engines recognised."),
    (Count.BATCH_CLIPS, "", "Clips in those batches."),
    (Count.BATCH_AUDIO_SECONDS, "", "Seconds of audio in those batches."),
    (Count.BATCH_PADDED_SECONDS, "", "The same with padding: clips times the longest of each."),
    (Count.LEASES_EXPIRED, "kind", "Pieces of work whose worker died or fell silent."),
)
#: Labels that are told from the beginning: of a series that is born at 1 Prometheus sees no
#: increase, and an alarm would miss the first time.
FROM_ZERO: Mapping[Count, tuple[str, ...]] = {
    Count.RECORDINGS: ("completed", "failed"),
    # What an operator wants to hear of; bad files of users are told as they come.
    Count.FAILURES: ("worker_crashed", "recognition_failed", "recording_missing"),
    Count.LEASES_EXPIRED: tuple(WORK_KINDS),
}


class AfterMiddleware(PrometheusAfterMiddleware):
    """Counts requests by view, method and status.

    Whatever somebody sends as the method is one label: of its own accord the package keeps a
    series, and memory, for each.
    """

    def label_metric(
        self, metric: Any, request: HttpRequest, response: Any = None, **labels: str
    ) -> Any:
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)


def exposition() -> bytes:
    """Return everything in Prometheus' text format; some twenty queries."""
    requests = REGISTRY
    if settings.METRICS_DIR:
        requests = CollectorRegistry()
        multiprocess.MultiProcessCollector(requests)
    service = CollectorRegistry(auto_describe=False)
    service.register(ServiceCollector())
    return generate_latest(requests) + generate_latest(service)


class ServiceCollector(Collector):
    """Reads the rows."""

    def collect(self) -> Iterator[Metric]:
        room = engine_room.look()
        yield InfoMetricFamily(
            "asr", "This service.", {"version": version(), "database": room.database}
        )
        yield from _of_the_queue(room)
        yield from _of_the_workers(room.workers)
        yield from _of_the_disk(room)
        yield from _of_the_counts(tally.counts())


def _of_the_queue(room: EngineRoom) -> Iterator[Metric]:
    queue = room.queue
    yield _gauge(
        "asr_queue_paused",
        "Whether somebody has paused the queue (1 or 0).",
        [({}, queue.pause is not None)],
    )
    yield _gauge(
        "asr_recordings_unfinished",
        "Recordings that are not over, by status; counted to 10,001 and no further.",
        [
            ({"status": "queued"}, queue.recordings_waiting),
            ({"status": "processing"}, queue.recordings_running),
        ],
    )
    yield _gauge(
        "asr_recording_oldest_age_seconds",
        "Age of the oldest recording that is not over; 0: there is none.",
        [({}, _age(room.at, queue.oldest_since))],
    )
    work = queue.work
    yield _gauge(
        "asr_work_waiting",
        "Pieces of work that wait for a worker, by kind; counted to 10,001 and no further.",
        [({"kind": kind}, one.waiting) for kind, one in work.items()],
    )
    yield _gauge(
        "asr_work_running",
        "Pieces of work that a worker holds, by kind; counted to 10,001 and no further.",
        [({"kind": kind}, one.running) for kind, one in work.items()],
    )
    yield _gauge(
        "asr_work_oldest_wait_seconds",
        "For how long the oldest piece of work could have been taken, by kind; 0: none waits.",
        [({"kind": kind}, _age(room.at, one.oldest_since)) for kind, one in work.items()],
    )


def _of_the_workers(workers: Iterable[WorkerState]) -> Iterator[Metric]:
    heartbeats, busy, models, memory = [], [], [], []
    for worker in workers:
        row = worker.row
        who = {"cluster": worker.cluster, "host": row.host, "pid": str(row.pid)}
        heartbeats.append((who, worker.heartbeat_age_seconds))
        busy.append((who, row.busy_with))
        models += [
            (
                {
                    **who,
                    "model": str(one.get("name")),
                    "generation": str(one.get("generation")),
                    "device": str(one.get("device")),
                },
                one.get("memory_bytes") or 0,
            )
            for one in row.loaded
        ]
        if found := row.device_memory:
            device = {**who, "device": str(found.get("device"))}
            memory += [
                ({**device, "state": "free"}, found.get("free_bytes", 0)),
                (
                    {**device, "state": "used"},
                    found.get("total_bytes", 0) - found.get("free_bytes", 0),
                ),
            ]
    yield _gauge(
        "asr_worker_heartbeat_age_seconds", "Age of each worker's last heartbeat.", heartbeats
    )
    yield _gauge("asr_worker_busy", "Pieces of work that each worker holds.", busy)
    yield _gauge(
        "asr_model_memory_bytes",
        "Memory of each model that a worker has loaded; 0: the engine cannot tell.",
        models,
    )
    yield _gauge(
        "asr_device_memory_bytes",
        "Memory of the device (GPU or machine) that a worker has models on, as it reported it.",
        memory,
    )


def _of_the_disk(room: EngineRoom) -> Iterator[Metric]:
    yield _gauge(
        "asr_disk_bytes",
        "The disk of the data directory.",
        [
            ({"state": "free"}, room.disk_free_bytes),
            ({"state": "used"}, room.disk_total_bytes - room.disk_free_bytes),
        ],
    )


def _of_the_counts(counts: Mapping[tuple[str, str], float]) -> Iterator[Metric]:
    for count, label, words in COUNTERS:
        family = CounterMetricFamily(f"asr_{count}", words, labels=[label] if label else [])
        told = dict.fromkeys(FROM_ZERO.get(count, ()) if label else ("",), 0.0)
        told |= {of: value for (name, of), value in counts.items() if name == count}
        for of, value in told.items():
            family.add_metric([of] if label else [], value)
        yield family


def _gauge(name: str, words: str, samples: Iterable[tuple[dict[str, str], float]]) -> Metric:
    found = list(samples)
    labels = list(found[0][0]) if found else []
    family = GaugeMetricFamily(name, words, labels=labels)
    for values, value in found:
        family.add_metric([values[label] for label in labels], float(value))
    return family


def _age(now: datetime, since: datetime | None) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0
