"""A worker that cannot keep its leases must not go on."""

from __future__ import annotations

import os
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from transcription.models import Chunk, Lease, Transcription
from transcription.models.leases import LeasedQuerySet
from transcription.work import keeping
from transcription.work.keeping import LeaseKeeper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def claimed() -> Chunk:
    row = Transcription.objects.create()
    chunk = Chunk.objects.create(
        transcription=row, start_sample=0, end_sample=16_000, model_name="m"
    )
    [mine] = Chunk.objects.claim([chunk.pk], Lease(holder="engine-0", seconds=60))
    return mine


@pytest.fixture
def ended(monkeypatch) -> threading.Event:
    """Set instead of ending this process."""
    event = threading.Event()

    def note(reason: str) -> None:
        event.set()
        raise SystemExit(reason)  # ends the keeper's thread, as the signal ends the process

    monkeypatch.setattr(keeping, "end_this_process", note)
    return event


def test_leases_are_renewed_while_the_work_goes_on(claimed, settings) -> None:
    settings.RENEW_SECONDS = 0.05
    Chunk.objects.update(lease_until=timezone.now() + timedelta(seconds=1))
    renewed = threading.Event()
    keeper = LeaseKeeper()
    with keeper.holding([claimed], limit_seconds=60):
        for _ in range(200):
            until = Chunk.objects.get().lease_until
            if until and until - timezone.now() > timedelta(seconds=30):
                renewed.set()
                break
            renewed.wait(0.02)
        assert keeper.held_rows == 1
    assert renewed.is_set()
    assert keeper.held_rows == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_batch_that_runs_past_its_limit_ends_its_process(claimed, settings, ended) -> None:
    settings.RENEW_SECONDS = 0.05
    with LeaseKeeper().holding([claimed], limit_seconds=0.0):
        assert ended.wait(10)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_cannot_renew_ends_before_its_leases_run_out(
    claimed, settings, ended, monkeypatch
) -> None:
    settings.RENEW_SECONDS = 0.05
    settings.LEASE_SECONDS = 0.5

    def fails(*_args: object) -> int:
        raise OperationalError("database is locked")

    monkeypatch.setattr(LeasedQuerySet, "renew", fails)
    with LeaseKeeper().holding([claimed], limit_seconds=60):
        assert ended.wait(10)


def test_ending_the_process_kills_it_whatever_native_code_does() -> None:
    pid = os.fork()
    if pid == 0:
        keeping.end_this_process("a test")
        os._exit(1)
    _pid, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
