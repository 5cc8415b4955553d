"""Webhook endpoints, messages and bots in the admin."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from transcription.models import Bot, Delivery, LeasedWork, WebhookEndpoint
from transcription.services import bots, webhooks

State = LeasedWork.State
ENDPOINTS = "/admin/transcription/webhookendpoint/"
DELIVERIES = "/admin/transcription/delivery/"
BOTS = "/admin/transcription/bot/"
HOOK = "https://hooks.example.com/in?token=url-secret"
ROBOT = "https://oapi.dingtalk.com/robot/send?access_token=robot-token"


def act(browser: Client, url: str, action: str, *rows: Any) -> str:
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return browser.post(url, data, follow=True).content.decode()


def errors_of(page: str) -> str:
    return " ".join(re.findall(r'<ul class="errorlist[^"]*"[^>]*>(.*?)</ul>', page, re.DOTALL))


# --- endpoints --------------------------------------------------------------------------------


def add_endpoint(browser: Client, owner: User, **changes: Any) -> str:
    data = {
        "owner": owner.pk, "url": HOOK, "description": "shop",
        "events": ["transcription.completed"], **changes,
    }  # fmt: skip
    return browser.post(f"{ENDPOINTS}add/", data, follow=True).content.decode()


def test_an_endpoint_is_made_and_its_secret_shown_once(staff: Client, root: User) -> None:
    page = add_endpoint(staff, root, include_text="on")

    shown = re.search(r"<code>(whsec_[^<]+)</code>", page)
    assert shown is not None
    row = WebhookEndpoint.objects.get()
    assert row.secrets() == [shown[1]]
    assert (row.url, row.events, row.include_text) == (HOOK, ["transcription.completed"], True)
    for url in (ENDPOINTS, f"{ENDPOINTS}{row.pk}/change/"):
        assert shown[1] not in staff.get(url).content.decode()
    assert "url-secret" not in staff.get(ENDPOINTS).content.decode()


def test_a_private_address_is_refused_by_the_form(staff: Client, root: User) -> None:
    page = add_endpoint(staff, root, url="http://10.0.0.1/")
    assert "ASR_WEBHOOK_PRIVATE_HOSTS" in errors_of(page)
    assert not WebhookEndpoint.objects.exists()


def test_one_too_many_is_refused_by_the_form(
    staff: Client, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MAX_ENDPOINTS", 0)
    assert "which is the most" in errors_of(add_endpoint(staff, root))


def test_an_endpoint_is_changed_and_keeps_its_secret(staff: Client, root: User) -> None:
    row, secret = webhooks.create_endpoint(root, url=HOOK)
    staff.post(
        f"{ENDPOINTS}{row.pk}/change/",
        {"url": "https://other.example/", "events": ["transcription.failed"], "description": ""},
    )
    row.refresh_from_db()
    assert (row.url, row.events, row.secrets()) == (
        "https://other.example/", ["transcription.failed"], [secret],
    )  # fmt: skip


def test_endpoints_are_tested_changed_and_switched_by_actions(staff: Client, root: User) -> None:
    row, old = webhooks.create_endpoint(root, url=HOOK, description="shop")

    assert "1 test message was entered" in act(staff, ENDPOINTS, "test", row)
    assert Delivery.objects.get().event == "webhook.test"

    shown = re.search(r"<code>(whsec_[^<]+)</code>", act(staff, ENDPOINTS, "rotate_secret", row))
    row.refresh_from_db()
    assert shown is not None
    assert row.secrets() == [shown[1], old]

    assert "1 endpoint is off." in act(staff, ENDPOINTS, "switch_off", row)
    assert Delivery.objects.get().state == State.CANCELLED
    assert "This receiver is switched off." in act(staff, ENDPOINTS, "test", row)
    assert "1 endpoint is on." in act(staff, ENDPOINTS, "switch_on", row)


def test_an_endpoint_is_deleted_with_its_messages(staff: Client, root: User) -> None:
    row, _ = webhooks.create_endpoint(root, url=HOOK)
    webhooks.send_test(row)
    staff.post(f"{ENDPOINTS}{row.pk}/delete/", {"post": "yes"})
    assert not WebhookEndpoint.objects.exists()
    assert not Delivery.objects.exists()


def test_staff_who_are_no_superusers_have_their_own_only(root: User) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__endswith="_webhookendpoint"))
    browser = Client()
    browser.force_login(clerk)
    row, _ = webhooks.create_endpoint(root, url=HOOK, description="of the superuser")

    assert "of the superuser" not in browser.get(ENDPOINTS).content.decode()
    assert browser.get(f"{ENDPOINTS}{row.pk}/change/").status_code == 302
    assert "Select a valid choice" in errors_of(add_endpoint(browser, root))
    add_endpoint(browser, clerk)
    assert WebhookEndpoint.objects.filter(owner=clerk).count() == 1


# --- messages ---------------------------------------------------------------------------------


def test_messages_are_looked_at_and_sent_again(staff: Client, root: User) -> None:
    row, _ = webhooks.create_endpoint(root, url=HOOK)
    sent = webhooks.send_test(row)
    Delivery.objects.update(
        state=State.FAILED, error_code="receiver_refused", http_status=404, tries=1
    )
    for url in (DELIVERIES, f"{DELIVERIES}{sent.pk}/change/"):
        page = staff.get(url).content.decode()
        assert "refused the message with status 404" in page
        assert "url-secret" not in page
    assert staff.get(f"{DELIVERIES}add/").status_code == 403

    assert "1 message is sent again." in act(staff, DELIVERIES, "replay", sent)

    sent.refresh_from_db()
    assert sent.state == State.PENDING
    assert "still on its way" in act(staff, DELIVERIES, "replay", sent)


def test_who_may_only_look_at_messages_sends_none_again(root: User) -> None:
    row, _ = webhooks.create_endpoint(root, url=HOOK)
    sent = webhooks.send_test(row)
    Delivery.objects.update(state=State.DONE)
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_delivery"))
    browser = Client()
    browser.force_login(clerk)
    assert browser.get(DELIVERIES).status_code == 200
    act(browser, DELIVERIES, "replay", sent)
    sent.refresh_from_db()
    assert sent.state == State.DONE


# --- bots -------------------------------------------------------------------------------------


def bot_data(**changes: Any) -> dict[str, Any]:
    return {
        "name": "group", "kind": "dingtalk", "address": ROBOT, "secret": "SECret-of-it",
        "owner": "",
        "events": ["transcription.completed"], "enabled": "on", **changes,
    }  # fmt: skip


def test_a_bots_address_and_secret_are_taken_and_never_shown_again(staff: Client) -> None:
    staff.post(f"{BOTS}add/", bot_data())

    bot = Bot.objects.get()
    assert (bot.address(), bot.secret()) == (ROBOT, "SECret-of-it")
    for url in (BOTS, f"{BOTS}{bot.pk}/change/", f"{BOTS}{bot.pk}/history/"):
        page = staff.get(url).content.decode()
        assert "robot-token" not in page
        assert "SECret-of-it" not in page
    assert "oapi.dingtalk.com" in staff.get(BOTS).content.decode()


def test_what_is_refused_is_not_shown_again_either(staff: Client) -> None:
    page = staff.post(f"{BOTS}add/", bot_data(name="")).content.decode()
    assert "This field is required." in errors_of(page)
    assert "robot-token" not in page
    assert "SECret-of-it" not in page


def test_fields_left_empty_keep_what_was_there(staff: Client) -> None:
    staff.post(f"{BOTS}add/", bot_data())
    bot = Bot.objects.get()
    url = f"{BOTS}{bot.pk}/change/"

    staff.post(url, bot_data(name="other", address="", secret=""))
    bot.refresh_from_db()
    assert (bot.name, bot.address(), bot.secret()) == ("other", ROBOT, "SECret-of-it")

    staff.post(url, bot_data(address="", secret="", forget_secret="on"))
    bot.refresh_from_db()
    assert (bot.address(), bot.secret()) == (ROBOT, "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"address": ""}, "Enter the address."),
        ({"address": "http://127.0.0.1/robot-token"}, "ASR_WEBHOOK_PRIVATE_HOSTS"),
        ({"kind": "wecom"}, "Robots of this kind do not sign."),
        ({"events": []}, "This field is required."),
    ],
)
def test_a_wrong_bot_is_refused_in_words(
    staff: Client, changes: dict[str, Any], words: str
) -> None:
    page = staff.post(f"{BOTS}add/", bot_data(**changes)).content.decode()
    assert words in errors_of(page)
    assert not Bot.objects.exists()


def test_another_kind_needs_another_address(staff: Client) -> None:
    staff.post(f"{BOTS}add/", bot_data())
    bot = Bot.objects.get()
    page = staff.post(
        f"{BOTS}{bot.pk}/change/", bot_data(kind="wecom", address="", secret="")
    ).content.decode()
    assert "Enter the address." in errors_of(page)


def test_an_apprise_address_is_taken_as_it_is_and_the_page_says_what_that_means(
    staff: Client,
) -> None:
    staff.post(f"{BOTS}add/", bot_data(kind="apprise", address="json://127.0.0.1/", secret=""))
    bot = Bot.objects.get()
    assert (bot.address(), bot.shown_host) == ("json://127.0.0.1/", "json")
    page = staff.get(f"{BOTS}add/").content.decode()
    assert "the guard that webhooks go through does not see them" in page


def test_bots_are_tested_and_deleted(staff: Client) -> None:
    staff.post(f"{BOTS}add/", bot_data())
    bot = Bot.objects.get()
    assert "1 test message was entered" in act(staff, BOTS, "test", bot)
    assert Delivery.objects.get().bot == bot
    bots.send_test(bot)
    staff.post(f"{BOTS}{bot.pk}/delete/", {"post": "yes"})
    assert not Bot.objects.exists()
