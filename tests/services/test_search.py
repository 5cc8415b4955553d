"""Finding transcriptions by what is said in them."""

from __future__ import annotations

import random
import subprocess
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from transcription.models import SearchText, Transcription
from transcription.services import change, search

pytestmark = pytest.mark.django_db


def said(text: str, **fields: Any) -> Transcription:
    row = Transcription.objects.create(text=text, **fields)
    search.remember(row.pk)
    return row


def found(query: str, **bounds: Any) -> list[Transcription]:
    rows = Transcription.objects.in_bulk(search.find(query, **bounds))
    return [rows[pk] for pk in search.find(query, **bounds)]


@pytest.mark.parametrize(
    "query",
    [
        "天气",
        "今天天气",
        "很",
        "WEATHER",
        "weather 天气",
        '"the weather"',
        "ｗｅａｔｈｅｒ",
        "cafe",
    ],
)
def test_a_text_is_found_by_its_words(query: str) -> None:
    row = said("今天天气很好。The weather is fine at the café.")
    said("别的事情 and other things")
    assert found(query) == [row]


@pytest.mark.parametrize(
    "query", ["明天", "天很", "weather 明天", '"weather the"', "天今", "weat", "，。!?", "@1", "@@"]
)
def test_and_not_by_others(query: str) -> None:
    said("今天天气很好。The weather is fine.")
    assert found(query) == []


def test_a_word_that_two_marks_cut_is_none() -> None:
    row = said("先检查，算完了再说")
    assert found("查算") == []
    assert found("检查") == [row]


def test_words_in_quotation_marks_stand_one_after_the_other() -> None:
    together = said("we approved the annual budget today")
    said("the budget of the annual meeting")
    assert found('"annual budget"') == [together]
    assert len(found("annual budget")) == 2


def test_title_and_file_name_are_found_too() -> None:
    row = said("", title="年度预算", file_name="Board-meeting_7.mp3")
    assert found("预算") == found("board") == found("meeting 7") == [row]


def test_an_owner_finds_only_what_is_his() -> None:
    ann, bob = User.objects.create_user("ann"), User.objects.create_user("bob")
    of_ann, of_bob, of_nobody = said("预算", owner=ann), said("预算", owner=bob), said("预算")
    assert found("预算", owner_id=ann.pk) == [of_ann]
    assert found("预算") == [of_nobody, of_bob, of_ann]


def test_the_newest_are_found_where_there_are_too_many() -> None:
    rows = [said(f"预算 {number}") for number in range(5)]
    assert found("预算", limit=2) == [rows[4], rows[3]]


def test_a_span_of_time_reaches_the_older_ones() -> None:
    now = timezone.now()
    rows = []
    for days in (30, 20, 10):
        row = Transcription.objects.create(text="预算")
        Transcription.objects.filter(pk=row.pk).update(created_at=now - timedelta(days=days))
        search.remember(row.pk)
        rows.append(row)
    assert found("预算", limit=1, until=now - timedelta(days=15)) == [rows[1]]
    assert found("预算", since=now - timedelta(days=15)) == [rows[2]]


def test_many_of_one_moment_are_all_found() -> None:
    rows = [Transcription.objects.create(text="预算") for _ in range(4)]
    Transcription.objects.update(created_at=timezone.now())
    for row in rows:
        search.remember(row.pk)
    assert {row.pk for row in found("预算")} == {row.pk for row in rows}
    assert {row.pk for row in found("预算", until=timezone.now())} == {row.pk for row in rows}


def test_the_text_of_many_hours_is_found_to_its_end() -> None:
    """Longer than a tsvector of PostgreSQL could be, and further in than its positions reach."""
    chance = random.Random(1)
    text = "".join(chr(chance.randrange(0x4E00, 0x9FA0)) for _ in range(150_000))
    row = said(text + " the very end of it")
    assert found(text[140_000:140_006]) == found('"the very end"') == [row]
    assert found('"very the end"') == []


def test_a_new_text_replaces_the_old_one() -> None:
    row = said("预算")
    Transcription.objects.filter(pk=row.pk).update(text="病历", title="x")
    search.remember(row.pk)
    assert found("预算") == []
    assert found("病历") == found("x") == [row]
    assert SearchText.objects.count() == 1


def test_the_text_of_a_retried_one_is_not_found_any_more(settings: Any, data_dir: Path) -> None:
    from django.core.files.base import ContentFile

    row = said("预算", status="failed", title="board")
    row.audio.save("kept.wav", ContentFile(b"sound"))
    change.retry(row)
    assert found("预算") == []
    assert found("board") == [row]


def test_what_is_deleted_is_not_found() -> None:
    row = said("预算")
    Transcription.objects.filter(pk=row.pk).delete()
    assert search.find("预算") == []
    assert SearchText.objects.count() == 0


def test_nothing_is_remembered_of_what_is_undone() -> None:
    row = said("预算")
    with transaction.atomic():
        Transcription.objects.filter(pk=row.pk).update(text="病历")
        search.remember(row.pk)
        transaction.set_rollback(True)
    assert found("病历") == []
    assert found("预算") == [row]


SYNTAX = [
    *"\"'*-^:(){}+\\%_@\0 ;&|预é👍\u0301\ud7ff",
    *("NEAR", "AND", "OR", "NOT", "words", "rowid", "预算"),
]


def test_no_query_is_wrong() -> None:
    row = said("预算")
    chance = random.Random(1)
    for _ in range(500):
        query = "".join(chance.choices(SYNTAX, k=chance.randint(1, 12)))
        assert set(search.find(query)) <= {row.pk}
        assert search.find(query, owner_id=77) == []


def test_the_index_can_be_made_anew(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Transcription.objects.create(text=f"预算 {number}") for number in range(3)]
    search.remember(rows[0].pk)
    SearchText.objects.update(words="@0 wrong @@")

    call_command("rebuild_search")

    assert found("预算") == rows[::-1]
    assert search.find("wrong") == []
    assert "3 transcriptions" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_nothing_of_a_deleted_text_stays_in_the_files() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's vacuum looks after its own files")
    keep = said("保留下来 zebrakeeps")
    rows = [said(f"鼹鼠秘密 xylophonesecret{number} {uuid.uuid4()}") for number in range(50)]
    retitled = said("", title="quaggatitle")
    Transcription.objects.filter(pk__in=[row.pk for row in rows]).delete()
    Transcription.objects.filter(pk=retitled.pk).update(title="plain")
    search.remember(retitled.pk)

    assert search.tidy()

    # By another process: one that opens and closes a file of an SQLite database by itself lets go
    # of the locks that its own connections hold there (https://sqlite.org/howtocorrupt.html, 2.2).
    name = Path(connection.settings_dict["NAME"])
    files = sorted(name.parent.glob(f"{name.name}*"))
    left = subprocess.run(["cat", *files], check=True, capture_output=True).stdout
    assert b"zebrakeeps" in left
    for gone in ("xylophonesecret", "鼹鼠", "鼠秘", "quaggatitle"):
        assert gone.encode() not in left
    assert found("zebrakeeps") == [keep]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO transcription_search(transcription_search, rank)"
            " VALUES ('integrity-check', 1)"
        )


@pytest.mark.django_db(transaction=True)
def test_tidying_has_work_only_where_words_went() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's vacuum looks after its own files")

    def traces() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM transcription_search_deleted")
            return int(cursor.fetchone()[0])

    search.tidy()  # what the tests before deleted
    row = said("", title="board")
    Transcription.objects.filter(pk=row.pk).update(text="we approved the budget")
    search.remember(row.pk)
    assert traces() == 0  # it only grew
    Transcription.objects.filter(pk=row.pk).update(text="we")
    search.remember(row.pk)
    assert traces() == 1
    assert search.tidy()
    assert traces() == 0
