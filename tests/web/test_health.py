"""``GET /health``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from transcription.models import SpeechModel
from transcription.services import queue
from transcription.web.health import first_model

BASE_DIR = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> None:
    first_model.forget()


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
    from transcription.web import health

    def fail() -> None:
        raise OperationalError("the disk is on fire")

    monkeypatch.setattr(health, "_standing", fail)

    for _ in range(2):  # the second from memory
        response = Client().get("/health")
        assert (response.status_code, response.json()["status"]) == (503, "unavailable")
    first_model.forget()


def test_it_is_for_looking_only(db: None) -> None:
    assert Client().post("/health").status_code == 405
    assert Client().head("/health").status_code == 200
