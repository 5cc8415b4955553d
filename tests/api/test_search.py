"""``?search=`` of the list."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import LIST_URL, caller
from transcription.models import Transcription
from transcription.services import search

pytestmark = pytest.mark.django_db


def said(text: str, **fields: Any) -> Transcription:
    row = Transcription.objects.create(text=text, **fields)
    search.remember(row.pk)
    return row


def ids(client: Client, query: str, **more: Any) -> list[str]:
    answer = client.get(LIST_URL, {"search": query, **more})
    assert answer.status_code == 200
    return [row["id"] for row in answer.json()["results"]]


def test_an_owner_finds_his_own_and_staff_everybodys(client_of_ann: Client, ann: User) -> None:
    bob, staff = User.objects.create_user("bob"), User.objects.create_user("s", is_staff=True)
    of_ann, of_bob = said("年度预算", owner=ann), said("年度预算", owner=bob)
    said("病历", owner=ann)

    assert ids(client_of_ann, "预算") == [str(of_ann.pk)]
    assert ids(caller(bob), "预算") == [str(of_bob.pk)]
    assert ids(caller(staff), "预算") == [str(of_bob.pk), str(of_ann.pk)]


def test_what_has_no_words_finds_nothing_and_nothing_asked_finds_all(
    client_of_ann: Client, ann: User
) -> None:
    row = said("预算", owner=ann)
    assert ids(client_of_ann, "?!") == []
    assert ids(client_of_ann, "") == [str(row.pk)]


def test_the_pages_of_a_search_follow_each_other(client_of_ann: Client, ann: User) -> None:
    rows = [said(f"预算 {number}", owner=ann) for number in range(5)]
    seen: list[str] = []
    address: str | None = f"{LIST_URL}?search=%E9%A2%84%E7%AE%97&page_size=2"
    while address:
        page = client_of_ann.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    assert seen == [str(row.pk) for row in reversed(rows)]


def test_a_search_costs_one_query_more_than_a_list(
    client_of_ann: Client, ann: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        said(f"预算 {number}", owner=ann)
    ids(client_of_ann, "预算")  # the token's last use is written now and then
    # Token, hits, rows; on PostgreSQL the hits come with two settings in a transaction.
    with django_assert_max_num_queries(8) as queries:
        assert len(ids(client_of_ann, "预算")) == 20
    assert not [query for query in queries.captured_queries if '"text"' in query["sql"]]
