"""``Idempotency-Key`` on OpenAI's route."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import caller, wav
from transcription.models import Transcription
from transcription.services import browser_tokens

URL = "/v1/audio/transcriptions"
KEY = {"Idempotency-Key": "call-1"}
REPEATED = {"X-Stainless-Retry-Count": "1"}


@pytest.fixture(autouse=True)
def nobody_waits(at_once: None, settings: Any) -> None:
    settings.OPENAI_WAIT_SECONDS = 0.0


def post(client: Client, headers: dict[str, str], **fields: str) -> Any:
    return client.post(URL, {"file": wav(), "model": "whisper-1", **fields}, headers=headers)


def test_the_same_call_under_one_key_is_one_job_and_another_is_422(client_of_ann: Client) -> None:
    assert post(client_of_ann, KEY).status_code == 503  # accepted, and not waited for
    assert post(client_of_ann, KEY).status_code == 503
    assert Transcription.objects.count() == 1

    other = post(client_of_ann, KEY, prompt="Qwen")
    assert other.status_code == 422
    assert other.json()["error"]["code"] == "idempotency_conflict"
    assert set(other.json()["error"]) == {"message", "type", "param", "code"}
    # A key says more than the count of a client that repeats by itself.
    assert post(client_of_ann, {"Idempotency-Key": "call-2", **REPEATED}).status_code == 503
    assert Transcription.objects.count() == 2


def test_a_repeat_joins_no_work_of_another_subject(ann: User) -> None:
    def page(subject: str) -> Client:
        token, _, _ = browser_tokens.create(ann, parent=None, subject=subject)
        return Client(headers={"Authorization": f"Bearer {token}"})

    post(page("alice"), {})
    post(page("mallory"), REPEATED)
    assert Transcription.objects.count() == 2
    post(page("alice"), REPEATED)
    assert Transcription.objects.count() == 2


def test_the_route_is_not_open_to_everybody(settings: Any, db: None) -> None:
    settings.ALLOW_ANONYMOUS = True
    assert post(caller(User.objects.create_user("bob"), "read"), {}).status_code == 403
    assert post(Client(), {}).status_code == 401
