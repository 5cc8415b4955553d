"""How often the API at large may be called, and how often anybody may try to log in."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import LIST_URL, caller, wav

LOGINS = ["/accounts/login/", "/admin/login/", "/api/v1/auth/login/"]


def statuses(client: Client, count: int, url: str = LIST_URL) -> list[int]:
    return [client.get(url).status_code for _ in range(count)]


def test_each_token_has_a_rate(ann: User, client_of_ann: Client, settings: Any) -> None:
    settings.RATE_API_TOKEN = "2/m"

    assert statuses(client_of_ann, 3) == [200, 200, 429]
    refused = client_of_ann.get(LIST_URL)
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= 65
    assert statuses(caller(ann), 1) == [200]


def test_more_tokens_do_not_make_a_user_faster(
    ann: User, client_of_ann: Client, settings: Any
) -> None:
    settings.RATE_API_USER = "3/m"

    assert statuses(client_of_ann, 2) + statuses(caller(ann), 2) == [200, 200, 200, 429]
    session = Client()
    session.force_login(ann)
    assert statuses(session, 1) == [429]
    assert statuses(caller(User.objects.create_user("bob")), 1) == [200]


def test_uploads_have_a_rate_of_their_own(
    client_of_ann: Client, data_dir: Any, settings: Any
) -> None:
    settings.RATE_API_UPLOADS = "2/m"
    sent = [client_of_ann.post(LIST_URL, {"file": wav()}).status_code for _ in range(3)]

    assert sent == [202, 202, 429]
    assert statuses(client_of_ann, 1) == [200]


@pytest.mark.parametrize("url", LOGINS)
def test_a_password_can_be_guessed_five_times_a_minute_from_one_address(
    ann: User, url: str
) -> None:
    wrong = {"username": "ann", "password": "guess"}
    answers = [
        Client().post(url, wrong, headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(6)
    ]

    assert [one.status_code for one in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert "Too many tries" in answers[-1].content.decode()
    # The right password does not help now, from there; from elsewhere it does.
    right = {"username": "ann", "password": "ann's password"}
    assert Client().post(url, right).status_code == 429
    elsewhere = Client(REMOTE_ADDR="198.51.100.7")
    assert elsewhere.post(url, right).status_code in {200, 302}
    # To look at the page is no try.
    assert Client().get(url).status_code == 200


def test_all_ways_in_are_counted_together(ann: User, settings: Any) -> None:
    settings.RATE_LOGIN = "2/m"
    wrong = {"username": "ann", "password": "guess"}

    assert [Client().post(url, wrong).status_code for url in LOGINS] == [200, 200, 429]
    assert Client().post("/accounts/password-reset/", {"email": "a@b.c"}).status_code == 429


def test_the_browsable_api_links_to_the_limited_log_in(admin_client: Client) -> None:
    page = admin_client.get(LIST_URL, headers={"Accept": "text/html"}).content.decode()

    assert "/api/v1/auth/logout/" in page
