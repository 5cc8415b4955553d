"""Whoever is to be told of a transcription's end is told exactly then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from transcription.models import (
    Bot,
    Chunk,
    Delivery,
    Event,
    LeasedWork,
    SpeechModel,
    Transcription,
    WebhookEndpoint,
)
from transcription.models.leases import Lease
from transcription.services import change, outbox, webhooks
from transcription.services.errors import ServiceError
from transcription.work import upkeep
from transcription.work.tasks import look_for_chores

State, Status = LeasedWork.State, Transcription.Status
URL = "https://hooks.example.com/in"


@pytest.fixture
def ann(transactional_db: None) -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outbox is filled and nobody empties it."""
    monkeypatch.setattr("transcription.work.tasks.call_couriers", lambda runtime: None)


@pytest.fixture
def endpoint(ann: User, nothing_is_sent: None) -> WebhookEndpoint:
    return webhooks.create_endpoint(ann, url=URL)[0]


def told() -> list[tuple[str, str]]:
    return sorted(Delivery.objects.values_list("event", "kind"))


def test_a_completed_transcription_is_told_to_endpoints_callbacks_and_bots(
    endpoint: WebhookEndpoint, ann: User, fake_model: SpeechModel, data_dir: Path,
    post: Callable[..., Transcription], speech: bytes, work: Callable[[], None],
) -> None:  # fmt: skip
    for owner in (None, ann, User.objects.create_user("bob")):
        bot = Bot(name="group", kind=Bot.Kind.WECOM, owner=owner)
        bot.set_address(URL)
        bot.save()
    row = post(speech, ann, callback_url="https://caller.example/done?token=1", title="Talk")
    assert told() == []

    work()

    row.refresh_from_db()
    assert row.status == Status.COMPLETED
    event = "transcription.completed"
    assert told() == [(event, "bot"), (event, "bot"), (event, "callback"), (event, "webhook")]
    payload = Delivery.objects.get(kind="webhook").payload
    assert payload["type"] == event
    assert payload["data"] == {
        "id": str(row.pk),
        "status": "completed",
        "title": "Talk",
        "language": row.language,
        "duration_seconds": row.duration_seconds,
        "model": "fake",
        "warnings": row.warnings,
        "error": None,
        "url": f"/api/v1/transcriptions/{row.pk}/",
    }
    assert row.text
    assert row.text not in str(payload)
    assert {one.destination for one in Delivery.objects.exclude(kind="bot")} == {
        "hooks.example.com",
        "caller.example",
    }


def test_a_bad_file_is_told_as_failed_with_its_reason(
    endpoint: WebhookEndpoint, ann: User, fake_model: SpeechModel, data_dir: Path,
    post: Callable[..., Transcription], work: Callable[[], None],
) -> None:  # fmt: skip
    post(b"no audio at all", ann)
    work()
    (row,) = Delivery.objects.all()
    assert row.event == "transcription.failed"
    assert row.payload["data"]["status"] == "failed"
    assert row.payload["data"]["error"]["code"] == "not_audio"


def test_a_cancelled_one_is_told_once_though_its_text_is_joined_later(
    endpoint: WebhookEndpoint, ann: User, fake_model: SpeechModel, data_dir: Path,
    post: Callable[..., Transcription], speech: bytes, work: Callable[[], None],
) -> None:  # fmt: skip
    row = post(speech, ann)
    change.cancel(row)
    work()
    assert told() == [("transcription.cancelled", "webhook")]


def test_a_recording_that_kills_workers_is_told_as_failed(
    endpoint: WebhookEndpoint, ann: User, data_dir: Path,
    post: Callable[..., Transcription], speech: bytes, settings: Any,
) -> None:  # fmt: skip
    settings.RETRY_DELAYS_SECONDS = (0.0,)
    row = post(speech, ann)
    for _ in range(2):
        Transcription.objects.claim([row.pk], Lease(holder="dead", seconds=60))
        upkeep.release_leases("dead")
    assert told() == [("transcription.failed", "webhook")]


def test_one_of_which_every_chunk_failed_is_told_as_failed(
    endpoint: WebhookEndpoint, ann: User, fake_model: SpeechModel, data_dir: Path,
    post: Callable[..., Transcription], speech: bytes, fresh_worker: None,
) -> None:  # fmt: skip
    row = post(speech, ann)
    look_for_chores()
    Chunk.objects.update(state=State.FAILED)
    Transcription.objects.update(step=Transcription.Step.FINISH, state=State.PENDING)
    look_for_chores()
    row.refresh_from_db()
    assert row.status == Status.FAILED
    assert told() == [("transcription.failed", "webhook")]


def test_nobody_is_told_if_the_end_is_undone(
    endpoint: WebhookEndpoint, ann: User, data_dir: Path,
    post: Callable[..., Transcription], speech: bytes,
) -> None:  # fmt: skip
    row = post(speech, ann)

    class PowerCut(Exception):
        pass

    def cancel_and_lose_power() -> None:
        with transaction.atomic():
            change.cancel(row)
            raise PowerCut

    with pytest.raises(PowerCut):
        cancel_and_lose_power()
    row.refresh_from_db()
    assert row.status == Status.QUEUED
    assert told() == []


def test_only_the_owners_endpoints_that_want_the_event_and_are_on_are_told(
    endpoint: WebhookEndpoint, ann: User, data_dir: Path,
    post: Callable[..., Transcription], speech: bytes,
) -> None:  # fmt: skip
    webhooks.create_endpoint(ann, url=URL, events=[Event.COMPLETED, Event.FAILED])
    off, _ = webhooks.create_endpoint(ann, url=URL)
    webhooks.switch_off(off)
    webhooks.create_endpoint(User.objects.create_user("bob"), url=URL)

    change.cancel(post(speech, ann))

    assert [one.endpoint for one in Delivery.objects.all()] == [endpoint]


def test_where_nobody_is_to_be_told_it_costs_two_questions(
    ann: User, data_dir: Path, post: Callable[..., Transcription], speech: bytes,
    django_assert_num_queries: Any,
) -> None:  # fmt: skip
    row = post(speech, ann)
    with django_assert_num_queries(2):
        assert outbox.announce(row) == 0


def test_links_are_whole_where_the_service_knows_its_address(
    endpoint: WebhookEndpoint, ann: User, data_dir: Path,
    post: Callable[..., Transcription], speech: bytes, settings: Any,
) -> None:  # fmt: skip
    settings.PUBLIC_URL = "https://asr.example.com"
    row = post(speech, ann)
    change.cancel(row)
    assert Delivery.objects.get().payload["data"]["url"] == (
        f"https://asr.example.com/api/v1/transcriptions/{row.pk}/"
    )


def test_a_callback_address_is_judged_when_the_recording_comes(
    ann: User, data_dir: Path, post: Callable[..., Transcription], speech: bytes
) -> None:
    with pytest.raises(ServiceError) as caught:
        post(speech, ann, callback_url="http://127.0.0.1/")
    assert caught.value.code == "address_not_allowed"
    with pytest.raises(ServiceError) as caught:
        post(speech, None, callback_url="https://caller.example/")
    assert caught.value.code == "authentication_required"
    assert not Transcription.objects.exists()


def test_messages_are_forgotten_after_their_days(endpoint: WebhookEndpoint, settings: Any) -> None:
    _old, waiting, recent = (webhooks.send_test(endpoint) for _ in range(3))
    Delivery.objects.exclude(pk=waiting.pk).update(state=State.DONE)
    long_ago = timezone.now() - timedelta(days=settings.WEBHOOK_KEPT_DAYS + 1)
    Delivery.objects.exclude(pk=recent.pk).update(created_at=long_ago)

    assert upkeep.forget_old_messages() == 1

    assert set(Delivery.objects.values_list("pk", flat=True)) == {waiting.pk, recent.pk}
