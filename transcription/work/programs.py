"""Which programs make up the service: pure functions of the settings."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from transcription.work.devices import device_of_cluster
from transcription.work.supervised import Program

CHORES = "chores"
ENGINE = "engine"


def queue_of(cluster: str) -> str:
    """Return the django-q2 queue that a cluster serves: "engine" for "engine-0", or "chores".

    Raises ``ValueError`` for a name that is no cluster's.
    """
    if cluster == CHORES:
        return CHORES
    if re.fullmatch(r"engine-\d{1,3}", cluster):
        return ENGINE
    raise ValueError(f"There is no cluster '{cluster}'. There are: engine-0, engine-1…, chores.")


def service_programs(
    *,
    manage: str,
    web_processes: int,
    listening_fd: int,
    engine_clusters: int,
    chores_workers: int,
    device: str,
    gpu_present: bool,
    metrics_dir: str,
) -> list[Program]:
    """Return everything that ``serve`` runs; ``manage`` is the path of manage.py.

    ``web_processes`` 0: only the clusters, for a host that only works. In ``metrics_dir`` several
    web processes add up what they count. Raises ``ValueError``, see ``device_of_cluster``.
    """

    def command(*words: str) -> tuple[str, ...]:
        return (sys.executable, manage, *words)

    # Every request has a thread of its own; without this each gets an arena, and what one large
    # answer took is never used by another.
    web_environment = {"MALLOC_ARENA_MAX": "2"}
    if web_processes > 1:
        web_environment["PROMETHEUS_MULTIPROC_DIR"] = metrics_dir
    web: Sequence[Program] = [
        Program(
            name=f"web-{number}" if web_processes > 1 else "web",
            command=command("web", "--fd", str(listening_fd)),
            environment=web_environment,
            descriptors=(listening_fd,),
            stops_first=True,
        )
        for number in range(web_processes)
    ]
    engines = [
        Program(
            name=(name := f"engine-{number}"),
            command=command("cluster", name),
            environment={
                "Q_CLUSTER_NAME": ENGINE,
                "ASR_DEVICE": device_of_cluster(
                    number, clusters=engine_clusters, device=device, gpu_present=gpu_present
                ),
            },
            workers=1,
        )
        for number in range(engine_clusters)
    ]
    chores = Program(
        name=CHORES,
        command=command("cluster", CHORES),
        environment={"Q_CLUSTER_NAME": CHORES},
        workers=chores_workers,
    )
    return [*web, *engines, chores]
