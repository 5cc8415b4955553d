"""What the list of transcriptions may be narrowed to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import LIST_URL
from transcription.models import Transcription

Status = Transcription.Status


def row(name: str, **fields: Any) -> Transcription:
    created = fields.pop("created_at", None)
    made = Transcription.objects.create(title=name, **fields)
    if created:
        Transcription.objects.filter(pk=made.pk).update(created_at=created)
    return made


@pytest.fixture
def rows(ann: User) -> None:
    bob = User.objects.create_user("bob")
    row("first", owner=ann, status=Status.COMPLETED, language="zh", model_name="small",
        created_at=datetime(2026, 11, 1, 8, tzinfo=UTC))  # fmt: skip
    row("second", owner=ann, status=Status.FAILED, model_name="large",
        created_at=datetime(2026, 11, 2, 8, tzinfo=UTC))  # fmt: skip
    row("third", owner=ann, status=Status.QUEUED,
        created_at=datetime(2026, 11, 3, 8, tzinfo=UTC))  # fmt: skip
    row("bob's", owner=bob, status=Status.COMPLETED, language="en",
        created_at=datetime(2026, 11, 4, 8, tzinfo=UTC))  # fmt: skip


def titles(client: Client, query: str) -> list[str]:
    response = client.get(f"{LIST_URL}?{query}")
    assert response.status_code == 200, response.json()
    return [one["title"] for one in response.json()["results"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["third", "second", "first"]),
        ("status=completed", ["first"]),
        ("status=completed,failed", ["second", "first"]),
        ("status=queued&status=failed", ["third", "second"]),
        ("status=cancelled", []),
        ("language=zh", ["first"]),
        ("language=zh-CN", ["first"]),
        ("language=en", []),
        ("model=large", ["second"]),
        ("created_after=2026-11-02", ["third", "second"]),
        ("created_before=2026-11-02T08:00:00Z", ["first"]),
        ("created_after=2026-11-02T09:00:00%2B01:00&created_before=2026-11-03", ["second"]),
        ("created_after=2026-11-02T09:00:00+01:00", ["third", "second"]),
        ("ordering=created_at", ["first", "second", "third"]),
        ("ordering=-created_at&status=", ["third", "second", "first"]),
        ("owner=ann", ["third", "second", "first"]),
        ("owner=bob", []),
        ("nonsense=1", ["third", "second", "first"]),
    ],
)
def test_people_narrow_their_own(
    client_of_ann: Client, rows: None, query: str, expected: list[str]
) -> None:
    assert titles(client_of_ann, query) == expected


def test_staff_narrow_everybodys_by_owner(staff: Client, rows: None) -> None:
    assert titles(staff, "owner=bob") == ["bob's"]
    assert titles(staff, "status=completed") == ["bob's", "first"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("language=klingon", "language"),
        ("created_after=yesterday", "created_after"),
        ("created_before=2026-02-30", "created_before"),
        ("ordering=text", "ordering"),
        (f"owner={'x' * 151}", "owner"),
    ],
)
def test_a_filter_that_makes_no_sense_is_an_error_of_its_field(
    client_of_ann: Client, query: str, field: str
) -> None:
    response = client_of_ann.get(f"{LIST_URL}?{query}")

    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert [error["field"].split(".")[0] for error in response.json()["errors"]] == [field]


def test_pages_keep_filters_and_order(client_of_ann: Client, rows: None) -> None:
    page = client_of_ann.get(f"{LIST_URL}?ordering=created_at&status=failed,queued&page_size=1")
    found = [one["title"] for one in page.json()["results"]]
    page = client_of_ann.get(page.json()["next"])

    assert found + [one["title"] for one in page.json()["results"]] == ["second", "third"]
    assert page.json()["next"] is None


def test_filters_cost_no_query_and_load_nothing_heavy(
    client_of_ann: Client, rows: None, django_assert_num_queries: Any
) -> None:
    client_of_ann.get(LIST_URL)
    with django_assert_num_queries(2) as queries:
        titles(client_of_ann, "status=completed&language=zh&created_after=2026-01-01&owner=ann")
    for heavy in ('"text"', '"prompt"'):
        assert heavy not in queries.captured_queries[-1]["sql"]
