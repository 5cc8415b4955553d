"""Messages on their way: to real servers on the loopback, by the worker's own threads."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as project_settings
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.db.models.functions import Now
from standardwebhooks import Webhook

from tests.receivers import Receiver, Reply
from tests.served import eventually
from transcription.models import Bot, Delivery, LeasedWork, Transcription, WebhookEndpoint
from transcription.models.leases import Lease, in_seconds
from transcription.services import bots, outbox, webhooks
from transcription.work import deliver as deliver_module
from transcription.work import ticker, upkeep
from transcription.work.couriers import call_couriers
from transcription.work.deliver import MOST_TO_ONE_PLACE, deliver_next, full_ones
from transcription.work.runtime import Runtime, runtime

State, Status = LeasedWork.State, Transcription.Status


@pytest.fixture(autouse=True)
def loopback_is_allowed(settings: Any) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = ["127.0.0.0/8"]
    settings.WEBHOOK_RETRY_DELAYS_SECONDS = (5.0, 30.0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def ann(transactional_db: None) -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def here(fresh_worker: None) -> Iterator[Runtime]:
    """A chores worker; its couriers are back before the test ends."""
    yield runtime()
    assert runtime().couriers.wait(60)


@pytest.fixture
def send(here: Runtime) -> Callable[[Delivery], Delivery]:
    """Send a message as a courier does, and return its row afterwards."""

    def run(row: Delivery) -> Delivery:
        waiting = Delivery.objects.pending()
        waiting.filter(pk=row.pk).update(not_before=Now())
        waiting.exclude(pk=row.pk).update(not_before=in_seconds(3_600))
        assert deliver_next(here)
        row.refresh_from_db()
        return row

    return run


def completed(owner: User, **fields: Any) -> Transcription:
    row = Transcription.objects.create(
        **{
            "owner": owner, "title": "Talk", "status": Status.COMPLETED, "state": State.DONE,
            "step": Transcription.Step.OVER, "text": "今天天气很好。", "language": "zh",
            "duration_seconds": 61.5, **fields,
        }
    )  # fmt: skip
    outbox.announce(row)
    return row


# --- webhooks ---------------------------------------------------------------------------------


def test_a_message_arrives_signed(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    _endpoint, secret = webhooks.create_endpoint(ann, url=receiver.url("/in?token=1"))
    row = completed(ann)

    sent = send(Delivery.objects.get())

    assert (sent.state, sent.tries, sent.http_status, sent.error_code) == (State.DONE, 1, 200, "")
    assert sent.delivered_at is not None
    (got,) = receiver.received
    assert got.path == "/in?token=1"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == sent.message_id
    message = Webhook(secret).verify(got.body, dict(got.headers))
    assert message["type"] == "transcription.completed"
    assert message["data"]["id"] == str(row.pk)
    assert "text" not in message["data"]


def test_the_text_goes_along_only_where_the_endpoint_asks_for_it(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    _endpoint, secret = webhooks.create_endpoint(ann, url=receiver.url(), include_text=True)
    completed(ann)
    row = send(Delivery.objects.get())
    (got,) = receiver.received
    assert Webhook(secret).verify(got.body, dict(got.headers))["data"]["text"] == "今天天气很好。"
    assert "今天" not in str(row.payload)


def test_a_callback_is_signed_with_the_secret_of_its_user(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    secret = webhooks.rotate_callback_secret(ann)
    completed(ann, callback_url=receiver.url("/done"))
    assert send(Delivery.objects.get()).state == State.DONE
    (got,) = receiver.received
    assert got.path == "/done"
    Webhook(secret).verify(got.body, dict(got.headers))


def test_a_receiver_in_trouble_is_tried_again_under_the_same_id_until_it_takes_it(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    receiver.will(Reply(status=500), Reply(status=503), Reply(status=200))
    webhooks.create_endpoint(ann, url=receiver.url())
    completed(ann)
    row = Delivery.objects.get()

    row = send(row)
    assert (row.state, row.tries, row.attempts, row.error_code, row.http_status) == (
        State.PENDING, 1, 0, "receiver_failed", 500,
    )  # fmt: skip
    assert not Delivery.objects.claimable().exists()  # not at once
    send(row)
    assert send(row).state == State.DONE

    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1
    assert len({got.body for got in receiver.received}) == 1
    assert row.tries == 3


def test_after_the_last_pause_it_is_given_up(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    receiver.will(Reply(status=500))
    webhooks.create_endpoint(ann, url=receiver.url())
    completed(ann)
    row = Delivery.objects.get()
    for _ in range(3):
        row = send(row)
    assert (row.state, row.tries, len(receiver.received)) == (State.FAILED, 3, 3)

    # A person may try it once more.
    receiver.will(Reply(status=200))
    webhooks.replay(row)
    assert send(row).state == State.DONE
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1


def test_ten_tries_in_a_day_and_a_bit_are_the_default() -> None:
    declared = next(
        one.default
        for one in project_settings.ENV.declared
        if one.name == "ASR_WEBHOOK_RETRY_DELAYS_SECONDS"
    )
    delays = [float(word) for word in declared.split(",")]
    assert len(delays) + 1 == 10
    assert delays == sorted(delays)


def test_the_pause_that_a_receiver_asks_for_is_kept(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    receiver.will(Reply(status=429, headers={"Retry-After": "3600"}))
    webhooks.create_endpoint(ann, url=receiver.url())
    completed(ann)
    row = send(Delivery.objects.get())
    due = Delivery.objects.filter(
        pk=row.pk, not_before__gt=in_seconds(3_000), not_before__lt=in_seconds(3_700)
    )
    assert due.exists()


def test_410_switches_the_endpoint_off(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    receiver.will(Reply(status=410))
    endpoint, _ = webhooks.create_endpoint(ann, url=receiver.url())
    completed(ann)
    row = Delivery.objects.get()
    other = webhooks.send_test(endpoint)

    assert (send(row).state, row.error_code) == (State.FAILED, "receiver_gone")

    endpoint.refresh_from_db()
    assert (endpoint.enabled, endpoint.off_reason) == (False, "gone")
    other.refresh_from_db()
    assert other.state == State.CANCELLED
    completed(ann)
    assert Delivery.objects.count() == 2  # nobody is told any more


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 422])
def test_a_refusal_is_final(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery], status: int
) -> None:
    receiver.will(Reply(status=status, headers={"Location": receiver.url("/elsewhere")}))
    endpoint, _ = webhooks.create_endpoint(ann, url=receiver.url())
    row = send(webhooks.send_test(endpoint))
    assert (row.state, row.error_code, row.http_status) == (
        State.FAILED, "receiver_refused", status,
    )  # fmt: skip
    assert len(receiver.received) == 1
    endpoint.refresh_from_db()
    assert endpoint.enabled


def test_an_address_that_became_private_is_not_called(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery], settings: Any
) -> None:
    endpoint, _ = webhooks.create_endpoint(ann, url=receiver.url())
    settings.WEBHOOK_PRIVATE_HOSTS = []
    row = send(webhooks.send_test(endpoint))
    assert (row.state, row.error_code) == (State.FAILED, "address_not_allowed")
    assert receiver.received == []


def test_what_a_private_host_answers_is_not_shown(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    """Or an allowed host would be read by whoever may name it."""
    receiver.will(Reply(status=400, body=b"the secret of the neighbour"))
    endpoint, _ = webhooks.create_endpoint(ann, url=receiver.url())
    assert send(webhooks.send_test(endpoint)).answer == ""


def test_nobody_there_and_no_answer_in_time_are_tried_again(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery], settings: Any
) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 0.2
    receiver.will(Reply(first=lambda: receiver.over.wait(30)))
    endpoint, _ = webhooks.create_endpoint(ann, url=receiver.url())
    row = send(webhooks.send_test(endpoint))
    assert (row.state, row.error_code) == (State.PENDING, "receiver_timeout")

    settings.WEBHOOK_TIMEOUT_SECONDS = 10
    with Receiver() as gone:
        other, _ = webhooks.create_endpoint(ann, url=gone.url())
    Delivery.objects.all().delete()
    row = send(webhooks.send_test(other))
    assert (row.state, row.error_code) == (State.PENDING, "receiver_unreachable")


def test_a_lost_key_is_named_and_not_tried_again(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery], settings: Any
) -> None:
    endpoint, _ = webhooks.create_endpoint(ann, url=receiver.url())
    settings.SECRET_KEY = "another"
    row = send(webhooks.send_test(endpoint))
    assert (row.state, row.error_code) == (State.FAILED, "secret_unreadable")


def test_a_message_to_an_endpoint_that_is_off_by_now_is_dropped(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    endpoint, _ = webhooks.create_endpoint(ann, url=receiver.url())
    row = webhooks.send_test(endpoint)
    WebhookEndpoint.objects.update(enabled=False)  # in between, by another transaction
    assert send(row).state == State.CANCELLED
    assert receiver.received == []


def test_a_mistake_of_ours_is_tried_again_and_a_failing_database_costs_no_try(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    endpoint, _ = webhooks.create_endpoint(ann, url=receiver.url())

    def breaks(*args: Any, **kwargs: Any) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(deliver_module, "post", breaks)
    row = send(webhooks.send_test(endpoint))
    assert (row.state, row.tries, row.error_code) == (State.PENDING, 1, "internal_error")

    def database_fails(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("disk I/O error")

    monkeypatch.setattr(deliver_module, "post", database_fails)
    row = send(row)
    assert (row.state, row.tries, row.attempts) == (State.PENDING, 1, 0)


def test_a_late_outcome_is_dropped(receiver: Receiver, ann: User, here: Runtime) -> None:
    endpoint, _ = webhooks.create_endpoint(ann, url=receiver.url())
    row = webhooks.send_test(endpoint)

    def another_takes_it() -> None:
        Delivery.objects.update(lease_token=None, state=State.PENDING, not_before=in_seconds(60))
        connection.close()

    receiver.will(Reply(status=410, first=another_takes_it))
    assert deliver_next(here)
    row.refresh_from_db()
    endpoint.refresh_from_db()
    assert (row.state, row.tries, endpoint.enabled) == (State.PENDING, 0, True)


def test_no_secret_reaches_the_log(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Not even where everything is logged."""
    caplog.set_level("DEBUG")
    # As it is in service: at DEBUG the library writes whole requests.
    caplog.set_level(project_settings.LOGGING["loggers"]["httpcore2"]["level"], logger="httpcore2")
    receiver.will(Reply(status=500), Reply(status=404))
    endpoint, secret = webhooks.create_endpoint(
        ann, url=receiver.url("/path-secret?t=query-secret")
    )
    row = webhooks.send_test(endpoint)
    send(row)
    send(row)
    for word in ("path-secret", "query-secret", secret.removeprefix("whsec_"), "v1,"):
        assert word not in caplog.text
        assert word not in row.last_error
    assert f"127.0.0.1:{receiver.port}" in caplog.text


# --- bots -------------------------------------------------------------------------------------


def bot_of(kind: str, url: str, secret: str = "", **fields: Any) -> Bot:
    bot = Bot(name="group", kind=kind, **fields)
    bot.set_address(url)
    bot.set_secret(secret)
    bot.save()
    return bot


def test_a_group_reads_what_came_out(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery], settings: Any
) -> None:
    settings.PUBLIC_URL = "https://asr.example.com"
    receiver.will(Reply(body=b'{"errcode":0,"errmsg":"ok"}'))
    bot_of("wecom", receiver.url("/send?key=1"), include_excerpt=True)
    row = completed(ann, text="字" * 400)

    assert send(Delivery.objects.get()).state == State.DONE

    text = receiver.received[0].json["text"]["content"]
    assert text.splitlines() == [
        "Transcription completed: Talk",
        "1 min 2 s · zh",
        "字" * 300 + "…",
        f"https://asr.example.com/admin/transcription/transcription/{row.pk}/change/",
    ]


def test_the_text_itself_stays_here_unless_the_bot_is_to_have_it(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    receiver.will(Reply(body=b'{"StatusCode":0}'))
    bot_of("feishu", receiver.url(), "secret")
    completed(ann)
    send(Delivery.objects.get())
    message = receiver.received[0].json
    assert "天气" not in message["content"]["text"]
    assert message["sign"]


def test_an_error_number_in_an_http_200_is_a_failure_in_the_platforms_words(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    receiver.will(Reply(body=b'{"errcode":310000,"errmsg":"sign not match"}'))
    bot = bot_of("dingtalk", receiver.url("/send?access_token=1"), "SECa")
    row = send(bots.send_test(bot))
    assert (row.state, row.error_code, row.answer) == (
        State.FAILED, "robot_refused", "310000: sign not match",
    )  # fmt: skip
    assert "&sign=" in receiver.received[0].path


def test_words_that_a_database_would_not_take_are_stored_all_the_same(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    receiver.will(Reply(body=b'{"errcode":1,"errmsg":"a\\u0000b\\ud800c"}'))
    row = send(bots.send_test(bot_of("wecom", receiver.url())))
    assert (row.error_code, row.answer) == ("robot_refused", "1: ab?c")


def test_too_many_messages_for_a_group_are_sent_later(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    receiver.will(Reply(body=b'{"errcode":45009,"errmsg":"freq out of limit"}'))
    row = send(bots.send_test(bot_of("wecom", receiver.url())))
    assert (row.state, row.error_code) == (State.PENDING, "robot_refused")


def test_bots_go_through_the_same_guard(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery], settings: Any
) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = []
    row = send(bots.send_test(bot_of("wecom", receiver.url())))
    assert (row.state, row.error_code) == (State.FAILED, "address_not_allowed")


def test_apprise_sends_what_no_other_bot_can(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    """By its plain JSON plugin, in a process of its own."""
    url = receiver.url("/apprise").replace("http://", "json://")
    bot = bot_of("apprise", url)
    completed(ann)
    assert send(Delivery.objects.get()).state == State.DONE
    assert receiver.received[0].path == "/apprise"
    assert "Transcription completed: Talk" in json.loads(receiver.received[0].body)["message"]
    assert bot.shown_host == "json"


def test_what_apprise_cannot_send_is_tried_again_and_what_it_cannot_read_is_not(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery]
) -> None:
    receiver.will(Reply(status=500))
    row = send(bots.send_test(bot_of("apprise", receiver.url().replace("http://", "json://"))))
    assert (row.state, row.error_code) == (State.PENDING, "apprise_failed")
    Delivery.objects.all().delete()
    row = send(bots.send_test(bot_of("apprise", "nonsense://a-secret")))
    assert (row.state, row.error_code) == (State.FAILED, "apprise_failed")


# --- turns, threads and crashes ---------------------------------------------------------------


def test_one_slow_place_and_one_owner_never_have_all_threads() -> None:
    slow = [("slow.example", 1)] * MOST_TO_ONE_PLACE
    assert full_ones(slow, threads=8).places == {"slow.example"}
    assert full_ones(slow, threads=8).owners == frozenset()
    many = [(f"{number}.example", 1) for number in range(4)]
    assert full_ones(many, threads=8).owners == {1}
    for_all = [(f"bot {number}", None) for number in range(8)]
    assert full_ones(for_all, threads=8).owners == frozenset()
    assert full_ones([], threads=1) == full_ones([], threads=8)


def test_a_slow_receiver_holds_up_neither_the_worker_nor_the_others(
    receiver: Receiver, ann: User, here: Runtime
) -> None:
    released = threading.Event()
    with Receiver() as slow:
        slow.will(Reply(first=lambda: released.wait(60)))
        endpoint, _ = webhooks.create_endpoint(ann, url=slow.url())
        for _ in range(10):
            webhooks.send_test(endpoint)
        other, _ = webhooks.create_endpoint(User.objects.create_user("bob"), url=receiver.url())
        quick = webhooks.send_test(other)

        call_couriers(here)  # returns at once

        eventually(lambda: Delivery.objects.get(pk=quick.pk).state == State.DONE)
        assert len(slow.received) <= MOST_TO_ONE_PLACE
        released.set()
        slow.will(Reply())
        eventually(lambda: not Delivery.objects.exclude(state=State.DONE).exists())


def test_a_worker_with_nothing_to_send_has_no_courier(ann: User, here: Runtime) -> None:
    call_couriers(here)
    assert here.couriers.wait(0)


def test_messages_are_sent_at_once_in_several_threads(
    receiver: Receiver, ann: User, here: Runtime, settings: Any
) -> None:
    together = threading.Barrier(4, timeout=60)
    with Receiver() as other:
        for one, owner in ((receiver, ann), (other, User.objects.create_user("bob"))):
            one.will(Reply(first=together.wait))
            endpoint, _ = webhooks.create_endpoint(owner, url=one.url())
            for _ in range(2):
                webhooks.send_test(endpoint)
        call_couriers(here)
        assert here.couriers.wait(60)
    assert not Delivery.objects.exclude(state=State.DONE).exists()


def test_the_ticker_sends_what_has_become_due(receiver: Receiver, ann: User, here: Runtime) -> None:
    endpoint, _ = webhooks.create_endpoint(ann, url=receiver.url())
    row = webhooks.send_test(endpoint)
    ticker.tick("chores", here, 0)
    eventually(lambda: Delivery.objects.get(pk=row.pk).state == State.DONE)


def test_a_message_whose_worker_died_is_sent_again_and_given_up_in_the_end(
    receiver: Receiver, ann: User, send: Callable[[Delivery], Delivery], settings: Any
) -> None:
    settings.RETRY_DELAYS_SECONDS = (0.0,)
    endpoint, _ = webhooks.create_endpoint(ann, url=receiver.url())
    row = webhooks.send_test(endpoint)
    Delivery.objects.claim([row.pk], Lease(holder="dead", seconds=60))
    assert upkeep.release_leases("dead") == 1
    row.refresh_from_db()
    assert (row.state, row.attempts) == (State.PENDING, 1)

    Delivery.objects.claim([row.pk], Lease(holder="dead", seconds=60))
    assert upkeep.release_leases("dead") == 1
    row.refresh_from_db()
    assert (row.state, row.error_code) == (State.FAILED, "worker_crashed")
    webhooks.replay(row)
    assert send(row).state == State.DONE
