"""``/api/v1/tokens/``: one's own tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests.api.conftest import LIST_URL, caller
from transcription.models import ApiToken
from transcription.services import tokens

TOKENS = "/api/v1/tokens/"


@pytest.fixture
def mallory(db: None) -> Client:
    return caller(User.objects.create_user("mallory"))


def make(client: Client, **fields: Any) -> Any:
    return client.post(TOKENS, {"name": "web shop", **fields}, content_type="application/json")


def test_a_token_is_made_and_shown_once(client_of_ann: Client, ann: User) -> None:
    expires = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
    made = make(client_of_ann, scope="read", expires_at=expires.isoformat())

    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    token = made.json()["token"]
    assert Client(headers={"Authorization": f"Bearer {token}"}).get(LIST_URL).status_code == 200
    row = ApiToken.objects.get(pk=made.json()["id"])
    assert (row.user, row.name, row.scope, row.expires_at) == (ann, "web shop", "read", expires)
    for url in (TOKENS, f"{TOKENS}{row.pk}/"):
        assert token not in client_of_ann.get(url).content.decode()


def test_ones_own_tokens_are_listed_and_no_others(client_of_ann: Client, mallory: Client) -> None:
    row = make(client_of_ann).json()["id"]

    mine = client_of_ann.get(TOKENS).json()["results"]
    assert [one["name"] for one in mine] == ["web shop", "of the test"]
    assert set(mine[0]) == {
        "id", "name", "shown", "scope", "created_at", "expires_at", "last_used_at", "revoked_at",
    }  # fmt: skip
    assert row not in [one["id"] for one in mallory.get(TOKENS).json()["results"]]


def test_a_strangers_token_is_not_there(client_of_ann: Client, mallory: Client) -> None:
    url = f"{TOKENS}{make(client_of_ann).json()['id']}/"

    assert mallory.get(url).status_code == 404
    assert mallory.delete(url).status_code == 404
    assert mallory.patch(url, {"name": "mine"}, content_type="application/json").status_code == 404
    staff = caller(User.objects.create_user("root", is_staff=True, is_superuser=True))
    assert staff.get(url).status_code == 404
    assert not ApiToken.objects.exclude(revoked_at=None).exists()


def test_a_revoked_token_opens_nothing_and_stays_to_be_looked_at(client_of_ann: Client) -> None:
    made = make(client_of_ann).json()
    url = f"{TOKENS}{made['id']}/"

    assert client_of_ann.delete(url).status_code == 204
    assert client_of_ann.delete(url).status_code == 204
    assert client_of_ann.get(url).json()["revoked_at"] is not None
    with_it = Client(headers={"Authorization": f"Token {made['token']}"})
    assert with_it.get(LIST_URL).status_code == 401


def test_a_token_gets_another_name_and_nothing_else(client_of_ann: Client) -> None:
    url = f"{TOKENS}{make(client_of_ann, scope='read').json()['id']}/"
    changed = client_of_ann.patch(
        url, {"name": "kiosk", "scope": "full"}, content_type="application/json"
    )

    assert (changed.status_code, changed.json()["name"]) == (200, "kiosk")
    assert changed.json()["scope"] == "read"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"scope": "god"}, "scope"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
    ],
)
def test_what_is_wrong_with_a_token_is_told_by_its_field(
    client_of_ann: Client, fields: dict[str, str], field: str
) -> None:
    refused = make(client_of_ann, **fields)

    assert refused.status_code == 400
    assert [one["field"] for one in refused.json()["errors"]] == [field]
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("scope", ["read", "transcribe"])
def test_a_lesser_token_neither_makes_nor_sees_tokens(ann: User, scope: str) -> None:
    client = caller(ann, scope)

    assert make(client).status_code == 403
    assert client.get(TOKENS).status_code == 403
    assert client.delete(f"{TOKENS}{ApiToken.objects.get().pk}/").status_code == 403
    assert tokens.of(ann).filter(revoked_at=None).count() == 1


def test_a_session_makes_tokens_too_but_no_page_of_another_origin(ann: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ann)

    assert browser.get(TOKENS).status_code == 200
    assert make(browser).json()["code"] == "csrf_failed"
    assert not ApiToken.objects.exists()


def test_nobody_gets_401(db: None) -> None:
    assert Client().get(TOKENS).status_code == 401


def test_new_tokens_are_limited_by_address_and_looking_at_them_is_not(
    client_of_ann: Client, settings: Any
) -> None:
    settings.RATE_LOGIN = "2/m"
    statuses = [make(client_of_ann).status_code for _ in range(3)]

    assert statuses == [201, 201, 429]
    refused = make(client_of_ann)
    assert refused.json()["code"] == "rate_limited"
    assert int(refused.headers["Retry-After"]) >= 1
    assert client_of_ann.get(TOKENS).status_code == 200
