"""Waiting for the end of transcriptions, together."""

from __future__ import annotations

import os
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.backends.signals import connection_created

from tests.served import eventually
from transcription.models import Transcription
from transcription.web import watcher as module
from transcription.web.watcher import GONE, Seen, Watcher, wait_until_final, watcher

COMPLETED = Transcription.Status.COMPLETED
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    eventually(lambda: "watcher" not in {thread.name for thread in threading.enumerate()})


def row(**fields: Any) -> Transcription:
    return Transcription.objects.create(**fields)


@contextmanager
def every_new_connection(wrapper: Callable[..., Any]) -> Iterator[None]:
    """Has every query of connections that are opened meanwhile go through ``wrapper``."""

    def install(sender: object, connection: Any, **kwargs: Any) -> None:
        connection.execute_wrappers.append(wrapper)

    connection_created.connect(install)
    try:
        yield
    finally:
        connection_created.disconnect(install)


def test_fifty_waiters_cost_as_many_queries_as_one() -> None:
    rows = [row() for _ in range(50)]
    queries: list[float] = []

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("SELECT"):
            queries.append(time.monotonic())
        return execute(sql, *rest)

    with every_new_connection(count), ThreadPoolExecutor(50) as pool:
        started = time.monotonic()
        waiting = [pool.submit(wait_until_final, one.pk, 60.0) for one in rows]
        eventually(lambda: len(queries) >= 10)
        elapsed_seconds = time.monotonic() - started
        in_that_time = len(queries)
        Transcription.objects.update(status=COMPLETED)

        assert all(one.result() for one in waiting)

    # One for every poll, and not one for each of the fifty.
    assert in_that_time <= elapsed_seconds / module.POLL_SECONDS + 2


def test_more_waiters_than_a_query_takes_are_asked_for_in_pieces(
    django_assert_num_queries: Any,
) -> None:
    rows = Transcription.objects.bulk_create([Transcription() for _ in range(1001)])

    with django_assert_num_queries(3):
        assert len(module.seen_now([one.pk for one in rows])) == 1001


@pytest.mark.parametrize("status", Transcription.FINAL)
def test_who_waits_is_woken_when_it_is_over(status: str) -> None:
    one = row()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait_until_final, one.pk, 60.0)
        eventually(lambda: "watcher" in {thread.name for thread in threading.enumerate()})
        Transcription.objects.update(status=status)

        assert waiting.result() is True


def test_what_is_over_already_is_not_waited_for() -> None:
    assert wait_until_final(row(status=COMPLETED).pk, 60.0) is True


def test_what_is_deleted_meanwhile_is_not_waited_for() -> None:
    assert wait_until_final(uuid.uuid4(), 60.0) is True


def test_a_wait_ends_at_its_limit() -> None:
    assert wait_until_final(row().pk, 0.2) is False


def test_a_wait_ends_when_its_client_has_left() -> None:
    left: list[Callable[[], None]] = []
    one = row()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait_until_final, one.pk, 60.0, on_give_up=left.append)
        eventually(lambda: bool(left))
        left[0]()

        assert waiting.result() is False


def test_an_event_stream_is_told_each_change_once() -> None:
    one = row(processed_seconds=1.0)
    told: list[Seen] = []

    subscription = watcher.subscribe(one.pk, told.append, lambda: None)
    eventually(lambda: len(told) == 1)
    Transcription.objects.update(processed_seconds=2.0)
    eventually(lambda: len(told) == 2)
    one.delete()
    eventually(lambda: len(told) == 3)
    subscription.cancel()
    subscription.cancel()

    assert told == [
        Seen(status="queued", processed_seconds=1.0),
        Seen(status="queued", processed_seconds=2.0),
        GONE,
    ]


def test_one_waiter_that_breaks_keeps_nobody_else_waiting(caplog: Any) -> None:
    one = row()

    def broken(seen: Seen) -> None:
        raise ValueError("broken")

    watcher.subscribe(one.pk, broken, lambda: None)
    Transcription.objects.update(status=COMPLETED)

    assert wait_until_final(one.pk, 60.0) is True
    assert "told nothing more" in caplog.text


def test_a_database_that_fails_for_a_while_loses_nobody(
    caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ERROR_PAUSE_SECONDS", 0.01)
    one = row(status=COMPLETED)
    failures = 0

    def fail_three_times(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal failures
        if sql.startswith("SELECT") and failures < 3:
            failures += 1
            raise OperationalError("the disk is on fire")
        return execute(sql, *rest)

    with every_new_connection(fail_three_times):
        assert wait_until_final(one.pk, 60.0) is True

    assert failures == 3
    # Said once, not twenty times a second.
    assert caplog.text.count("cannot be read; trying on") == 1
    assert "can be read again" in caplog.text


def test_everybody_is_told_when_the_process_is_to_end() -> None:
    stopping = threading.Event()
    mine = Watcher()
    mine.stop_when(stopping.is_set)
    told: list[Seen] = []
    ended = threading.Event()

    mine.subscribe(row().pk, told.append, ended.set)
    eventually(lambda: bool(told))
    assert not ended.is_set()
    stopping.set()

    assert ended.wait(10)


def test_a_forked_child_waits_by_a_thread_of_its_own() -> None:
    one = row()
    told: list[Seen] = []
    subscription = watcher.subscribe(one.pk, told.append, lambda: None)
    eventually(lambda: bool(told))
    done = row(status=COMPLETED).pk
    connection.close()  # not for two processes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads: the point
        child = os.fork()
    if child == 0:
        os._exit(0 if wait_until_final(done, 20.0) else 1)
    _, status = os.waitpid(child, 0)
    subscription.cancel()

    assert os.waitstatus_to_exitcode(status) == 0
