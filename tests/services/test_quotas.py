"""How much a user may have."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.api.conftest import LIST_URL, URL, caller, wav
from transcription.models import DayUsage, Transcription, UserLimits
from transcription.services import change, quotas
from transcription.services.errors import ERRORS, ServiceError

Status = Transcription.Status


@pytest.fixture(autouse=True)
def nobody_has_called_yet() -> None:
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def client_of_ann(ann: User) -> Client:
    return caller(ann)


def row_of(owner: User | None, **facts: Any) -> Transcription:
    return Transcription.objects.create(**{"owner": owner, "status": Status.COMPLETED, **facts})


def refusal(owner: User | None, coming_bytes: int = 1) -> str:
    try:
        quotas.check(owner, coming_bytes=coming_bytes)
    except ServiceError as error:
        return error.code
    return ""


def test_nothing_is_limited_as_the_settings_come(ann: User, django_assert_num_queries: Any) -> None:
    row_of(ann, status=Status.QUEUED, size_bytes=2**40, audio="a", duration_seconds=1e6)
    with django_assert_num_queries(1):
        assert refusal(ann) == ""


def test_a_recording_is_not_started_again_past_the_limit_and_stays_as_it_is(
    ann: User, settings: Any
) -> None:
    settings.QUOTA_UNFINISHED_JOBS = 1
    failed = row_of(ann, status=Status.FAILED)
    failed.audio.save("talk.wav", ContentFile(b"sound"))
    waiting = row_of(ann, status=Status.QUEUED)
    with pytest.raises(ServiceError, match="1 recordings of yours are waiting") as refused:
        change.retry(failed)
    assert refused.value.code == "too_many_jobs"
    failed.refresh_from_db()
    assert failed.status == Status.FAILED

    waiting.delete()
    change.retry(failed)
    assert failed.status == Status.QUEUED


@pytest.mark.parametrize("status", [Status.QUEUED, Status.PROCESSING])
def test_only_so_many_jobs_may_be_unfinished(ann: User, settings: Any, status: str) -> None:
    settings.QUOTA_UNFINISHED_JOBS = 2
    for over in (Status.COMPLETED, Status.FAILED, Status.CANCELLED):
        row_of(ann, status=over)
    row_of(User.objects.create_user("bob"), status=status)
    row_of(ann, status=status)
    assert refusal(ann) == ""
    row_of(ann, status=status)
    assert refusal(ann) == "too_many_jobs"


def test_stored_recordings_have_a_size_together(ann: User, settings: Any) -> None:
    settings.QUOTA_STORED_BYTES = 100
    row_of(ann, audio="audio/1.wav", size_bytes=60)
    row_of(ann, audio="", size_bytes=1000)  # its audio is gone already
    assert refusal(ann, 40) == ""
    assert refusal(ann, 41) == "storage_quota_used"


def test_a_day_has_so_many_minutes(ann: User, settings: Any) -> None:
    settings.QUOTA_AUDIO_MINUTES_PER_DAY = 2
    yesterday = row_of(ann, duration_seconds=1000.0)
    Transcription.objects.filter(pk=yesterday.pk).update(
        created_at=timezone.now() - timedelta(days=1)
    )
    row_of(ann, duration_seconds=60.0)
    row_of(ann, expected_seconds=59.0)  # is being decoded
    assert refusal(ann) == ""
    row_of(ann, size_bytes=quotas.PCM_BYTES_PER_SECOND, content_type="audio/wav")  # waits
    assert refusal(ann) == "daily_quota_used"


def test_what_is_deleted_still_counts_for_its_day(ann: User, settings: Any) -> None:
    settings.QUOTA_AUDIO_MINUTES_PER_DAY = 1
    for _ in range(2):
        row = row_of(ann, duration_seconds=30.0)
        quotas.note_deleted(row)
        row.delete()
    assert refusal(ann) == "daily_quota_used"
    assert DayUsage.objects.get().deleted_seconds == 60.0

    assert quotas.forget_past_days() == 0
    DayUsage.objects.update(day=timezone.localdate() - timedelta(days=2))
    assert refusal(ann) == ""
    assert quotas.forget_past_days() == 1


@pytest.mark.parametrize(
    ("size_bytes", "content_type", "seconds"),
    [(320_000, "audio/wav", 10.0), (80_000, "audio/mpeg", 10.0), (0, "audio/mpeg", 0.0)],
)
def test_a_duration_is_guessed_by_the_size_until_it_is_known(
    size_bytes: int, content_type: str, seconds: float
) -> None:
    assert quotas.guessed_seconds(size_bytes=size_bytes, content_type=content_type) == seconds


def test_a_user_may_have_limits_of_his_own(ann: User, settings: Any) -> None:
    settings.QUOTA_UNFINISHED_JOBS = 1
    settings.QUOTA_STORED_BYTES = 10 * 2**20
    own = UserLimits.objects.create(user=ann, unfinished_jobs=0, stored_mb=20)
    assert quotas.limits_of(ann) == quotas.Limits(
        unfinished_jobs=0, stored_bytes=20 * 2**20, audio_seconds_per_day=0
    )
    row_of(ann, status=Status.QUEUED)
    assert refusal(ann) == ""
    own.unfinished_jobs = None  # as the setting says
    own.save()
    assert refusal(ann) == "too_many_jobs"


def test_recordings_of_nobody_are_counted_together(ann: User, settings: Any) -> None:
    settings.QUOTA_UNFINISHED_JOBS = 1
    row_of(None, status=Status.QUEUED)
    assert refusal(None) == "too_many_jobs"
    assert refusal(ann) == ""


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("QUOTA_UNFINISHED_JOBS", 1, "too_many_jobs"),
        ("QUOTA_STORED_BYTES", 30, "storage_quota_used"),
        ("QUOTA_AUDIO_MINUTES_PER_DAY", 1, "daily_quota_used"),
    ],
)
def test_a_quota_that_is_used_up_is_told_with_its_own_code_and_when_to_come_again(
    client_of_ann: Client, data_dir: Any, settings: Any, name: str, value: int, code: str
) -> None:
    settings.SYNC_WAIT_SECONDS = 0
    setattr(settings, name, value)
    assert client_of_ann.post(LIST_URL, {"file": wav()}).status_code == 202
    Transcription.objects.update(duration_seconds=60.0)

    refused = client_of_ann.post(LIST_URL, {"file": wav()})
    in_the_envelope = client_of_ann.post(URL, {"file": wav()})

    assert (refused.status_code, refused.json()["code"]) == (ERRORS[code].status, code)
    assert "{" not in refused.json()["message"]
    assert in_the_envelope.json()["code"] == ERRORS[code].number
    if refused.status_code == 429:
        assert 1 <= int(refused.headers["Retry-After"]) <= 86_400
        assert "Retry-After" in in_the_envelope.headers
    assert Transcription.objects.count() == 1
    assert not list(settings.INCOMING_DIR.iterdir())


def test_a_repeated_request_joins_its_job_though_the_quota_is_used_up(
    client_of_ann: Client, data_dir: Any, settings: Any
) -> None:
    settings.QUOTA_UNFINISHED_JOBS = 1
    key = {"Idempotency-Key": "one"}
    first = client_of_ann.post(LIST_URL, {"file": wav()}, headers=key)
    again = client_of_ann.post(LIST_URL, {"file": wav()}, headers=key)

    assert again.json()["id"] == first.json()["id"]


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_no_more_are_taken_than_the_quota_has(
    ann: User, data_dir: Any, settings: Any
) -> None:
    settings.QUOTA_UNFINISHED_JOBS = 3
    clients = [caller(ann) for _ in range(8)]
    together = threading.Barrier(len(clients))

    def post(client: Client) -> int:
        together.wait()
        try:
            return client.post(LIST_URL, {"file": wav()}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(clients)) as pool:
        statuses = sorted(pool.map(post, clients))

    assert statuses == [202] * 3 + [429] * 5


def test_staff_give_a_user_limits_in_the_admin(ann: User, admin_client: Client) -> None:
    response = admin_client.post(
        "/admin/transcription/userlimits/add/",
        {"user": ann.pk, "unfinished_jobs": "7", "stored_mb": "", "audio_minutes_per_day": "0"},
    )
    assert response.status_code == 302
    row = UserLimits.objects.get(user=ann)
    assert (row.unfinished_jobs, row.stored_mb, row.audio_minutes_per_day) == (7, None, 0)
    assert admin_client.get("/admin/transcription/userlimits/").status_code == 200
