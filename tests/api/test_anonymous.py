"""``ASR_ALLOW_ANONYMOUS``: the handbook's component without any header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver

from tests.api.conftest import LIST_URL, URL, caller, wav
from tests.served import Served
from transcription.api.authentication import is_anonymous_allowed
from transcription.models import Transcription

Serve = Callable[..., Served]
MIB = 1024 * 1024


@pytest.fixture
def open_to_all(settings: Any, at_once: None) -> None:
    settings.ALLOW_ANONYMOUS = True


def link_of_a_new_recording(client: Client | None = None) -> str:
    answer = (client or Client()).post(URL, {"file": wav()})
    assert answer.status_code == 202
    assert answer.headers["Location"] == answer.json()["data"]["url"]
    return str(answer.json()["data"]["url"])


def test_nobody_is_let_in_as_the_settings_come(db: None, at_once: None) -> None:
    assert Client().post(URL, {"file": wav()}).status_code == 401


def test_a_recording_of_nobody_belongs_to_nobody_and_its_link_reads_it(open_to_all: None) -> None:
    url = link_of_a_new_recording()

    row = Transcription.objects.get()
    assert row.owner is None
    assert url.startswith(f"{LIST_URL}{row.pk}/?result_token=")
    Transcription.objects.update(status="completed", step="over", text="今天")
    seen = Client().get(url).json()
    assert (seen["status"], seen["text"], seen["owner"]) == ("completed", "今天", None)


def test_the_link_reads_one_transcription_and_does_nothing_else(
    open_to_all: None, ann: User
) -> None:
    url = link_of_a_new_recording()
    query = url.partition("?")[2]
    other = Transcription.objects.create()

    assert Client().get(f"{LIST_URL}{other.pk}/?{query}").status_code == 404
    for method, path in (
        ("get", LIST_URL),
        ("post", LIST_URL),
        ("get", "/api/v1/tokens/"),
        ("post", "/api/v1/browser-token/"),
        ("delete", url.partition("?")[0]),
        ("patch", url.partition("?")[0]),
    ):
        status = getattr(Client(), method)(f"{path}?{query}").status_code
        assert status in {401, 403, 405}, (method, path, status)
    assert Transcription.objects.count() == 2
    # Whoever is logged in can follow the link too.
    browser = Client()
    browser.force_login(ann)
    assert browser.get(url).status_code == 200


def test_without_its_token_the_link_is_not_there(open_to_all: None, client_of_ann: Client) -> None:
    bare = link_of_a_new_recording().partition("?")[0]

    assert Client().get(bare).status_code == 401
    assert client_of_ann.get(bare).status_code == 404
    assert caller(User.objects.create_user("root", is_staff=True)).get(bare).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "eyJyIjoxfQ:1:2", "asr_guessed", "x" * 2000])
def test_a_link_that_was_made_up_opens_nothing(open_to_all: None, token: str) -> None:
    bare = link_of_a_new_recording().partition("?")[0]

    assert Client().get(bare, {"result_token": token}).status_code == 401


def test_a_link_ends_in_time(open_to_all: None, settings: Any) -> None:
    settings.RESULT_TOKEN_SECONDS = -1
    assert Client().get(link_of_a_new_recording()).json()["code"] == "invalid_token"


def test_who_sends_a_token_is_no_stranger(open_to_all: None, client_of_ann: Client) -> None:
    wrong = Client(headers={"Authorization": "Token asr_guessed"}).post(URL, {"file": wav()})
    right = client_of_ann.post(URL, {"file": wav()})

    assert (wrong.status_code, wrong.json()["code"]) == (401, 1002)
    assert "result_token" not in right.json()["data"]["url"]
    assert Transcription.objects.get().owner is not None


def test_only_the_handbooks_route_is_open(open_to_all: None) -> None:
    assert Client().post(LIST_URL, {"file": wav()}).status_code == 401
    assert Client().get(LIST_URL).status_code == 401


def test_no_other_address_of_the_service_is_open(settings: Any) -> None:
    """Whatever routes are added: a class that others inherit from may open them by accident."""
    settings.ALLOW_ANONYMOUS = True

    def views(patterns: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                yield from views(pattern.url_patterns, path)
            else:
                yield path, getattr(pattern.callback, "cls", pattern.callback)

    found = [
        path for path, view in views(get_resolver().url_patterns) if is_anonymous_allowed(view)
    ]
    assert found == ["api/v1/transcribe", "api/v1/transcribe/"]


def test_strangers_are_counted_by_address_whatever_they_forward(
    open_to_all: None, settings: Any
) -> None:
    settings.RATE_ANON = "2/m"
    statuses = [
        Client().post(URL, {"file": wav()}, headers={"X-Forwarded-For": f"203.0.113.{n}"})
        for n in range(3)
    ]

    assert [one.status_code for one in statuses] == [202, 202, 429]
    assert statuses[-1].json()["code"] == 1006
    assert int(statuses[-1].headers["Retry-After"]) >= 1
    assert Client(REMOTE_ADDR="198.51.100.7").post(URL, {"file": wav()}).status_code == 202


def test_behind_one_proxy_the_address_that_it_saw_counts_and_none_that_the_client_wrote(
    open_to_all: None, settings: Any
) -> None:
    settings.RATE_ANON = "1/m"
    settings.PROXY_COUNT = 1

    def post(forwarded_for: str) -> int:
        headers = {"X-Forwarded-For": forwarded_for}
        return Client().post(URL, {"file": wav()}, headers=headers).status_code

    assert post("203.0.113.5") == 202
    # The client puts an address of its own in front; the proxy appends the true one.
    assert post("192.0.2.99, 203.0.113.5") == 429
    assert post("203.0.113.6") == 202


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 202),
        ("http://testserver", 202),
        ("https://testserver", 202),
        ("https://front.example", 202),
        ("http://[half", 403),
        ("http://testserver:8001", 403),
        ("https://evil.example", 403),
        ("https://front.example.evil.example", 403),
        ("http://front.example", 403),
        ("null", 403),
    ],
)
def test_a_page_of_an_unknown_origin_cannot_have_its_visitors_send_us_work(
    open_to_all: None, settings: Any, origin: str | None, status: int
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://front.example"]
    headers = {"Origin": origin} if origin else {}
    answer = Client().post(URL, {"file": wav()}, headers=headers)

    assert answer.status_code == status
    assert Transcription.objects.count() == (status == 202)
    if status == 403:
        assert answer.json()["code"] == 1033
        assert origin in answer.json()["message"]
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_strangers_may_repeat_themselves_under_a_key(open_to_all: None) -> None:
    key = {"Idempotency-Key": "1"}
    first, second = (Client().post(URL, {"file": wav()}, headers=key).json() for _ in range(2))
    elsewhere = Client(REMOTE_ADDR="198.51.100.7").post(URL, {"file": wav()}, headers=key).json()

    assert first["data"]["id"] == second["data"]["id"] != elsewhere["data"]["id"]


def test_over_the_wire_strangers_may_send_so_much_and_nowhere_else(
    serve: Serve, token: str
) -> None:
    served = serve(
        ASR_ALLOW_ANONYMOUS="true",
        ASR_MAX_ANONYMOUS_UPLOAD_MB="1",
        ASR_SYNC_WAIT_SECONDS="0",
        ASR_RATE_ANON="1000/m",
    )
    assert served.post_file(MIB // 2).status == 202
    for chunked in (False, True):
        refused = served.post_file(2 * MIB, chunked=chunked)
        assert (refused.status, refused.json["code"]) == (413, 2008)
        assert "1 MiB" in refused.json["message"]
    elsewhere = served.post_file(MIB // 2, path=LIST_URL)
    assert (elsewhere.status, elsewhere.json["code"]) == (413, "body_too_large_without_token")
    assert served.post_file(2 * MIB, token).status == 202


def test_over_the_wire_an_invented_address_counts_as_little_as_behind_a_proxy_of_ours(
    serve: Serve,
) -> None:
    def statuses(served: Served, *forwarded_for: str) -> list[int]:
        return [
            served.post_file(1000, headers={"X-Forwarded-For": one}).status for one in forwarded_for
        ]

    open_to_all = {"ASR_ALLOW_ANONYMOUS": "true", "ASR_SYNC_WAIT_SECONDS": "0"}
    bare = serve(**open_to_all, ASR_RATE_ANON="2/h")
    assert statuses(bare, "203.0.113.1", "203.0.113.2", "203.0.113.3") == [202, 202, 429]
    behind = serve(**open_to_all, ASR_RATE_ANON="1/h", ASR_PROXY_COUNT="1")
    spoofed = ("203.0.113.1", "192.0.2.7, 203.0.113.1", "127.0.0.1,203.0.113.1", "203.0.113.2")
    assert statuses(behind, *spoofed) == [202, 429, 429, 202]
