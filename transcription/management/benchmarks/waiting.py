"""Many clients who wait at once, on the synchronous route and on event streams."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

from transcription.management.benchmarks.common import (
    PATIENCE_SECONDS,
    UNLIMITED,
    Figure,
    at_most,
    percentile_95,
    run_in_settings,
    sample_speech,
    set_up,
    web_alone,
    write_wav,
)
from transcription.management.benchmarks.processes import cpu_seconds, memory_bytes
from transcription.management.client import Client, multipart

WAITERS = 200
#: /health answers within this at the 95th percentile while they wait.
MOST_HEALTH_SECONDS = 0.100
REQUESTS = 200
UPLOADS = 50

_COMPLETE = (
    "from transcription.models import Transcription\n"
    "print(Transcription.objects.update(status='completed', text='hello', language='en',\n"
    "                                   duration_seconds=1.5))\n"
)


def measure(*, waiters: int = WAITERS) -> list[Figure]:
    """Let so many wait on the synchronous route and as many on event streams; ask meanwhile.

    A web process alone, without workers, so that nothing ends until the rows are set to be over.
    """
    with ExitStack() as stack:
        data_dir = stack.enter_context(tempfile.TemporaryDirectory(prefix="asr-benchmark-"))
        given = {"ASR_DATA_DIR": data_dir, "ASR_DATABASE_URL": "", **UNLIMITED}
        token = set_up("fake", {"chunk_seconds": 30.0}, given)
        port, pid = stack.enter_context(
            web_alone({**os.environ, "DJANGO_SETTINGS_MODULE": "asr_project.settings", **given})
        )
        client = Client(f"http://127.0.0.1:{port}", token)
        content = write_wav(sample_speech()[:16_000])
        quiet = _health_seconds(port)
        quiet_cpu = _cpu_share(pid)

        waiting = [
            stack.enter_context(closing(_post(port, client, content))) for _ in range(waiters)
        ]
        ids = _ids(client, waiters)
        listening = [stack.enter_context(closing(_listen(port, client, row_id))) for row_id in ids]
        streams = [connection.getresponse() for connection in listening]
        health = _health_seconds(port)
        cpu = _cpu_share(pid)
        uploads = [client.upload("clip.wav", content) for _ in range(UPLOADS)]
        refused = sum(answer.status != 202 for answer in uploads)
        memory = memory_bytes(pid) / 2**20

        started = time.monotonic()
        run_in_settings(_COMPLETE, [], given)
        completed = time.monotonic()
        answers = [connection.getresponse() for connection in waiting]
        bodies = [(answer.status, json.loads(answer.read())["data"]) for answer in answers]
        ends = sum(b"event: end" in stream.read() for stream in streams)
        told = time.monotonic()
    wrong = sum(status != 200 or data["text"] != "hello" for status, data in bodies)
    return [
        Figure(name="clients that wait on the synchronous route", value=waiters, unit=""),
        Figure(name="clients that listen to event streams", value=len(streams), unit=""),
        Figure(name="/health while nobody waits, p95", value=percentile_95(quiet), unit="s"),
        at_most("/health while they wait, p95", percentile_95(health), "s", MOST_HEALTH_SECONDS),
        Figure(
            name="an upload is accepted meanwhile, p95",
            value=percentile_95([answer.seconds for answer in uploads]),
            unit="s",
        ),
        at_most("uploads that were refused", refused, "", 0),
        Figure(name="processor while nobody waits", value=quiet_cpu, unit="s/s"),
        Figure(name="processor while they wait", value=cpu, unit="s/s"),
        Figure(name="memory (RSS) of the web process", value=memory, unit="MiB"),
        at_most("clients that were not told of the end", wrong + len(streams) - ends, "", 0),
        # The writing process starts an interpreter; what counts is what comes after its commit.
        Figure(name="all of them were told, after the commit", value=told - completed, unit="s"),
        Figure(name="(the writing took)", value=completed - started, unit="s"),
    ]


def _connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)


def _post(port: int, client: Client, content: bytes) -> http.client.HTTPConnection:
    """Send a recording to the synchronous route; its answer is still to come."""
    connection = _connect(port)
    connection.request(
        "POST",
        "/api/v1/transcribe",
        body=multipart("boundary", "clip.wav", content, {}),
        headers={
            "Authorization": client.authorization,
            "Content-Type": "multipart/form-data; boundary=boundary",
        },
    )
    return connection


def _listen(port: int, client: Client, row_id: str) -> http.client.HTTPConnection:
    connection = _connect(port)
    connection.request(
        "GET",
        f"/api/v1/transcriptions/{row_id}/events/",
        headers={"Authorization": client.authorization},
    )
    return connection


def _ids(client: Client, count: int) -> Sequence[str]:
    """Return the ids of the recordings that wait, once all of them are accepted."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found: list[str] = []
        path = "/api/v1/transcriptions/?page_size=100"
        while path:
            page: Any = client.get(path).body
            found += [row["id"] for row in page["results"]]
            path = "/api" + page["next"].partition("/api")[2] if page["next"] else ""
        if len(found) >= count:
            return found[:count]
        if time.monotonic() > deadline:
            raise RuntimeError(f"Only {len(found)} of {count} recordings were accepted.")
        time.sleep(0.1)


def _health_seconds(port: int) -> list[float]:
    seconds = []
    for _ in range(REQUESTS):
        started = time.monotonic()
        connection = _connect(port)
        with closing(connection):
            connection.request("GET", "/health")
            connection.getresponse().read()
        seconds.append(time.monotonic() - started)
        time.sleep(0.01)
    return seconds


def _cpu_share(pid: int) -> float:
    """Return the processor seconds that the process takes in a second without requests."""
    before, started = cpu_seconds(pid), time.monotonic()
    time.sleep(5.0)
    return (cpu_seconds(pid) - before) / (time.monotonic() - started)
