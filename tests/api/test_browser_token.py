"""``POST /api/v1/browser-token/``: what a web page may hold, and what it can do with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client

from tests.api.conftest import LIST_URL, URL, caller, wav
from transcription.models import ApiToken, Transcription
from transcription.services import audit, browser_tokens, tokens
from transcription.web.credentials import KnownCallers

MAKE = "/api/v1/browser-token/"
Page = Callable[..., Client]


def made_by(client: Client, **fields: str) -> Any:
    return client.post(MAKE, fields, content_type="application/json")


def holding(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def page(client_of_ann: Client) -> Client:
    """A web page with a browser token of ann's."""
    return holding(made_by(client_of_ann).json()["token"])


@pytest.mark.parametrize("url", [LIST_URL, URL])
def test_a_page_sends_recordings_in_and_reads_their_results(
    page: Client, ann: User, at_once: None, url: str
) -> None:
    assert page.post(url, {"file": wav()}).status_code == 202

    row = Transcription.objects.get()
    assert row.owner == ann
    assert page.get(f"{LIST_URL}{row.pk}/").json()["status"] == "queued"
    assert [one["id"] for one in page.get(LIST_URL).json()["results"]] == [str(row.pk)]


def test_a_token_tells_its_end_and_is_not_cached(client_of_ann: Client, settings: Any) -> None:
    settings.BROWSER_TOKEN_SECONDS = 600
    made = made_by(client_of_ann, subject="customer-42")

    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    body = made.json()
    assert body["token"].startswith("asrb_")
    assert (body["subject"], body["expires_in_seconds"]) == ("customer-42", 600)
    assert ApiToken.objects.count() == 1  # that of ann: this one has no row


def test_a_page_sees_what_came_in_for_its_subject_and_nothing_else_of_the_user(
    client_of_ann: Client, ann: User, at_once: None
) -> None:
    """All pages of a front end share one user; each visitor must see his own alone."""
    ours = Transcription.objects.create(owner=ann)
    alice, mallory = (
        holding(made_by(client_of_ann, subject=name).json()["token"])
        for name in ("alice", "mallory")
    )
    of_alice = alice.post(LIST_URL, {"file": wav()}).json()["id"]

    assert alice.get(f"{LIST_URL}{of_alice}/").status_code == 200
    assert mallory.get(f"{LIST_URL}{of_alice}/").status_code == 404
    assert mallory.get(LIST_URL).json()["results"] == []
    assert alice.get(f"{LIST_URL}{ours.pk}/").status_code == 404
    # The next token for the same subject goes on where the last one ended.
    later = holding(made_by(client_of_ann, subject="alice").json()["token"])
    assert later.get(f"{LIST_URL}{of_alice}/").status_code == 200
    # And the user himself sees all of it.
    assert len(client_of_ann.get(LIST_URL).json()["results"]) == 2


def test_a_token_without_a_subject_sees_what_it_sent_in_itself(
    client_of_ann: Client, page: Client, at_once: None
) -> None:
    row = page.post(LIST_URL, {"file": wav()}).json()["id"]
    another = holding(made_by(client_of_ann).json()["token"])

    assert page.get(f"{LIST_URL}{row}/").status_code == 200
    assert another.get(f"{LIST_URL}{row}/").status_code == 404


def test_the_page_of_a_member_of_staff_sees_nobody_elses(ann: User, at_once: None) -> None:
    root = User.objects.create_user("root", is_staff=True, is_superuser=True)
    row = Transcription.objects.create(owner=ann)
    page = holding(made_by(caller(root)).json()["token"])

    assert page.get(f"{LIST_URL}{row.pk}/").status_code == 404
    assert page.get(LIST_URL).json()["results"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", MAKE),  # or it would never end
        ("get", "/api/v1/tokens/"),
        ("post", "/api/v1/tokens/"),
        ("delete", LIST_URL + "{id}/"),
        ("patch", LIST_URL + "{id}/"),
    ],
)
def test_a_page_does_nothing_else(page: Client, at_once: None, method: str, path: str) -> None:
    row = page.post(LIST_URL, {"file": wav()}).json()["id"]

    refused = getattr(page, method)(path.format(id=row))

    assert refused.status_code in {403, 405}
    if refused.status_code == 403:
        assert refused.json()["code"] == "browser_token_limited"
    assert Transcription.objects.count() == 1


def test_an_action_on_a_row_is_no_upload(page: Client) -> None:
    """Cancelling and retrying are posts too."""
    from types import SimpleNamespace

    from transcription.api.authentication import ScopePermission
    from transcription.services.browser_tokens import BrowserToken
    from transcription.services.errors import ServiceError

    user = User(pk=1)
    request: Any = SimpleNamespace(
        method="POST", user=user, auth=BrowserToken(user=user, subject="s", parent_id=None)
    )
    view: Any = SimpleNamespace(takes_files=True, action="cancel", detail=True)
    with pytest.raises(ServiceError) as refused:
        ScopePermission().has_permission(request, view)
    assert refused.value.code == "browser_token_limited"


# --- how it ends ------------------------------------------------------------------------------


def test_a_token_ends_in_time(client_of_ann: Client, settings: Any) -> None:
    settings.BROWSER_TOKEN_SECONDS = -1
    over = holding(made_by(client_of_ann).json()["token"])

    refused = over.get(LIST_URL)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")


def test_a_token_ends_with_the_api_token_that_made_it(page: Client, ann: User) -> None:
    assert page.get(LIST_URL).status_code == 200
    tokens.revoke(ApiToken.objects.get(), audit.Actor.of_command())
    assert page.get(LIST_URL).status_code == 401


def test_a_token_ends_with_its_user(page: Client) -> None:
    User.objects.update(is_active=False)
    assert page.get(LIST_URL).status_code == 401


@pytest.mark.parametrize("change", ["deactivated", "another password"])
def test_a_token_of_a_session_ends_with_user_and_password(ann: User, change: str) -> None:
    browser = Client()
    browser.force_login(ann)
    page = holding(made_by(browser).json()["token"])
    assert page.get(LIST_URL).status_code == 200

    ann.is_active = change != "deactivated"
    if change == "another password":
        ann.set_password("another")
    ann.save()
    assert page.get(LIST_URL).status_code == 401


def test_a_token_that_was_written_by_somebody_else_opens_nothing(
    page: Client, ann: User, settings: Any
) -> None:
    good = page.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    said = {"u": ann.pk, "s": "x", "e": int(time.time()) + 600, "t": ApiToken.objects.get().pk}
    forged = [
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        "asrb_" + signing.dumps(said, key="another key", salt="transcription.browser_token"),
        "asrb_" + signing.dumps(said, salt="transcription.result_token"),
        good.removeprefix("asrb_"),
        "asrb_",
        "asrb_" + "x" * 5000,
    ]
    for token in forged:
        assert holding(token).get(LIST_URL).status_code == 401, token[:40]


def test_knowing_a_page_costs_one_query(page: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):  # the parent with its user, and the list
        page.get(LIST_URL)


# --- who gets one -----------------------------------------------------------------------------


def test_a_token_for_reading_gets_none(ann: User) -> None:
    assert made_by(caller(ann, "read")).status_code == 403
    assert made_by(caller(ann, "transcribe")).status_code == 201


@pytest.mark.parametrize("subject", ["a b", "x" * 65, "a\nb", "<script>"])
def test_a_subject_is_an_id(client_of_ann: Client, subject: str) -> None:
    assert made_by(client_of_ann, subject=subject).status_code == 400


def test_a_front_end_with_many_visitors_is_not_limited_by_its_address_but_guessers_are(
    client_of_ann: Client, settings: Any
) -> None:
    settings.RATE_LOGIN = "2/m"
    settings.RATE_API_BROWSER_TOKENS = "4/m"
    guesser = holding("asr_guessed")

    assert [made_by(guesser).status_code for _ in range(3)] == [401, 401, 429]
    statuses = [made_by(client_of_ann).status_code for _ in range(5)]
    assert statuses == [201] * 4 + [429]


@pytest.mark.django_db(transaction=True)
def test_the_body_limit_knows_a_page(page: Client, settings: Any) -> None:
    header = page.defaults["HTTP_AUTHORIZATION"].encode()

    def knows(value: bytes) -> bool:
        return asyncio.run(KnownCallers().knows([(b"authorization", value)]))

    assert knows(header)
    assert not knows(header + b"x")
    tokens.revoke(ApiToken.objects.get(), audit.Actor.of_command())
    assert not knows(header)


def test_tokens_for_results_and_for_pages_are_not_the_same(ann: User) -> None:
    row = Transcription.objects.create()
    result = browser_tokens.create_for_result(row.pk)
    token, _, _ = browser_tokens.create(ann, parent=None)

    assert browser_tokens.find(result) is None
    assert browser_tokens.find("asrb_" + result) is None
    assert browser_tokens.find_for_result(token) is None
    assert browser_tokens.find_for_result(token.removeprefix("asrb_")) is None
    found = browser_tokens.find_for_result(result)
    assert found is not None
    assert found.transcription_id == row.pk
