"""Webhook endpoints and messages over the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import LIST_URL, URL, caller, wav
from transcription.models import Bot, Delivery, LeasedWork, Transcription, WebhookEndpoint
from transcription.services import bots, change, webhooks

State = LeasedWork.State
ENDPOINTS = "/api/v1/webhook-endpoints/"
DELIVERIES = "/api/v1/webhook-deliveries/"
HOOK = "https://hooks.example.com/in?token=1"


def send(client: Client, method: str, url: str, data: Any = None) -> Any:
    return getattr(client, method)(url, data, content_type="application/json")


@pytest.fixture
def endpoint(ann: User) -> WebhookEndpoint:
    return webhooks.create_endpoint(ann, url=HOOK)[0]


@pytest.fixture
def stranger(db: None) -> Client:
    return caller(User.objects.create_user("bob", is_staff=True))


def test_an_endpoint_is_made_and_its_secret_shown_once(client_of_ann: Client, ann: User) -> None:
    answer = send(client_of_ann, "post", ENDPOINTS, {"url": HOOK, "description": "shop"})

    assert answer.status_code == 201
    made = answer.json()
    row = WebhookEndpoint.objects.get(owner=ann)
    assert row.secrets() == [made.pop("secret")]
    assert made == {
        "id": str(row.pk),
        "url": HOOK,
        "description": "shop",
        "events": ["transcription.completed", "transcription.failed", "transcription.cancelled"],
        "include_text": False,
        "enabled": True,
        "off_reason": None,
        "created_at": made["created_at"],
    }
    assert client_of_ann.get(ENDPOINTS).json()["results"] == [made]
    assert client_of_ann.get(f"{ENDPOINTS}{row.pk}/").json() == made


def test_the_address_works_without_its_last_slash(client_of_ann: Client) -> None:
    assert send(client_of_ann, "post", ENDPOINTS[:-1], {"url": HOOK}).status_code == 201


def test_an_endpoint_is_changed(client_of_ann: Client, endpoint: WebhookEndpoint) -> None:
    answer = send(
        client_of_ann,
        "patch",
        f"{ENDPOINTS}{endpoint.pk}/",
        {"events": ["transcription.failed"], "include_text": True, "enabled": False},
    )
    assert answer.status_code == 200, answer.json()
    shown = answer.json()
    assert (shown["events"], shown["include_text"], shown["enabled"], shown["off_reason"]) == (
        ["transcription.failed"], True, False, "by_hand",
    )  # fmt: skip
    assert shown["url"] == HOOK

    again = send(client_of_ann, "patch", f"{ENDPOINTS}{endpoint.pk}/", {"enabled": True}).json()
    assert (again["enabled"], again["off_reason"]) == (True, None)


def test_an_endpoint_is_deleted_with_its_messages(
    client_of_ann: Client, endpoint: WebhookEndpoint
) -> None:
    webhooks.send_test(endpoint)
    assert client_of_ann.delete(f"{ENDPOINTS}{endpoint.pk}/").status_code == 204
    assert not WebhookEndpoint.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"url": "http://127.0.0.1/"}, "address_not_allowed"),
        ({"url": "https://user:word@example.com/"}, "address_not_allowed"),
        ({"url": ""}, "invalid"),
        ({}, "invalid"),
        ({"url": HOOK, "events": ["nonsense"]}, "invalid"),
        ({"url": HOOK, "events": []}, "invalid"),
        ({"url": HOOK, "description": "x" * 300}, "invalid"),
    ],
)
def test_a_wrong_field_is_refused_in_words(
    client_of_ann: Client, fields: dict[str, Any], code: str
) -> None:
    answer = send(client_of_ann, "post", ENDPOINTS, fields)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["message"]
    assert not WebhookEndpoint.objects.exists()


def test_a_private_address_is_refused_on_a_change_too(
    client_of_ann: Client, endpoint: WebhookEndpoint
) -> None:
    answer = send(
        client_of_ann, "patch", f"{ENDPOINTS}{endpoint.pk}/", {"url": "http://169.254.169.254/"}
    )
    assert answer.json()["code"] == "address_not_allowed"
    endpoint.refresh_from_db()
    assert endpoint.url == HOOK


def test_nobody_has_too_many(client_of_ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MAX_ENDPOINTS", 1)
    send(client_of_ann, "post", ENDPOINTS, {"url": HOOK})
    answer = send(client_of_ann, "post", ENDPOINTS, {"url": HOOK})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_endpoints")


def test_a_secret_is_changed(client_of_ann: Client, endpoint: WebhookEndpoint) -> None:
    (old,) = endpoint.secrets()
    new = send(client_of_ann, "post", f"{ENDPOINTS}{endpoint.pk}/rotate-secret/").json()["secret"]
    endpoint.refresh_from_db()
    assert endpoint.secrets() == [new, old]


def test_the_secret_of_callbacks_is_made_by_asking_for_it(client_of_ann: Client, ann: User) -> None:
    answer = send(client_of_ann, "post", f"{ENDPOINTS}callback-secret/")
    assert webhooks.callback_secrets(ann.pk) == [answer.json()["secret"]]


def test_a_test_is_sent_and_its_fate_can_be_asked_for(
    client_of_ann: Client, endpoint: WebhookEndpoint
) -> None:
    answer = send(client_of_ann, "post", f"{ENDPOINTS}{endpoint.pk}/test/")
    assert answer.status_code == 202
    row = Delivery.objects.get()
    shown = client_of_ann.get(f"{DELIVERIES}{row.pk}/").json()
    assert shown == answer.json()
    assert (shown["status"], shown["event"], shown["message_id"]) == (
        "waiting", "webhook.test", row.message_id,
    )  # fmt: skip
    assert shown["next_try_at"] is not None

    Delivery.objects.update(
        state=State.FAILED, tries=1, http_status=404, error_code="receiver_refused", answer="no"
    )
    shown = client_of_ann.get(f"{DELIVERIES}{row.pk}/").json()
    assert (shown["status"], shown["next_try_at"], shown["answer"]) == ("failed", None, "no")
    assert shown["error"]["code"] == "receiver_refused"
    assert "404" in shown["error"]["message"]


def test_an_endpoint_that_is_off_is_not_tested(
    client_of_ann: Client, endpoint: WebhookEndpoint
) -> None:
    webhooks.switch_off(endpoint)
    answer = send(client_of_ann, "post", f"{ENDPOINTS}{endpoint.pk}/test/")
    assert (answer.status_code, answer.json()["code"]) == (409, "endpoint_off")


def test_a_message_is_replayed_once_it_is_over(
    client_of_ann: Client, endpoint: WebhookEndpoint
) -> None:
    row = webhooks.send_test(endpoint)
    url = f"{DELIVERIES}{row.pk}/replay/"
    early = send(client_of_ann, "post", url)
    assert (early.status_code, early.json()["code"]) == (409, "delivery_under_way")

    Delivery.objects.update(state=State.DONE, tries=1)
    answer = send(client_of_ann, "post", url)
    assert (answer.status_code, answer.json()["status"]) == (202, "waiting")
    assert answer.json()["message_id"] == row.message_id


def test_messages_are_narrowed_by_endpoint_transcription_and_status(
    client_of_ann: Client, endpoint: WebhookEndpoint, ann: User
) -> None:
    other, _ = webhooks.create_endpoint(ann, url=HOOK)
    row = Transcription.objects.create(owner=ann)
    change.cancel(row)
    webhooks.send_test(other)
    first = Delivery.objects.get(endpoint=endpoint)
    Delivery.objects.filter(pk=first.pk).update(state=State.DONE)

    def ids(query: str) -> list[str]:
        found = client_of_ann.get(f"{DELIVERIES}?{query}").json()["results"]
        return [one["id"] for one in found]

    assert len(ids("")) == 3
    assert ids(f"endpoint={endpoint.pk}") == [str(first.pk)]
    assert len(ids(f"transcription={row.pk}")) == 2
    assert ids("status=delivered") == [str(first.pk)]
    assert client_of_ann.get(f"{DELIVERIES}?status=nonsense").status_code == 400


def test_a_stranger_sees_nothing_not_even_as_staff(
    stranger: Client, endpoint: WebhookEndpoint
) -> None:
    """Whoever could change another's endpoint would be sent that one's texts."""
    row = webhooks.send_test(endpoint)
    assert stranger.get(ENDPOINTS).json()["results"] == []
    assert stranger.get(DELIVERIES).json()["results"] == []
    one = f"{ENDPOINTS}{endpoint.pk}/"
    answers = [
        stranger.get(one),
        send(stranger, "patch", one, {"url": HOOK}),
        stranger.delete(one),
        send(stranger, "post", f"{one}test/"),
        send(stranger, "post", f"{one}rotate-secret/"),
        stranger.get(f"{DELIVERIES}{row.pk}/"),
        send(stranger, "post", f"{DELIVERIES}{row.pk}/replay/"),
    ]
    assert {answer.status_code for answer in answers} == {404}


def test_what_bots_were_told_is_for_staff_in_the_admin(client_of_ann: Client, ann: User) -> None:
    bot = Bot(name="group", kind=Bot.Kind.WECOM, owner=ann)
    bot.set_address(HOOK)
    bot.save()
    row = bots.send_test(bot)
    assert client_of_ann.get(DELIVERIES).json()["results"] == []
    assert client_of_ann.get(f"{DELIVERIES}{row.pk}/").status_code == 404


@pytest.mark.parametrize("scope", ["read", "transcribe"])
def test_a_token_of_less_than_the_full_scope_changes_no_endpoint(
    ann: User, endpoint: WebhookEndpoint, scope: str
) -> None:
    client = caller(ann, scope=scope)
    one = f"{ENDPOINTS}{endpoint.pk}/"
    answers = [
        send(client, "post", ENDPOINTS, {"url": HOOK}),
        send(client, "patch", one, {"url": HOOK}),
        client.delete(one),
        send(client, "post", f"{one}rotate-secret/"),
        send(client, "post", f"{ENDPOINTS}callback-secret/"),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert client.get(one).status_code == 200


def test_a_list_costs_the_same_however_long_it_is(
    client_of_ann: Client, endpoint: WebhookEndpoint, django_assert_num_queries: Any
) -> None:
    for _ in range(5):
        webhooks.send_test(endpoint)
    client_of_ann.get(DELIVERIES)
    with django_assert_num_queries(2):  # the token, the page
        client_of_ann.get(DELIVERIES)
    with django_assert_num_queries(2):
        client_of_ann.get(ENDPOINTS)


# --- callback_url -----------------------------------------------------------------------------


def test_a_recording_is_posted_with_a_callback(client_of_ann: Client, data_dir: Path) -> None:
    answer = client_of_ann.post(LIST_URL, {"file": wav(), "callback_url": HOOK})
    assert answer.status_code == 202
    row = Transcription.objects.get()
    assert row.callback_url == HOOK
    change.cancel(row)
    assert Delivery.objects.get().callback_url == HOOK


def test_the_transcribe_route_takes_a_callback_too(client_of_ann: Client, at_once: None) -> None:
    answer = client_of_ann.post(URL, {"file": wav(), "callback_url": HOOK})
    assert answer.status_code == 202
    assert Transcription.objects.get().callback_url == HOOK


def test_a_callback_to_a_private_host_is_refused_before_anything_is_stored(
    client_of_ann: Client, data_dir: Path, at_once: None
) -> None:
    fields = {"file": wav(), "callback_url": "http://[::1]/"}
    answer = client_of_ann.post(LIST_URL, fields)
    assert (answer.status_code, answer.json()["code"]) == (400, "address_not_allowed")
    answer = client_of_ann.post(URL, {**fields, "file": wav()})
    assert (answer.status_code, answer.json()["code"]) == (400, 8001)
    assert not Transcription.objects.exists()
