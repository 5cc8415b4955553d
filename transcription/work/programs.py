"""Which programs make up the service: pure functions of the settings."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

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


def device_of_cluster(number: int, *, clusters: int, device: str, gpu_present: bool) -> str:
    """Return the ``ASR_DEVICE`` of the engine cluster with this number.

    With one cluster, what the operator set. With several, one GPU each where there are GPUs.
    Raises ``ValueError`` where that would put several onto one GPU.
    """
    if clusters == 1 or device == "cpu" or (device == "auto" and not gpu_present):
        return device
    if device in {"auto", "cuda"}:
        return f"cuda:{number}"
    raise ValueError(
        f"ASR_DEVICE={device} names one device, and ASR_ENGINE_CLUSTERS={clusters} engine "
        "clusters cannot share it. Set ASR_DEVICE=cuda for one GPU each, or one cluster."
    )


def service_programs(
    *,
    manage: str,
    web_processes: int,
    listening_fd: int,
    engine_clusters: int,
    chores_workers: int,
    device: str,
    gpu_present: bool,
) -> list[Program]:
    """Return everything that ``serve`` runs; ``manage`` is the path of manage.py.

    ``web_processes`` 0: only the clusters, for a host that only works. Raises ``ValueError``,
    see ``device_of_cluster``.
    """

    def command(*words: str) -> tuple[str, ...]:
        return (sys.executable, manage, *words)

    web: Sequence[Program] = [
        Program(
            name=f"web-{number}" if web_processes > 1 else "web",
            command=command("web", "--fd", str(listening_fd)),
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
