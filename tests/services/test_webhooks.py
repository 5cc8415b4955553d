"""Webhook endpoints: what can be asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from transcription.models import Bot, CallbackSecret, Delivery, LeasedWork, WebhookEndpoint
from transcription.models.leases import Lease
from transcription.models.sealed import Unreadable, seal, unseal
from transcription.services import bots, outbox, webhooks
from transcription.services.errors import ServiceError

State = LeasedWork.State
URL = "https://hooks.example.com/in"


@pytest.fixture
def endpoint(ann: User) -> WebhookEndpoint:
    return webhooks.create_endpoint(ann, url=URL)[0]


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(ServiceError) as caught:
        yield
    assert caught.value.code == code


def test_a_secret_is_known_when_it_is_made_and_not_stored_as_it_is(ann: User) -> None:
    row, secret = webhooks.create_endpoint(ann, url=URL)
    assert secret.startswith("whsec_")
    stored = WebhookEndpoint.objects.values().get(pk=row.pk)
    assert secret not in str(stored)
    assert WebhookEndpoint.objects.get(pk=row.pk).secrets() == [secret]


def test_after_a_change_the_old_secret_signs_for_a_day(ann: User) -> None:
    row, old = webhooks.create_endpoint(ann, url=URL)
    new = webhooks.rotate_secret(row)
    row.refresh_from_db()
    assert row.secrets() == [new, old]
    row.former_until = timezone.now() - timedelta(seconds=1)
    assert row.secrets() == [new]


def test_a_secret_sealed_under_a_lost_key_is_named_as_such(settings: Any) -> None:
    sealed = seal("secret")
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another"
    with pytest.raises(Unreadable):
        unseal(sealed)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert unseal(sealed) == "secret"


def test_a_new_secret_can_be_made_where_the_old_one_is_lost(ann: User, settings: Any) -> None:
    row, _ = webhooks.create_endpoint(ann, url=URL)
    settings.SECRET_KEY = "another"
    new = webhooks.rotate_secret(row)
    row.refresh_from_db()
    assert row.secrets() == [new]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "ftp://example.com", "https://a:b@example.com/", "nonsense"]
)
def test_an_address_that_is_never_called_is_refused_at_once(ann: User, url: str) -> None:
    with refused("address_not_allowed"):
        webhooks.create_endpoint(ann, url=url)
    assert not WebhookEndpoint.objects.exists()


def test_the_words_of_a_refusal_say_what_to_do(ann: User) -> None:
    with pytest.raises(ServiceError, match="ASR_WEBHOOK_PRIVATE_HOSTS"):
        webhooks.create_endpoint(ann, url="http://10.0.0.1/secret")
    with pytest.raises(ServiceError, match="port 25"):
        webhooks.create_endpoint(ann, url="http://example.com:25/")


def test_every_reason_of_a_refusal_has_words() -> None:
    assert set(webhooks.REASONS) == {"form", "scheme", "credentials", "port", "private"}


def test_a_private_host_may_be_named_once_the_operator_allows_it(ann: User, settings: Any) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = ["127.0.0.1"]
    webhooks.create_endpoint(ann, url="http://127.0.0.1:8080/")


def test_a_user_has_no_more_endpoints_than_he_may(ann: User, endpoint: WebhookEndpoint) -> None:
    for _ in range(webhooks.MAX_ENDPOINTS - 1):
        webhooks.create_endpoint(ann, url=URL)
    with refused("too_many_endpoints"):
        webhooks.create_endpoint(ann, url=URL)
    webhooks.create_endpoint(User.objects.create_user("bob"), url=URL)


@pytest.mark.parametrize("events", [[], ["transcription.finished"]])
def test_unknown_events_and_none_are_refused(ann: User, events: list[str]) -> None:
    with refused("invalid"):
        webhooks.create_endpoint(ann, url=URL, events=events)


def test_switching_off_drops_what_waits_and_what_is_being_sent(endpoint: WebhookEndpoint) -> None:
    sending, waiting = webhooks.send_test(endpoint), webhooks.send_test(endpoint)
    (claimed,) = Delivery.objects.claim([sending.pk], Lease(holder="one", seconds=60))

    assert webhooks.switch_off(endpoint)
    assert not webhooks.switch_off(endpoint)

    assert not claimed.finish()  # too late
    for row in (sending, waiting):
        row.refresh_from_db()
        assert row.state == State.CANCELLED
    endpoint.refresh_from_db()
    assert (endpoint.enabled, endpoint.off_reason) == (False, "by_hand")
    with refused("endpoint_off"):
        webhooks.send_test(endpoint)
    with refused("endpoint_off"):
        webhooks.replay(waiting)

    webhooks.change_endpoint(endpoint, enabled=True)
    assert (endpoint.enabled, endpoint.off_reason) == (True, "")


def test_the_test_button_floods_nobody(ann: User, endpoint: WebhookEndpoint) -> None:
    other, _ = webhooks.create_endpoint(ann, url=URL)
    for _ in range(outbox.MAX_WAITING_TESTS):
        webhooks.send_test(endpoint)
    with refused("too_many_tests"):
        webhooks.send_test(endpoint)
    webhooks.send_test(other)
    Delivery.objects.update(state=State.DONE)
    webhooks.send_test(endpoint)


def test_a_message_is_replayed_as_if_it_were_new_but_under_its_id(
    endpoint: WebhookEndpoint,
) -> None:
    row = webhooks.send_test(endpoint)
    with refused("delivery_under_way"):
        webhooks.replay(row)
    Delivery.objects.update(state=State.FAILED, tries=10, error_code="receiver_failed")
    row.refresh_from_db()
    before = row.message_id

    webhooks.replay(row)

    assert (row.state, row.tries, row.error_code, row.message_id) == ("pending", 0, "", before)
    assert list(Delivery.objects.claimable()) == [row]


def test_callbacks_have_a_secret_of_their_users(ann: User) -> None:
    (first,) = webhooks.callback_secrets(ann.pk)
    assert webhooks.callback_secrets(ann.pk) == [first]
    new = webhooks.rotate_callback_secret(ann)
    assert webhooks.callback_secrets(ann.pk) == [new, first]
    assert CallbackSecret.objects.count() == 1


def test_a_bots_address_and_secret_are_sealed_and_only_its_host_is_shown(db: None) -> None:
    bot = Bot(name="group", kind=Bot.Kind.DINGTALK)
    bot.set_address("https://oapi.dingtalk.com/robot/send?access_token=t0ken")
    bot.set_secret("SECs3cret")
    bot.save()
    stored = str(Bot.objects.values().get())
    assert "t0ken" not in stored
    assert "s3cret" not in stored
    assert bot.shown_host == "oapi.dingtalk.com"
    assert (bot.address().rpartition("=")[2], bot.secret()) == ("t0ken", "SECs3cret")


def test_a_bot_that_is_off_is_not_tested(db: None) -> None:
    bot = Bot(name="group", kind=Bot.Kind.WECOM, enabled=False)
    bot.set_address(URL)
    bot.save()
    with refused("endpoint_off"):
        bots.send_test(bot)
