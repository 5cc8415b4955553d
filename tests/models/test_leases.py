"""Work under a lease is done once and never lost."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from transcription.models import Chunk, Lease, LeasedWork, Transcription
from transcription.models.leases import in_seconds, max_attempts

State = LeasedWork.State
LEASE = Lease(holder="engine-0", seconds=60)
pytestmark = pytest.mark.django_db(transaction=True)


def make_chunks(count: int) -> list[Chunk]:
    row = Transcription.objects.create(file_name="meeting.wav")
    return [
        Chunk.objects.create(
            transcription=row, start_sample=n * 16_000, end_sample=(n + 1) * 16_000, model_name="m"
        )
        for n in range(count)
    ]


def let_lease_run_out(chunk: Chunk) -> None:
    Chunk.objects.filter(pk=chunk.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_claimed_row_belongs_to_one_worker() -> None:
    [chunk] = make_chunks(1)
    [mine] = Chunk.objects.claim([chunk.pk], LEASE)
    assert mine.lease_token is not None
    assert mine.attempts == 1
    assert mine.leased_by == "engine-0"
    assert Chunk.objects.claim([chunk.pk], LEASE) == []


def test_work_without_a_pause_can_be_taken_within_the_same_millisecond() -> None:
    """A worker that is told "not yet" falls asleep, and nobody rings for it."""
    make_chunks(1)
    then_and_now = Chunk.objects.annotate(then=in_seconds(0.0))  # one statement, one moment
    for _ in range(50):
        assert then_and_now.filter(then__lte=Now()).exists()


def test_claimed_rows_come_in_the_order_that_was_asked_for() -> None:
    chunks = make_chunks(4)
    wanted = [chunks[2].pk, chunks[0].pk, chunks[3].pk]
    assert [row.pk for row in Chunk.objects.claim(wanted, LEASE)] == wanted


def test_of_many_workers_that_claim_at_once_each_row_goes_to_one() -> None:
    ids = [chunk.pk for chunk in make_chunks(30)]
    got: list[list[int]] = []
    start = threading.Barrier(6)

    def worker() -> None:
        start.wait()
        for first in range(0, 30, 5):
            got.append([row.pk for row in Chunk.objects.claim(ids[first : first + 5], LEASE)])
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claimed = [pk for batch in got for pk in batch]
    assert sorted(claimed) == sorted(ids)


def test_a_row_whose_time_has_not_come_is_not_claimed() -> None:
    [chunk] = make_chunks(1)
    Chunk.objects.update(not_before=timezone.now() + timedelta(seconds=30))
    assert Chunk.objects.claim([chunk.pk], LEASE) == []


def test_finishing_writes_the_result_and_frees_the_row() -> None:
    [chunk] = make_chunks(1)
    [mine] = Chunk.objects.claim([chunk.pk], LEASE)
    assert mine.finish(text="hello") is True
    chunk.refresh_from_db()
    assert (chunk.state, chunk.text, chunk.lease_token) == (State.DONE, "hello", None)


def test_a_late_result_is_dropped_after_the_lease_ran_out() -> None:
    [chunk] = make_chunks(1)
    [slow] = Chunk.objects.claim([chunk.pk], LEASE)
    let_lease_run_out(chunk)
    assert Chunk.objects.get_queryset().expire() == 1
    [quick] = Chunk.objects.claim([chunk.pk], LEASE)
    assert slow.finish(text="late") is False
    assert quick.finish(text="in time") is True
    assert slow.finish(text="later still") is False
    chunk.refresh_from_db()
    assert chunk.text == "in time"


def test_a_result_for_a_cancelled_row_is_dropped() -> None:
    [chunk] = make_chunks(1)
    [mine] = Chunk.objects.claim([chunk.pk], LEASE)
    Chunk.objects.update(state=State.CANCELLED, lease_token=None)
    assert mine.finish(text="too late") is False


def test_renewing_keeps_the_row() -> None:
    [chunk] = make_chunks(1)
    [mine] = Chunk.objects.claim([chunk.pk], LEASE)
    let_lease_run_out(chunk)
    assert mine.lease_token is not None
    assert Chunk.objects.get_queryset().renew([mine.lease_token], 60) == 1
    assert Chunk.objects.get_queryset().expire() == 0
    assert Chunk.objects.get_queryset().renew([uuid.uuid4()], 60) == 0


def test_a_lease_is_measured_by_the_clock_of_the_database() -> None:
    [chunk] = make_chunks(1)
    [mine] = Chunk.objects.claim([chunk.pk], LEASE)
    mine.refresh_from_db()
    assert mine.lease_until is not None
    left = (mine.lease_until - timezone.now()).total_seconds()
    assert 55 < left < 62


def test_the_pauses_grow_with_every_interruption(settings) -> None:
    settings.RETRY_DELAYS_SECONDS = (0.0, 30.0, 120.0, 600.0)
    [chunk] = make_chunks(1)
    pauses = []
    for _ in range(max_attempts() - 1):
        Chunk.objects.update(not_before=timezone.now() - timedelta(seconds=1))
        assert Chunk.objects.claim([chunk.pk], LEASE)
        let_lease_run_out(chunk)
        assert Chunk.objects.get_queryset().expire() == 1
        chunk.refresh_from_db()
        pauses.append(round((chunk.not_before - timezone.now()).total_seconds()))
    assert pauses == [pytest.approx(seconds, abs=2) for seconds in (0, 30, 120, 600)]


def test_the_last_attempt_is_not_given_back_but_found_as_exhausted(settings) -> None:
    settings.RETRY_DELAYS_SECONDS = (0.0,)
    [chunk] = make_chunks(1)
    for expected in (1, 0):
        Chunk.objects.claim([chunk.pk], LEASE)
        let_lease_run_out(chunk)
        assert Chunk.objects.get_queryset().expire() == expected
    assert [row.pk for row in Chunk.objects.get_queryset().exhausted()] == [chunk.pk]


def test_the_leases_of_a_dead_cluster_end_at_once_and_no_others() -> None:
    first, second = make_chunks(2)
    Chunk.objects.claim([first.pk], LEASE)
    Chunk.objects.claim([second.pk], Lease(holder="engine-1", seconds=60))
    assert Chunk.objects.get_queryset().expire(holder="engine-0") == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == (State.PENDING, State.LEASED)
    assert first.lease_token is None


def test_handing_back_costs_no_attempt() -> None:
    [chunk] = make_chunks(1)
    [mine] = Chunk.objects.claim([chunk.pk], LEASE)
    assert mine.hand_back(error="disk full", pause_seconds=5) is True
    chunk.refresh_from_db()
    assert (chunk.state, chunk.attempts, chunk.last_error) == (State.PENDING, 0, "disk full")
    assert Chunk.objects.claim([chunk.pk], LEASE) == []
