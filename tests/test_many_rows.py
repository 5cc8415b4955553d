"""What keeps the pages quick at a million rows: every one of them goes along an index.

``manage.py benchmark api`` measures it; here the plans of the database are read.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext

from transcription.management.benchmarks import api
from transcription.models import Transcription
from transcription.services import search, tokens

ADMIN, API = api.ADMIN, api.API


@pytest.fixture
def rows(db: None) -> list[Transcription]:
    owner = User.objects.create_user("ann")
    made = [
        Transcription(owner=owner, text="预算", language="zh", model_name="m", status="completed")
        for _ in range(60)
    ]
    Transcription.objects.bulk_create(made)
    for row in made:
        search.remember(row.pk)
    return made


def plan_of(sql: str, parameters: Any = ()) -> str:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL plans by the number of rows, and these are few")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return "\n".join(row[3] for row in cursor.fetchall())


def assert_goes_along_an_index(plan: str, *, may_sort: bool = False) -> None:
    # "SCAN … USING INDEX" walks in the index's order, and stops when the page is full.
    assert not re.search(r"SCAN (transcription_\w+|U\d)\b(?! (USING|VIRTUAL))", plan), plan
    if not may_sort:
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan, plan


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("ann", API, {}),
        ("root", API, {}),
        ("ann", API, {"page_size": "100"}),
        ("root", API, {"page_size": "100"}),
        ("ann", API, {"search": "预算"}),
        ("root", API, {"search": "预算"}),
        ("root", ADMIN, {}),
        ("root", ADMIN, {"p": "2"}),
        ("root", ADMIN, {"status__exact": "failed"}),
        ("root", ADMIN, {"language": "zh"}),
        ("root", ADMIN, {"model": "m"}),
        ("root", ADMIN, {"language": "zh", "model": "m", "status__exact": "completed"}),
        ("root", ADMIN, {"created_from": "2020-01-01", "created_to": "2999-01-01"}),
        ("root", ADMIN, {"o": "3"}),
        ("root", ADMIN, {"q": "预算"}),
        ("root", ADMIN, {"q": "预算", "created_from": "2020-01-01", "status__exact": "completed"}),
    ],
)
def test_every_page_goes_along_an_index(
    rows: list[Transcription], path: str, query: dict[str, str], name: str
) -> None:
    User.objects.create_superuser("root")
    user = User.objects.get(username=name)
    browser = Client(headers={"Authorization": f"Token {tokens.create(user, name='t')[1]}"})
    if path == ADMIN:
        browser.force_login(user)
    browser.get(path, query)  # what is done once, such as noting the token's use

    with CaptureQueriesContext(
        connection,
    ) as asked:
        page = browser.get(path, query)

    assert page.status_code == 200
    selects = [
        one["sql"]
        for one in asked.captured_queries
        if "transcription_transcription" in one["sql"] or "transcription_search" in one["sql"]
    ]
    assert selects
    for sql in selects:
        found_first = "search" in query or "q" in query
        # Hits are sorted: they are at most search.MOST_HITS.
        assert_goes_along_an_index(plan_of(sql.replace("%", "%%")), may_sort=found_first)


@pytest.mark.parametrize("order", [("-created_at", "-id"), ("created_at", "id")])
@pytest.mark.parametrize("of_owner", [True, False])
@pytest.mark.parametrize(
    "narrowed",
    [
        {"status": "failed"},
        {"status__in": ["failed"]},
        {"language": "zh"},
        {"model_name": "m"},
        {"review_state": "approved"},
        {"created_at__gte": "2026-01-01T00:00Z", "created_at__lt": "2026-02-01T00:00Z"},
        {"language": "zh", "status__in": ["failed"]},
    ],
)
def test_the_filters_of_a_list_go_along_an_index(
    db: None, narrowed: dict[str, Any], of_owner: bool, order: tuple[str, ...]
) -> None:
    page: QuerySet[Transcription] = Transcription.objects.filter(**narrowed).order_by(*order)
    if of_owner:
        page = page.filter(owner_id=1)
    page = page.select_related("owner").defer("text", "prompt")[:21]
    sql, parameters = page.query.sql_with_params()
    assert_goes_along_an_index(plan_of(sql, parameters))


@pytest.mark.timeout(240)
def test_the_benchmark_gets_every_page_and_says_how_long_each_takes() -> None:
    figures = {figure.name: figure for figure in api.measure(rows=400, repeats=1)}
    assert figures["rows"].value == 400
    assert figures["search, two characters in half of all, p95"].value > 0
    assert figures["admin, search, p95"].promise == "at most 0.3"
    assert figures["memory (RSS) of the web process before"].value > 20
