"""What nobody else would notice."""

from __future__ import annotations

import os
import socket
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.utils import timezone
from django_q.models import OrmQ

from transcription.models import Chunk, Lease, SpeechModel, Transcription, Worker
from transcription.work import ticker, upkeep
from transcription.work.paths import work_file
from transcription.work.runtime import runtime

pytestmark = pytest.mark.django_db(transaction=True)


def chunk_of(row: Transcription, **facts: object) -> Chunk:
    return Chunk.objects.create(
        transcription=row, start_sample=0, end_sample=16_000, model_name="fake", **facts
    )


def test_a_heartbeat_says_what_the_worker_has_loaded(fresh_worker) -> None:
    model = SpeechModel.objects.create(name="fake", engine="fake")
    here = runtime()
    here.engines.ready(model)
    ticker.heartbeat(here)
    ticker.heartbeat(here)
    worker = Worker.objects.get()
    assert (worker.host, worker.pid) == (socket.gethostname(), os.getpid())
    assert worker.loaded[0]["name"] == "fake"
    assert worker.loaded[0]["generation"] == 1


def test_a_tick_gives_expired_leases_back_and_rings(fresh_worker) -> None:
    SpeechModel.objects.create(name="fake", engine="fake")
    row = Transcription.objects.create(step="recognise", status="processing")
    chunk = chunk_of(row)
    Chunk.objects.claim([chunk.pk], Lease(holder="engine-7", seconds=60))
    Chunk.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    ticker.tick("engine", runtime(), 0)
    chunk.refresh_from_db()
    assert (chunk.state, chunk.attempts) == ("pending", 1)
    assert OrmQ.objects.filter(key="engine").exists()


def test_a_wedged_cluster_is_ended_but_only_after_some_ticks(fresh_worker, monkeypatch) -> None:
    ended = []
    monkeypatch.setattr(ticker, "end_this_cluster", ended.append)
    Transcription.objects.create()
    here = runtime()
    here.idle_since = time.monotonic() - 3600
    waiting = 0
    for _ in range(ticker.WEDGED_AFTER_TICKS):
        waiting = ticker.tick("chores", here, waiting)
    assert not ended
    ticker.tick("chores", here, waiting)
    assert ended


def test_a_worker_that_looks_for_work_is_not_wedged(fresh_worker, monkeypatch) -> None:
    monkeypatch.setattr(ticker, "end_this_cluster", lambda why: pytest.fail("it was busy"))
    Transcription.objects.create()
    here = runtime()
    with here.busy():
        waiting = 0
        for _ in range(ticker.WEDGED_AFTER_TICKS + 2):
            waiting = ticker.tick("chores", here, waiting)
    assert waiting == 0


def test_rows_that_wait_for_a_model_that_is_broken_do_not_make_a_cluster_wedged(
    fresh_worker,
) -> None:
    model = SpeechModel.objects.create(name="fake", engine="fake", options={"load_error": "broken"})
    chunk_of(Transcription.objects.create(step="recognise"))
    here = runtime()
    assert ticker.work_waits("engine", here)
    here.engines.ready(model)
    assert not ticker.work_waits("engine", here)


def test_a_reload_is_noticed_by_an_idle_worker(fresh_worker) -> None:
    model = SpeechModel.objects.create(name="fake", engine="fake")
    here = runtime()
    here.engines.ready(model)
    SpeechModel.objects.update(generation=2)
    ticker.tick("engine", here, 0)
    assert here.engines.wait_until_loaded(30.0)
    assert [ready.generation for ready in here.engines.loaded()] == [2]
    ticker.look_around("engine", here)
    assert Worker.objects.get().loaded[0]["generation"] == 2
    model.refresh_from_db()
    assert model.last_good["generation"] == 2
    # Nothing of this was work, so no bell rang.
    assert not OrmQ.objects.exists()


def test_a_worker_is_not_wedged_while_a_model_is_loaded(fresh_worker, monkeypatch) -> None:
    monkeypatch.setattr(ticker, "end_this_cluster", lambda why: pytest.fail(why))
    SpeechModel.objects.create(name="fake", engine="fake", options={"load_seconds": 3.0})
    chunk_of(Transcription.objects.create(step="recognise"))
    here = runtime()
    here.idle_since = time.monotonic() - 3600
    here.engines.begin(SpeechModel.objects.get(), because="of the test")
    waiting = 0
    for _ in range(ticker.WEDGED_AFTER_TICKS + 2):
        waiting = ticker.tick("engine", here, waiting)
    assert here.engines.loading is not None
    assert waiting == 0
    assert here.engines.wait_until_loaded(30.0)


def test_a_load_that_never_ends_ends_its_worker(fresh_worker, monkeypatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(ticker, "end_this_cluster", ended.append)
    monkeypatch.setattr(ticker, "LOAD_LIMIT_SECONDS", 0.0)
    model = SpeechModel.objects.create(name="fake", engine="fake", options={"load_seconds": 0.5})
    here = runtime()
    here.engines.begin(model, because="of the test")
    ticker.tick("engine", here, 0)
    assert ended == ["fake has been loading for too long"]
    assert here.engines.wait_until_loaded(30.0)


def test_a_recording_whose_last_chunk_ended_unnoticed_goes_on() -> None:
    row = Transcription.objects.create(step="recognise", status="processing", state="done")
    chunk_of(row, state="done")
    assert upkeep.finish_what_stands_still() == 1
    row.refresh_from_db()
    assert (row.step, row.state) == ("finish", "pending")


def test_files_of_recordings_that_are_over_are_removed_and_no_others() -> None:
    going = Transcription.objects.create(step="recognise", status="processing")
    over = Transcription.objects.create(step="over", status="completed")
    stranger = uuid.uuid4()
    for pk in (going.pk, over.pk, stranger):
        work_file(pk).write_bytes(b"")
    old = Path(django_settings.INCOMING_DIR, "old")
    new = Path(django_settings.INCOMING_DIR, "new")
    for path in (old, new):
        path.write_bytes(b"x")
    past = time.time() - 2 * upkeep.STALE_UPLOAD_SECONDS
    os.utime(old, (past, past))
    upkeep.clear_left_files()
    assert work_file(going.pk).exists()
    assert not work_file(over.pk).exists()
    assert not work_file(stranger).exists()
    assert new.exists()
    assert not old.exists()
    work_file(going.pk).unlink()
    new.unlink()


def test_workers_that_no_longer_report_are_forgotten() -> None:
    Worker.objects.create(host="h", pid=1, cluster="engine-0")
    Worker.objects.create(
        host="h", pid=2, cluster="engine-0", heartbeat_at=timezone.now() - timedelta(hours=1)
    )
    upkeep.forget_dead_workers()
    assert list(Worker.objects.values_list("pid", flat=True)) == [1]
