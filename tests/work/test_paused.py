"""A paused queue: what has begun is finished, nothing is begun, nobody takes it for wedged."""

from __future__ import annotations

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection

from transcription.engines.fake import FakeEngine
from transcription.models import Chunk, Throughput, Transcription
from transcription.services import bell, change, queue, throughput
from transcription.work import ticker
from transcription.work.recognise import recognise_next
from transcription.work.runtime import runtime
from transcription.work.tasks import look_for_chores, look_for_speech
from transcription.work.waiting import preparation_under_way

pytestmark = pytest.mark.django_db(transaction=True)


def test_nothing_is_begun_while_it_is_paused_and_all_of_it_afterwards(
    fake_model, post, work, speech
) -> None:
    queue.pause(User.objects.create_user("root"), reason="new disk")
    row = post(speech)
    work()
    row.refresh_from_db()
    assert (row.status, row.step) == ("queued", "prepare")
    assert not preparation_under_way()  # nobody waits for it in vain

    assert queue.resume()
    work()
    row.refresh_from_db()
    assert row.status == Transcription.Status.COMPLETED


def test_chunks_wait_too_and_what_is_recognised_becomes_text(
    fake_model, post, fresh_worker, speech
) -> None:
    waiting, recognised = post(speech), post(speech)
    look_for_chores()
    Chunk.objects.filter(transcription=recognised).update(
        state="done", text="Heard.", language="en", segments=[]
    )
    Transcription.objects.filter(pk=recognised.pk).update(step="finish", state="pending")
    queue.pause()

    look_for_speech()
    look_for_chores()

    waiting.refresh_from_db()
    recognised.refresh_from_db()
    assert (waiting.status, waiting.step) == ("processing", "recognise")
    assert set(waiting.chunks.values_list("state", flat=True)) == {"pending"}
    assert (recognised.status, recognised.text) == ("completed", "Heard.")


def test_a_batch_that_runs_is_finished_and_the_next_is_not_begun(
    fake_model, post, fresh_worker, speech, monkeypatch
) -> None:
    rows = [post(speech) for _ in range(2)]
    look_for_chores()
    recognising, go_on = threading.Event(), threading.Event()
    transcribe = FakeEngine.transcribe

    def slow(self, clips):
        recognising.set()
        assert go_on.wait(30.0)
        return transcribe(self, clips)

    monkeypatch.setattr(FakeEngine, "transcribe", slow)
    # The second one comes into the queue only when the first batch runs.
    Chunk.objects.filter(transcription=rows[1]).update(state="cancelled")

    def look() -> None:
        try:
            look_for_speech()
        finally:
            connection.close()

    worker = threading.Thread(target=look)
    worker.start()
    assert recognising.wait(30.0)
    queue.pause()
    Chunk.objects.filter(transcription=rows[1]).update(state="pending")
    go_on.set()
    worker.join(30.0)

    states = [set(row.chunks.values_list("state", flat=True)) for row in rows]
    assert states == [{"done"}, {"pending"}]


def test_a_paused_queue_is_not_taken_for_a_wedged_one(
    fake_model, post, fresh_worker, speech, monkeypatch
) -> None:
    ended: list[str] = []
    monkeypatch.setattr(ticker, "end_this_cluster", ended.append)
    post(speech)
    look_for_chores()
    post(speech)
    queue.pause()
    here = runtime()
    here.idle_since -= 3600.0

    def ticks(of: str, count: int, waited: int = 0) -> int:
        for _ in range(count):
            waited = ticker.tick(of, here, waited)
        return waited

    for cluster in (bell.ENGINE, bell.CHORES):
        assert ticks(cluster, 10) == 0
    assert ended == []

    # And if the bell then reaches nobody, it is noticed as ever.
    queue.resume()
    assert here.engines.wait_until_loaded(30.0)
    ticks(bell.CHORES, ticker.WEDGED_AFTER_TICKS + 1)
    assert ended == ["work waits but no bell reaches this worker"]


def test_resuming_wakes_both_clusters(monkeypatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(bell, "wake", rung.append)
    assert not queue.resume()
    assert rung == []
    queue.pause()
    assert queue.resume()
    assert rung == [bell.CHORES, bell.ENGINE]


def test_the_pause_is_asked_for_once_a_batch_and_never_by_an_idle_engine(
    fake_model, post, fresh_worker, speech, django_assert_num_queries
) -> None:
    with django_assert_num_queries(1):
        recognise_next(runtime())
    post(speech)
    look_for_chores()
    queue.pause()
    with django_assert_num_queries(2):
        recognise_next(runtime())


def test_what_comes_out_is_added_up(fake_model, post, work, speech) -> None:
    done, failed = post(speech), post(b"RIFF no audio at all")
    stopped = post(speech)
    change.cancel(stopped)
    work()
    done.refresh_from_db()
    failed.refresh_from_db()
    assert (done.status, failed.status) == ("completed", "failed")
    rows = Throughput.objects.all()
    assert sum(row.recordings for row in rows) == 1
    assert sum(row.failures for row in rows) == 1
    assert sum(row.audio_seconds for row in rows) == pytest.approx(done.duration_seconds)
    assert sum(row.engine_seconds for row in rows) == pytest.approx(done.engine_seconds)


def test_two_workers_that_finish_in_the_same_moment_are_both_counted(transactional_db) -> None:
    def note() -> None:
        try:
            for _ in range(5):
                throughput.note_completed(audio_seconds=1.0, engine_seconds=0.5)
        finally:
            connection.close()

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(row.recordings for row in Throughput.objects.all()) == 20
