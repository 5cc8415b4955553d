"""``GET /metrics``: what Prometheus is told, and whom it is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import caller, told
from tests.served import ROOT, Served
from transcription.models import ApiToken, Chunk, SpeechModel, Transcription, Worker
from transcription.services import queue, tally, throughput
from transcription.services.tally import Count
from transcription.work import upkeep

URL = "/metrics"


@pytest.fixture
def operator(db: None) -> Client:
    """As Prometheus is set up: an account of its own that may see models, a token that reads."""
    user = User.objects.create_user("prometheus", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_speechmodel"))
    return caller(user, ApiToken.Scope.READ)


def samples(body: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by name and labels; fails where Prometheus could not read the text."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def sample(client: Client, name: str, **labels: str) -> float | None:
    response = client.get(URL)
    assert response.status_code == 200
    return samples(response.content).get((name, frozenset(labels.items())))


# --- who may


def test_it_is_for_operators_only(db: None, client_of_ann: Client, staff: Client) -> None:
    assert told(Client().get(URL)) == (401, "authentication_required")
    assert told(client_of_ann.get(URL)) == (403, "permission_denied")


def test_a_token_that_reads_is_enough_and_prometheus_own_formats_are_no_reason_to_refuse(
    operator: Client,
) -> None:
    response = operator.get(
        URL,
        headers={
            "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
        },
    )
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert samples(response.content)


# --- what


def test_the_queue_is_told_by_kind(operator: Client, ann: User) -> None:
    old = timezone.now() - timedelta(minutes=10)
    waiting = Transcription.objects.create(owner=ann)
    Transcription.objects.filter(pk=waiting.pk).update(created_at=old, not_before=old)
    row = Transcription.objects.create(
        owner=ann, status="processing", step="recognise", state="done"
    )
    for index in range(3):
        Chunk.objects.create(
            transcription=row,
            start_sample=index,
            end_sample=index + 1,
            model_name="fake",
            state="pending" if index else "leased",
        )
    queue.pause()
    found = samples(operator.get(URL).content)

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert value("asr_queue_paused") == 1
    assert value("asr_recordings_unfinished", status="queued") == 1
    assert value("asr_recordings_unfinished", status="processing") == 1
    assert 600 <= value("asr_recording_oldest_age_seconds") < 700
    assert value("asr_work_waiting", kind="recording") == 1
    assert 600 <= value("asr_work_oldest_wait_seconds", kind="recording") < 700
    assert value("asr_work_waiting", kind="chunk") == 2
    assert value("asr_work_running", kind="chunk") == 1
    assert value("asr_work_waiting", kind="delivery") == 0


def test_workers_models_and_the_memory_of_their_device_are_told(operator: Client) -> None:
    Worker.objects.create(
        host="box",
        pid=7,
        cluster="engine-0@1a2b",
        busy_with=3,
        loaded=[
            {"name": "qwen", "generation": 2, "device": "cuda:0", "memory_bytes": 4_000_000_000}
        ],
        device_memory={
            "device": "cuda:0",
            "free_bytes": 20_000_000_000,
            "total_bytes": 24_000_000_000,
        },
    )
    who = {"cluster": "engine-0", "host": "box", "pid": "7"}
    assert sample(operator, "asr_worker_busy", **who) == 3
    assert sample(operator, "asr_worker_heartbeat_age_seconds", **who) < 60  # type: ignore[operator]
    device = {**who, "device": "cuda:0"}
    assert sample(operator, "asr_device_memory_bytes", **device, state="free") == 20e9
    assert sample(operator, "asr_device_memory_bytes", **device, state="used") == 4e9
    assert sample(operator, "asr_model_memory_bytes", **device, model="qwen", generation="2") == 4e9


def test_what_happened_is_counted_on(operator: Client, ann: User) -> None:
    # Of a series that is born at 1 Prometheus sees no increase.
    assert sample(operator, "asr_batches_total") == 0
    assert sample(operator, "asr_failures_total", code="worker_crashed") == 0
    assert sample(operator, "asr_leases_expired_total", kind="chunk") == 0
    assert sample(operator, "asr_recordings_total", outcome="failed") == 0
    throughput.note_completed(audio_seconds=60.0, engine_seconds=10.0)
    throughput.note_failed("not_audio")
    tally.add({(Count.BATCHES, ""): 2, (Count.BATCH_PADDED_SECONDS, ""): 120.0})
    assert sample(operator, "asr_recordings_total", outcome="completed") == 1
    assert sample(operator, "asr_recordings_total", outcome="failed") == 1
    assert sample(operator, "asr_failures_total", code="not_audio") == 1
    assert sample(operator, "asr_audio_seconds_total") == 60
    assert sample(operator, "asr_engine_seconds_total") == 10
    assert sample(operator, "asr_batches_total") == 2
    assert sample(operator, "asr_batch_padded_seconds_total") == 120


def test_the_work_of_a_worker_that_fell_silent_is_counted(operator: Client, ann: User) -> None:
    past = timezone.now() - timedelta(minutes=1)
    Transcription.objects.create(
        owner=ann, state="leased", attempts=1, lease_until=past, leased_by="chores@gone"
    )
    upkeep.release_leases()
    assert sample(operator, "asr_leases_expired_total", kind="recording") == 1


def test_requests_are_counted_by_view_and_status(operator: Client) -> None:
    labels = {"view": "health-live", "method": "GET", "status": "200"}
    name = "django_http_responses_total_by_status_view_method_total"
    before = sample(operator, name, **labels) or 0.0
    operator.get("/health/live")
    assert sample(operator, name, **labels) == before + 1


def test_invented_methods_are_one_series(operator: Client) -> None:
    for number in range(5):
        operator.generic(f"INVENTED{number}", "/health/live")
    assert b"INVENTED" not in operator.get(URL).content


def test_the_number_of_queries_does_not_grow_with_the_rows(operator: Client, ann: User) -> None:
    SpeechModel.objects.create(name="fake", engine="fake")

    def queries_with(rows: int) -> int:
        for number in range(rows):
            Worker.objects.create(host=f"box{rows}", pid=number, cluster="engine-0@1a2b")
            Transcription.objects.create(owner=ann)
        with CaptureQueriesContext(connection) as queries:
            operator.get(URL)
        return len(queries)

    queries_with(1)  # the token's last use is written at the first
    few = queries_with(2)
    assert queries_with(30) == few < 30


@pytest.mark.parametrize("page", ["monitoring.md", "monitoring.zh-CN.md"])
def test_every_name_is_written_down_and_nothing_else_is(operator: Client, page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    told = {
        line.split()[2] for line in operator.get(URL).content.decode().splitlines()
        if line.startswith("# TYPE asr_")
    }  # fmt: skip
    assert set(re.findall(r"\basr_[a-z_]+[a-z]", text)) == told


# --- several web processes


def test_several_web_processes_add_up_what_they_count(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    root = User.objects.create_superuser("root")
    token = f"Bearer {_token_of(root)}"
    both = [serve(PROMETHEUS_MULTIPROC_DIR=str(folder)) for _ in range(2)]
    for process in both:
        for _ in range(3):
            assert process.request("GET", "/health/live").status == 200
    told = [process.request("GET", URL, headers={"Authorization": token}) for process in both]
    labels = frozenset({"view": "health-live", "method": "GET", "status": "200"}.items())
    for answer in told:
        assert answer.status == 200
        found = samples(answer.body)
        assert found["django_http_responses_total_by_status_view_method_total", labels] == 6


def _token_of(user: User) -> str:
    from transcription.services import tokens

    return tokens.create(user, name="prometheus", scope=ApiToken.Scope.READ)[1]
