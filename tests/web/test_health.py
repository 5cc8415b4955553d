"""``GET /health``, ``/health/live``, ``/health/ready``."""

from __future__ import annotations

import logging
import threading
import time
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from tests.served import PATIENCE_SECONDS, eventually
from transcription.models import SpeechModel, Worker
from transcription.services import queue
from transcription.web.health import PATIENCE_SECONDS as PATIENCE
from transcription.web.health import Remembered, obstacles, standing

BASE_DIR = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> None:
    standing.forget()
    obstacles.forget()


@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_it_names_the_first_enabled_model_and_the_route(db: None, path: str) -> None:
    SpeechModel.objects.create(name="off", engine="fake", order=1, enabled=False)
    SpeechModel.objects.create(name="later", engine="fake", order=3)
    SpeechModel.objects.create(name="first", engine="fake", order=2)

    response = Client().get(path)

    described = tomllib.loads((BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))
    assert (response.status_code, response.json()) == (
        200,
        {
            "status": "ok",
            "model": "first",
            "api_root": "/api/v1/transcribe",
            "version": described["project"]["version"],
            "queue_paused": False,
        },
    )


def test_a_service_without_a_model_says_so_and_is_alive(db: None) -> None:
    assert Client().get("/health").json()["model"] is None


def test_a_paused_queue_is_told(db: None) -> None:
    queue.pause()
    assert Client().get("/health").json()["queue_paused"] is True


def test_the_database_is_asked_once_in_a_while_and_not_each_time(
    db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):  # the model, the pause
        for _ in range(5):
            Client().get("/health")


def test_a_database_that_does_not_answer_makes_it_503(monkeypatch: Any) -> None:

    def fail() -> None:
        raise OperationalError("the disk is on fire")

    monkeypatch.setattr(standing, "_ask", fail)

    for _ in range(2):  # the second from memory
        response = Client().get("/health")
        assert (response.status_code, response.json()["status"]) == (503, "unavailable")
    standing.forget()


def test_it_is_for_looking_only(db: None) -> None:
    assert Client().post("/health").status_code == 405
    assert Client().head("/health").status_code == 200


def worker(cluster: str, **fields: Any) -> Worker:
    return Worker.objects.create(host="gpu-box", pid=1, cluster=f"{cluster}@1a2b", **fields)


@pytest.fixture
def working_service(db: None) -> None:
    SpeechModel.objects.create(name="fake", engine="fake", generation=1)
    worker("engine-0", loaded=[{"name": "fake", "generation": 1}], seen={"fake": 1})
    worker("chores")


def readiness_told(language: str = "en") -> tuple[int, dict[str, Any]]:
    obstacles.forget()
    response = Client().get("/health/ready", headers={"Accept-Language": language})
    return response.status_code, response.json()


def test_a_process_is_alive_whatever_the_database_does(django_assert_num_queries: Any) -> None:
    # No database is allowed in this test at all.
    response = Client().get("/health/live")
    assert (response.status_code, response.json()["status"]) == (200, "ok")


def test_it_is_ready_where_workers_live_and_a_model_is_loaded(working_service: None) -> None:
    assert readiness_told() == (
        200,
        {
            "status": "ready",
            "checks": dict.fromkeys(("database", "disk", "workers", "model"), "ok"),
            "reasons": [],
        },
    )


def test_a_paused_queue_is_no_reason_to_send_uploads_elsewhere(working_service: None) -> None:
    queue.pause()
    assert readiness_told()[0] == 200


def _silence_the_engine() -> None:
    Worker.objects.filter(cluster__startswith="engine").update(
        heartbeat_at=timezone.now() - timedelta(minutes=5)
    )


def _load_it_now() -> None:
    Worker.objects.filter(cluster__startswith="engine").update(
        loaded=[], seen={}, loading=[{"name": "fake", "generation": 1, "since": "2026-01-01"}]
    )


def _fail_to_load_it() -> None:
    Worker.objects.filter(cluster__startswith="engine").update(
        loaded=[], failed=[{"name": "fake", "generation": 1, "message": "no such file"}]
    )


@pytest.mark.parametrize(
    ("break_it", "subject", "code"),
    [
        (_silence_the_engine, "workers", "no_engine_worker"),
        (lambda: Worker.objects.filter(cluster__startswith="chores").delete(), "workers",
         "no_chores_worker"),
        (lambda: SpeechModel.objects.update(enabled=False), "model", "no_model"),
        (_load_it_now, "model", "model_loading"),
        (_fail_to_load_it, "model", "model_failed"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_is_told(
    working_service: None, break_it: Any, subject: str, code: str
) -> None:
    break_it()
    status, body = readiness_told()
    assert (status, body["status"], body["checks"][subject]) == (503, "not_ready", "failed")
    assert [reason["code"] for reason in body["reasons"]] == [code]
    # Without anybody who could load it, nothing is said of the model.
    assert (body["checks"]["model"] == "unknown") is (code == "no_engine_worker")


def test_a_full_disk_is_told_in_the_readers_language(working_service: None, settings: Any) -> None:
    settings.MIN_FREE_DISK_BYTES = 2**60
    status, body = readiness_told()
    assert (status, body["checks"]["disk"]) == (503, "failed")
    assert "ASR_MIN_FREE_DISK_MB" in body["reasons"][0]["message"]
    assert "磁盘" in readiness_told("zh-CN")[1]["reasons"][0]["message"]


def test_of_a_database_that_is_silent_nothing_else_is_claimed(
    monkeypatch: Any, caplog: Any
) -> None:
    from transcription.services import readiness

    def fail() -> None:
        raise OperationalError("the disk is on fire")

    monkeypatch.setattr(readiness, "_obstacles", fail)
    with caplog.at_level(logging.ERROR):
        status, body = readiness_told()
    assert "The database does not answer." in caplog.text
    assert (status, [reason["code"] for reason in body["reasons"]]) == (
        503,
        ["database_unavailable"],
    )
    assert body["checks"] == {
        "database": "failed",
        "disk": "ok",
        "workers": "unknown",
        "model": "unknown",
    }


def test_probes_cost_three_queries_in_two_seconds(
    working_service: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(3):
        for _ in range(5):
            assert Client().get("/health/ready").status_code == 200


def test_while_one_asks_the_others_are_told_what_was_known() -> None:
    asked, answer = threading.Event(), threading.Event()

    def ask() -> str:
        if asked.is_set():  # the second time: slow
            answer.wait(PATIENCE_SECONDS)
            return "new"
        asked.set()
        return "old"

    remembered = Remembered(ask)
    assert remembered.tell() == "old"
    remembered._until_seconds = time.monotonic() - 0.1
    slow = threading.Thread(target=remembered.tell)
    slow.start()
    eventually(remembered._asking.locked)
    assert remembered.tell() == "old"
    # But not for ever: a database that keeps one waiting for so long does not answer.
    remembered._until_seconds = time.monotonic() - PATIENCE - 1
    with pytest.raises(OperationalError):
        remembered.tell()
    answer.set()
    slow.join()
    assert remembered.tell() == "new"
