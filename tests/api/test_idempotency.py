"""A request that is sent twice under one key is one piece of work."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone

from tests.api.conftest import LIST_URL, URL, caller, wav
from tests.served import Answer, Form, Served
from transcription.models import ApiToken, IdempotencyKey, Transcription
from transcription.services import browser_tokens, idempotency, tokens

Serve = Callable[..., Served]
KEY = {"Idempotency-Key": "order 66"}


def post(client: Client, url: str = LIST_URL, /, *, headers: Any = KEY, **fields: Any) -> Any:
    return client.post(url, {"file": wav(), **fields}, headers=headers)


def nothing_is_left(settings: Any, *, kept: int) -> None:
    assert not list(settings.INCOMING_DIR.iterdir())
    assert len(list(settings.MEDIA_ROOT.rglob("*.*"))) == kept


def test_the_same_request_under_the_same_key_makes_one_job(
    client_of_ann: Client, at_once: None, settings: Any
) -> None:
    first, second = post(client_of_ann), post(client_of_ann)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["Location"] == first.headers["Location"]
    assert Transcription.objects.count() == 1
    nothing_is_left(settings, kept=1)


def test_the_handbooks_route_joins_what_another_route_began(
    client_of_ann: Client, at_once: None
) -> None:
    first = post(client_of_ann, language="zh")
    second = post(client_of_ann, URL, language="zh")

    assert second.json()["data"]["id"] == first.json()["id"]
    assert Transcription.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"language": "zh"},
        {"prompt": "Qwen"},
        {"polish": "off"},
        {"file": wav(b"RIFF....WAVEfmt another sound")},
    ],
    ids=["language", "prompt", "polish", "file"],
)
@pytest.mark.parametrize("url", [LIST_URL, URL])
def test_another_request_under_the_key_is_refused(
    client_of_ann: Client, at_once: None, settings: Any, change: dict[str, Any], url: str
) -> None:
    if "file" in change:
        change["file"].seek(0)
    post(client_of_ann)
    other = post(client_of_ann, url, **change)

    assert other.status_code == 422
    assert other.json()["code"] == (1031 if url == URL else "idempotency_conflict")
    assert Transcription.objects.count() == 1
    nothing_is_left(settings, kept=1)


def test_a_field_that_is_empty_is_one_that_was_left_out(
    client_of_ann: Client, at_once: None
) -> None:
    first, second = post(client_of_ann, language="", model=""), post(client_of_ann)

    assert first.json()["id"] == second.json()["id"]


def test_a_key_is_its_owners_own(client_of_ann: Client, at_once: None) -> None:
    bob = User.objects.create_user("bob")
    first, second = post(client_of_ann), post(caller(bob))

    assert first.json()["id"] != second.json()["id"]
    # Another token of the same user is the same owner.
    again = post(caller(bob))
    assert again.json()["id"] == second.json()["id"]


def test_a_key_under_a_browser_token_is_its_subjects_own(ann: User, at_once: None) -> None:
    def page(subject: str) -> Client:
        token, _, _ = browser_tokens.create(ann, parent=None, subject=subject)
        return Client(headers={"Authorization": f"Bearer {token}"})

    first, other = post(page("alice")), post(page("mallory"))
    assert first.json()["id"] != other.json()["id"]
    assert post(page("alice")).json()["id"] == first.json()["id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "a\tb"])
def test_a_key_of_another_form_is_refused(client_of_ann: Client, at_once: None, key: str) -> None:
    response = post(client_of_ann, headers={"Idempotency-Key": key})

    assert response.status_code == 400
    assert "Idempotency-Key" in response.json()["message"]


def test_without_a_key_the_same_recording_is_recognised_twice(
    client_of_ann: Client, at_once: None
) -> None:
    assert (
        post(client_of_ann, headers={}).json()["id"]
        != (post(client_of_ann, headers={}).json()["id"])
    )


@pytest.mark.parametrize(("status", "http"), [("failed", 415), ("cancelled", 409)])
def test_what_failed_or_was_cancelled_stays_the_answer_of_its_key(
    client_of_ann: Client, at_once: None, status: str, http: int
) -> None:
    post(client_of_ann)
    Transcription.objects.update(
        status=status, error_code="not_audio" if status == "failed" else ""
    )

    assert post(client_of_ann, URL).status_code == http
    assert post(client_of_ann).json()["status"] == status
    assert Transcription.objects.count() == 1


def test_what_was_deleted_does_not_come_back_under_its_key(
    client_of_ann: Client, at_once: None
) -> None:
    post(client_of_ann)
    Transcription.objects.all().delete()
    again = post(client_of_ann)

    assert (again.status_code, again.json()["code"]) == (410, "idempotency_deleted")
    assert not Transcription.objects.exists()


def test_a_request_that_was_refused_leaves_its_key_free(
    client_of_ann: Client, at_once: None
) -> None:
    assert post(client_of_ann, language="klingon").status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert post(client_of_ann, language="zh").status_code == 202


def test_a_key_is_forgotten_in_time(client_of_ann: Client, at_once: None) -> None:
    first = post(client_of_ann).json()["id"]
    long_ago = timezone.now() - timedelta(hours=25)
    IdempotencyKey.objects.update(created_at=long_ago)

    # Even before the upkeep has come to it.
    second = post(client_of_ann).json()["id"]
    assert first != second
    assert IdempotencyKey.objects.count() == 1
    assert idempotency.forget_old_keys() == 0
    IdempotencyKey.objects.update(created_at=long_ago)
    assert idempotency.forget_old_keys() == 1
    assert not IdempotencyKey.objects.exists()


def test_the_upkeep_of_the_chores_forgets_old_keys(
    transactional_db: None, monkeypatch: Any
) -> None:
    from transcription.work import chores
    from transcription.work.runtime import runtime

    IdempotencyKey.objects.create(digest="0" * 64, request_digest="1" * 64)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    here = runtime()
    monkeypatch.setattr(here, "last_upkeep", -1e9)
    chores._upkeep_sometimes(here)

    assert not IdempotencyKey.objects.exists()


def test_the_table_tells_neither_key_nor_caller(client_of_ann: Client, at_once: None) -> None:
    post(client_of_ann)

    stored = json.dumps(IdempotencyKey.objects.values().get(), default=str)
    assert "order 66" not in stored
    assert "user" not in stored


def test_the_key_is_written_in_the_transaction_that_accepts_the_recording(
    client_of_ann: Client, at_once: None, settings: Any
) -> None:
    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("INSERT") and "idempotencykey" in sql:
            raise IntegrityError("the cable was pulled")
        return execute(sql, *rest)

    client_of_ann.raise_request_exception = False
    with connection.execute_wrapper(fail):
        assert post(client_of_ann).status_code == 500

    assert not Transcription.objects.exists()
    nothing_is_left(settings, kept=0)
    assert post(client_of_ann).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_taken_and_the_others_join_it(ann: User, at_once: None) -> None:
    clients = [caller(ann) for _ in range(8)]
    together = threading.Barrier(len(clients))

    def run(client: Client) -> tuple[int, str]:
        together.wait()
        try:
            response = post(client)
            return response.status_code, response.json()["id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = set(pool.map(run, clients))

    assert len(answers) == 1
    assert answers.pop()[0] == 202
    assert Transcription.objects.count() == 1
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_that_loses_the_race_joins_the_winner(
    client_of_ann: Client, at_once: None, settings: Any, monkeypatch: Any
) -> None:
    """Both look before either is accepted: the constraint decides."""
    look, looks = idempotency._made_before, []

    def blind_at_first(*digests: str) -> Any:
        looks.append(digests)
        return None if len(looks) <= 2 else look(*digests)

    monkeypatch.setattr(idempotency, "_made_before", blind_at_first)
    first, second = post(client_of_ann), post(client_of_ann)

    assert len(looks) == 3
    assert first.json()["id"] == second.json()["id"]
    nothing_is_left(settings, kept=1)


def test_over_the_wire_a_request_that_died_on_its_way_is_simply_sent_again(
    serve: Serve, token: str
) -> None:
    served = serve(ASR_SYNC_WAIT_SECONDS="0")
    form = Form.of_size(300_000)
    headers = {
        "Authorization": f"Token {token}",
        "Idempotency-Key": "upload-1",
        "Content-Type": form.content_type,
        "Content-Length": str(len(form)),
    }
    dying = served.connect()
    dying.putrequest("POST", LIST_URL)
    for name, value in headers.items():
        dying.putheader(name, value)
    dying.endheaders()
    dying.send(form.head + b"RIFF")

    def whole(url: str) -> Answer:
        return served.request("POST", url, body=iter(form), headers=headers)

    # The first one is still on its way; the second does not wait for it.
    first = whole(LIST_URL)
    dying.close()
    second = whole(URL)

    assert (first.status, second.status) == (202, 202)
    assert first.json["id"] == second.json["data"]["id"]
    assert Transcription.objects.count() == 1


def test_a_process_that_was_killed_in_the_middle_leaves_the_key_free(
    serve: Serve, token: str
) -> None:
    killed = serve(ASR_SYNC_WAIT_SECONDS="0")
    form = Form.of_size(300_000)
    headers = {
        "Authorization": f"Token {token}",
        "Idempotency-Key": "upload-2",
        "Content-Type": form.content_type,
        "Content-Length": str(len(form)),
    }
    assert killed.request("GET", "/health/").status in {200, 503}  # it is up
    dying = killed.connect()
    dying.putrequest("POST", LIST_URL)
    for name, value in headers.items():
        dying.putheader(name, value)
    dying.endheaders()
    dying.send(form.head + b"RIFF")
    killed.process.kill()
    killed.process.wait()
    dying.close()
    assert not IdempotencyKey.objects.exists()

    answers = [
        serve(ASR_SYNC_WAIT_SECONDS="0").request("POST", LIST_URL, body=iter(form), headers=headers)
        for _ in range(2)
    ]
    assert [one.status for one in answers] == [202, 202]
    assert answers[0].json["id"] == answers[1].json["id"]
    assert Transcription.objects.count() == 1


def test_a_token_for_reading_learns_nothing_by_a_key(ann: User, at_once: None) -> None:
    post(caller(ann))
    _, reading = tokens.create(ann, name="of the test", scope=ApiToken.Scope.READ)

    assert post(Client(headers={"Authorization": f"Token {reading}"})).status_code == 403
