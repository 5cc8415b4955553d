"""``/admin/reload-model``: staff load new weights without stopping anything."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from tests.api.conftest import caller
from transcription.models import ApiToken, SpeechModel, Worker

URL = "/admin/reload-model"


@pytest.fixture
def operator(db: None) -> Client:
    return caller(User.objects.create_superuser("root"))


@pytest.fixture
def weights(settings: Any, tmp_path: Path) -> Path:
    settings.WEIGHTS_DIR = tmp_path / "weights"
    for name in ("one", "two"):
        (settings.WEIGHTS_DIR / name).mkdir(parents=True)
    return settings.WEIGHTS_DIR


@pytest.fixture
def model(weights: Path, db: None) -> SpeechModel:
    return SpeechModel.objects.create(name="qwen", engine="qwen3_asr", weights="one")


def worker(pid: int = 1, **facts: Any) -> Worker:
    return Worker.objects.create(host="box", pid=pid, cluster="engine-0@17", **facts)


# --- who may


def test_a_stranger_is_asked_who_he_is_in_json(model: SpeechModel) -> None:
    response = Client().post(URL)
    assert (response.status_code, response.json()["code"]) == (401, "authentication_required")
    model.refresh_from_db()
    assert model.generation == 1


def test_people_who_are_not_staff_may_not(model: SpeechModel, db: None) -> None:
    ann = User.objects.create_user("ann")
    ann.user_permissions.set(Permission.objects.filter(codename="change_speechmodel"))
    for client in (caller(ann), caller(User.objects.create_user("sam", is_staff=True))):
        for response in (client.post(URL), client.get(URL)):
            assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    model.refresh_from_db()
    assert model.generation == 1


def test_staff_with_the_right_to_look_may_look_and_no_more(model: SpeechModel) -> None:
    sam = User.objects.create_user("sam", is_staff=True)
    sam.user_permissions.set(Permission.objects.filter(codename="view_speechmodel"))
    assert caller(sam).get(URL).status_code == 200
    assert caller(sam).post(URL).status_code == 403


@pytest.mark.parametrize("scope", [ApiToken.Scope.READ, ApiToken.Scope.TRANSCRIBE])
def test_a_token_for_less_may_look_and_no_more(model: SpeechModel, scope: str) -> None:
    client = caller(User.objects.create_superuser("root"), scope)
    assert client.get(URL).status_code == 200
    assert client.post(URL).status_code == 403


def test_a_session_needs_its_csrf_token(model: SpeechModel) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.create_superuser("root"))
    refused = browser.post(URL)
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    browser.get("/admin/")
    token = browser.get("/admin/password_change/").cookies["csrftoken"].value
    assert browser.post(URL, headers={"X-CSRFToken": token}).status_code == 202


# --- asking


@pytest.mark.parametrize("url", [URL, f"{URL}/"])
def test_the_only_model_need_not_be_named(model: SpeechModel, operator: Client, url: str) -> None:
    response = operator.post(url)
    assert response.status_code == 202
    answer = response.json()
    assert (answer["status"], answer["generation"]) == ("reloading", 2)
    assert response.headers["Location"] == answer["state"]
    assert answer["state"].endswith("/admin/reload-model?model=qwen")
    model.refresh_from_db()
    assert model.generation == 2


def test_workers_are_woken(transactional_db: None, weights: Path) -> None:
    SpeechModel.objects.create(name="qwen", engine="qwen3_asr", weights="one")
    assert caller(User.objects.create_superuser("root")).post(URL).status_code == 202
    assert OrmQ.objects.filter(key="engine").exists()


def test_of_several_models_one_must_be_named(model: SpeechModel, operator: Client) -> None:
    other = SpeechModel.objects.create(name="other", engine="fake")
    SpeechModel.objects.create(name="off", engine="fake", enabled=False)
    response = operator.post(URL)
    assert (response.status_code, response.json()["code"]) == (400, "model_not_named")
    assert "other, qwen" in response.json()["message"]
    for name in ("off", "absent"):
        refused = operator.post(URL, {"model": name}, content_type="application/json")
        assert (refused.status_code, refused.json()["code"]) == (400, "unknown_model")
    assert operator.post(URL, {"model": "other"}).json()["generation"] == 2
    other.refresh_from_db()
    model.refresh_from_db()
    assert (other.generation, model.generation) == (2, 1)


def test_other_weights_are_named_by_directory(
    model: SpeechModel, operator: Client, weights: Path
) -> None:
    for given in ("two", str(weights / "two"), "./two", "two/"):
        answer = operator.post(URL, {"weights": given}, content_type="application/json")
        assert (answer.status_code, answer.json()["weights"]) == (202, "two")
    model.refresh_from_db()
    assert (model.weights, model.generation) == ("two", 5)


def test_weights_beside_those_of_a_model_are_an_allowed_place(
    model: SpeechModel, operator: Client, tmp_path: Path
) -> None:
    for name in ("old", "new"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
    new = str(tmp_path / "elsewhere" / "new")
    assert operator.post(URL, {"weights": new}).status_code == 400
    SpeechModel.objects.update(weights=str(tmp_path / "elsewhere" / "old"))
    answer = operator.post(URL, {"weights": new})
    assert (answer.status_code, answer.json()["weights"]) == (202, new)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("../weights/two", "weights_not_allowed"),
        ("two/../../secrets", "weights_not_allowed"),
        ("/etc", "weights_not_allowed"),
        ("/", "weights_not_allowed"),
        (".", "weights_not_allowed"),
        # The framework itself turns a NUL away.
        ("a\0b", "invalid"),
        ("absent", "weights_not_found"),
        ("two/file", "weights_not_found"),
        ("x" * 400, "weights_not_found"),
        ("x" * 501, "invalid"),
    ],
)
def test_weights_from_anywhere_else_are_refused(
    model: SpeechModel, operator: Client, weights: Path, given: str, code: str
) -> None:
    (weights / "two" / "file").write_bytes(b"")
    response = operator.post(URL, {"weights": given}, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, code)
    model.refresh_from_db()
    assert (model.weights, model.generation) == ("one", 1)


@pytest.mark.parametrize("body", ["{", "[1]", '"qwen"'])
def test_a_body_that_is_no_object_is_refused(
    model: SpeechModel, operator: Client, body: str
) -> None:
    response = operator.post(URL, body, content_type="application/json")
    assert response.status_code == 400
    assert response.json()["code"] in {"malformed_request", "invalid"}


def test_other_methods_are_refused_in_json(model: SpeechModel, operator: Client) -> None:
    assert operator.put(URL).json()["code"] == "method_not_allowed"


# --- following


def state(client: Client) -> tuple[str, list[str]]:
    answer = client.get(URL).json()
    return answer["status"], [one["state"] for one in answer["workers"]]


def test_without_a_worker_it_says_so(model: SpeechModel, operator: Client) -> None:
    worker(heartbeat_at=timezone.now() - timedelta(minutes=5), loaded=[])
    Worker.objects.create(host="box", pid=9, cluster="chores@17")
    assert state(operator) == ("no_worker", [])


def test_a_reload_is_followed_to_its_end(model: SpeechModel, operator: Client) -> None:
    old = {"name": "qwen", "generation": 1, "loaded_because": "it is the first in order"}
    row = worker(loaded=[old], seen={"qwen": 1})
    assert state(operator) == ("loaded", ["loaded"])
    operator.post(URL)
    assert state(operator) == ("reloading", ["reloading"])

    row.seen = {"qwen": 2}
    row.loading = [{"name": "qwen", "generation": 2, "since": "2026-01-02T03:04:05+00:00"}]
    row.save()
    answer = operator.get(URL, {"model": "qwen"}).json()
    assert (answer["status"], answer["generation"]) == ("reloading", 2)
    [one] = answer["workers"]
    assert (one["worker"], one["generation_loaded"]) == ("engine-0", 1)
    assert one["loading_since"] == "2026-01-02T03:04:05+00:00"

    row.loading, row.loaded = [], [{**old, "generation": 2}]
    row.save()
    assert state(operator) == ("loaded", ["loaded"])


def test_a_broken_reload_is_told_with_its_reason_and_what_serves(
    model: SpeechModel, operator: Client
) -> None:
    SpeechModel.objects.update(generation=2, last_good={"generation": 1})
    worker(
        loaded=[{"name": "qwen", "generation": 1, "stands_in_for": 2}],
        failed=[{"name": "qwen", "generation": 2, "message": "model.safetensors is cut off"}],
        seen={"qwen": 2},
    )
    answer = operator.get(URL).json()
    assert (answer["status"], answer["last_good"]) == ("failed", {"generation": 1})
    [one] = answer["workers"]
    assert (one["state"], one["generation_loaded"]) == ("failed", 1)
    assert one["error"] == "model.safetensors is cut off"
    SpeechModel.objects.update(generation=3)
    assert state(operator) == ("reloading", ["reloading"])


def test_one_worker_that_failed_is_not_hidden_by_others(
    model: SpeechModel, operator: Client
) -> None:
    fine = {"loaded": [{"name": "qwen", "generation": 1}], "seen": {"qwen": 1}}
    worker(1, **fine)
    worker(2, failed=[{"name": "qwen", "generation": 1, "message": "x"}], seen={"qwen": 1})
    assert state(operator) == ("failed", ["loaded", "failed"])


def test_a_model_that_sleeps_is_unloaded_and_says_why(model: SpeechModel, operator: Client) -> None:
    gone = {"name": "qwen", "generation": 1, "unloaded_because": "idle for 10 minutes"}
    worker(seen={"qwen": 1}, unloaded=[{**gone, "unloaded_because": "older"}, gone])
    answer = operator.get(URL).json()
    assert answer["status"] == "unloaded"
    assert answer["workers"][0]["because"] == "idle for 10 minutes"
