"""Counts in the database: whoever counts, none is lost and none grows smaller."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from transcription.models import Tally
from transcription.services import tally
from transcription.services.tally import Count


@pytest.mark.django_db
def test_amounts_are_added_up_by_name_and_label() -> None:
    tally.add({(Count.FAILURES, "not_audio"): 1, (Count.AUDIO_SECONDS, ""): 1.5})
    tally.add({(Count.FAILURES, "not_audio"): 2, (Count.FAILURES, "no_speech"): 1})
    assert tally.counts() == {
        ("audio_seconds", ""): 1.5,
        ("failures", "no_speech"): 1.0,
        ("failures", "not_audio"): 3.0,
    }


@pytest.mark.django_db
def test_nothing_to_add_costs_no_query(django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        tally.add({})
        tally.add({(Count.BATCHES, ""): 0})


@pytest.mark.django_db
def test_many_counts_are_one_statement(django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        tally.add({(Count.BATCHES, ""): 1, (Count.BATCH_CLIPS, ""): 4})


@pytest.mark.django_db(transaction=True)
def test_what_was_taken_back_was_not_counted() -> None:
    with transaction.atomic():
        tally.add({(Count.BATCHES, ""): 1})
        transaction.set_rollback(True)
    assert tally.counts() == {}


@pytest.mark.django_db(transaction=True)
def test_workers_that_count_at_once_wait_for_each_other_and_lose_nothing() -> None:
    rounds = 25

    def count(backwards: bool) -> None:
        amounts = [((Count.BATCHES, ""), 1.0), ((Count.BATCH_CLIPS, ""), 2.0)]
        for _ in range(rounds):
            with transaction.atomic():
                tally.add(dict(reversed(amounts) if backwards else amounts))
        connection.close()

    workers = [threading.Thread(target=count, args=(number % 2 == 0,)) for number in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert tally.counts() == {("batches", ""): 4.0 * rounds, ("batch_clips", ""): 8.0 * rounds}
    assert Tally.objects.count() == 2
