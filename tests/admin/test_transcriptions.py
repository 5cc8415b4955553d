"""Transcriptions and chunks in the admin."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from transcription.admin import common
from transcription.models import Chunk, SpeechModel, Transcription
from transcription.services import search

Status = Transcription.Status
LIST = "/admin/transcription/transcription/"


def page_of(row: Transcription) -> str:
    return reverse("admin:transcription_transcription_change", args=[row.pk])


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def do(staff: Client, action: str, *rows: Transcription) -> list[str]:
    """Run an action on rows of the list; return what it says."""
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return messages_of(staff.post(LIST, data, follow=True))


def test_a_list_of_many_costs_as_few_queries_as_one_of_few(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    model = SpeechModel.objects.create(name="whisper-base", engine="whisper")
    for number in range(30):
        Transcription.objects.create(
            owner=User.objects.create_user(f"user{number}"), model=model, text="long"
        )

    # Session, user, count, the rows, models and languages to filter by.
    with django_assert_max_num_queries(6) as queries:
        page = staff.get(LIST).content.decode()

    assert page.count("user29") == 1
    assert not [query for query in queries.captured_queries if '"text"' in query["sql"]]


def test_counting_ends_at_a_limit_and_so_do_the_pages(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "COUNT_LIMIT", 60)
    Transcription.objects.bulk_create([Transcription() for _ in range(130)])

    page = staff.get(LIST)

    assert page.context["cl"].result_count == 60
    assert page.context["cl"].paginator.num_pages == 2


def test_a_row_shows_how_far_it_is(staff: Client) -> None:
    Transcription.objects.create(
        file_name="meeting.mp3",
        status=Status.PROCESSING,
        duration_seconds=3725.0,
        speech_seconds=3000.0,
        processed_seconds=1500.0,
    )

    page = staff.get(LIST).content.decode()

    for shown in ("meeting.mp3", "50%", "1:02:05"):
        assert shown in page


def test_the_search_finds_words_of_names_and_whole_ids(staff: Client) -> None:
    row = Transcription.objects.create(file_name="Budget meeting.mp3")
    for one in (row, Transcription.objects.create(file_name="lecture.mp3")):
        search.remember(one.pk)

    def found(words: str) -> list[str]:
        return [str(one.pk) for one in staff.get(LIST, {"q": words}).context["cl"].result_list]

    assert found("budget") == found(str(row.pk)) == found(f" {row.pk.hex} ") == [str(row.pk)]
    assert found(str(uuid.uuid4())) == []


def test_only_the_title_can_be_edited(staff: Client) -> None:
    row = Transcription.objects.create(text="as the machine wrote it", status=Status.COMPLETED)

    assert staff.get(page_of(row)).status_code == 200
    staff.post(page_of(row), {"title": "Budget", "text": "forged", "status": "failed"})

    row.refresh_from_db()
    assert (row.title, row.text, row.status) == ("Budget", "as the machine wrote it", "completed")


def test_nothing_is_added_or_deleted_here(staff: Client) -> None:
    row = Transcription.objects.create()

    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in staff.get(LIST).content.decode()


def test_failed_ones_are_retried_and_the_others_are_named(staff: Client, data_dir: Path) -> None:
    failed = Transcription.objects.create(status=Status.FAILED, error_code="worker_crashed")
    failed.audio.save("kept.wav", ContentFile(b"sound"))
    running = Transcription.objects.create(status=Status.PROCESSING, title="Budget")
    running.audio.save("running.wav", ContentFile(b"sound"))

    said = do(staff, "retry", failed, running)

    failed.refresh_from_db()
    running.refresh_from_db()
    assert (failed.status, failed.error_code) == ("queued", "")
    assert running.status == "processing"
    assert said[0] == "1 transcription was started again."
    assert "1 was left as it is: Budget: " in said[1]
    assert "processing" in said[1]


def test_running_ones_are_cancelled(staff: Client) -> None:
    rows = [
        Transcription.objects.create(status=status)
        for status in (Status.QUEUED, Status.PROCESSING, Status.COMPLETED)
    ]

    said = do(staff, "cancel", *rows)

    assert [Transcription.objects.get(pk=row.pk).status for row in rows] == [
        "cancelled",
        "cancelled",
        "completed",
    ]
    assert said[0] == "2 transcriptions were cancelled."


def test_staff_who_may_only_look_can_do_nothing(db: None) -> None:
    from django.contrib.auth.models import Permission

    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_transcription"))
    browser = Client()
    browser.force_login(viewer)
    row = Transcription.objects.create(status=Status.QUEUED)

    assert browser.get(page_of(row)).status_code == 200
    do(browser, "cancel", row)

    row.refresh_from_db()
    assert row.status == "queued"


def test_the_chunks_of_one_are_a_click_away_and_only_to_be_looked_at(staff: Client) -> None:
    row, other = Transcription.objects.create(), Transcription.objects.create()
    for owner, text in ((row, "what was said"), (other, "elsewhere")):
        chunk = Chunk.objects.create(
            transcription=owner, start_sample=0, end_sample=16_000, text=text
        )
    link = f"/admin/transcription/chunk/?transcription__id__exact={row.pk}"

    assert link in staff.get(page_of(row)).content.decode()
    shown = staff.get(link).content.decode()
    assert "what was said" in shown
    assert "elsewhere" not in shown
    assert staff.get(f"/admin/transcription/chunk/{chunk.pk}/change/").status_code == 200
    assert staff.post(f"/admin/transcription/chunk/{chunk.pk}/change/").status_code == 403


def shown(staff: Client, **query: str) -> list[str]:
    return [str(row) for row in staff.get(LIST, query).context["cl"].result_list]


def created(title: str, days_ago: float, **fields: Any) -> Transcription:
    row = Transcription.objects.create(title=title, **fields)
    Transcription.objects.filter(pk=row.pk).update(
        created_at=timezone.now() - timedelta(days=days_ago)
    )
    search.remember(row.pk)
    return row


def test_the_search_looks_into_the_text(staff: Client) -> None:
    created("talk", 0, text="今天讨论年度预算")
    created("other", 0, text="病历")
    assert shown(staff, q="预算") == shown(staff, q='"年度 预算"') == ["talk"]
    assert shown(staff, q="天讨") == ["talk"]
    assert shown(staff, q="?!") == []
    assert sorted(shown(staff, q=" ")) == ["other", "talk"]


def test_a_span_of_days_bounds_the_list_and_the_search(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search.find, "__kwdefaults__", {**search.find.__kwdefaults__, "limit": 1})
    for days in (40, 10, 0):
        created(f"{days} days", days, text="预算")
    today = timezone.localdate()
    week = str(today - timedelta(days=7))

    assert shown(staff, created_from=str(today)) == ["0 days"]
    assert shown(staff, created_from=str(today - timedelta(days=30))) == ["0 days", "10 days"]
    assert shown(staff, created_to=week) == ["10 days", "40 days"]
    assert shown(staff, created_from=week, created_to=week) == []
    # Of two hits in the span the search gives the newest, not the newest of all.
    assert shown(staff, q="预算", created_to=week) == ["10 days"]


@pytest.mark.parametrize("day", ["nonsense", "2026-02-30", "9999-12-31", "0001-01-01", "\0"])
def test_a_day_that_is_none_bounds_nothing_and_breaks_nothing(staff: Client, day: str) -> None:
    assert staff.get(LIST, {"created_from": day, "created_to": day}).status_code == 200


def test_the_form_of_the_span_keeps_what_else_the_list_is_narrowed_by(staff: Client) -> None:
    page = staff.get(LIST, {"status__exact": "failed", "created_from": "2026-01-02"})
    html = page.content.decode()
    assert '<input type="hidden" name="status__exact" value="failed">' in html
    assert 'name="created_from" value="2026-01-02"' in html


def test_the_list_is_narrowed_by_status_model_and_the_languages_that_occur(staff: Client) -> None:
    SpeechModel.objects.create(name="whisper-base", engine="whisper")
    created("a", 2, status=Status.FAILED, language="zh", model_name="whisper-base")
    created("b", 1, status=Status.COMPLETED, language="fr", model_name="gone")
    created("c", 0, status=Status.COMPLETED)

    assert shown(staff, status__exact="failed") == ["a"]
    assert shown(staff, model="whisper-base") == ["a"]
    assert shown(staff, language="fr") == ["b"]
    html = staff.get(LIST).content.decode()
    assert "?language=fr" in html
    assert "French" in html
    assert "?language=de" not in html


def test_a_list_that_is_longer_than_it_counts_says_so(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "COUNT_LIMIT", 60)
    Transcription.objects.bulk_create([Transcription() for _ in range(60)])
    assert "more than" not in staff.get(LIST).content.decode()
    Transcription.objects.create()
    assert "more than 60" in " ".join(staff.get(LIST).content.decode().split())


def test_filters_are_not_counted(staff: Client, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(6):
        html = staff.get(LIST, {"_facets": "True"}).content.decode()
    assert "Show counts" not in html


def test_a_way_back_to_the_whole_list_is_shown_where_it_is_narrowed(staff: Client) -> None:
    created("talk", 0)
    assert "Show all" not in staff.get(LIST).content.decode()
    assert "Show all" in staff.get(LIST, {"q": "talk"}).content.decode()
    assert "Show all" in staff.get(LIST, {"status__exact": "queued"}).content.decode()


def test_a_new_title_is_found(staff: Client) -> None:
    row = created("old", 0)
    staff.post(page_of(row), {"title": "Budget"})
    assert shown(staff, q="budget") == ["Budget"]
    assert shown(staff, q="old") == []


def test_a_long_name_does_not_push_the_other_columns_out(staff: Client) -> None:
    Transcription.objects.create(file_name="a" * 200)
    html = staff.get(LIST).content.decode()
    # The box to choose the row by is named in full, for those who cannot see it.
    assert f">{'a' * 39}…</a>" in html


def test_it_is_ordered_by_nothing_that_has_no_index(staff: Client) -> None:
    Transcription.objects.create()
    html = staff.get(LIST).content.decode()
    assert html.count('class="sortable') == html.count("sortable column-created") == 1


def test_the_page_of_a_row_says_when_audio_and_text_are_deleted(
    staff: Client, settings: Any, data_dir: Path
) -> None:
    over = timezone.now().replace(year=2026, month=3, day=1)
    row = Transcription.objects.create(status="completed", step="over", completed_at=over)
    row.audio.save("talk.wav", ContentFile(b"sound"))
    page = staff.get(page_of(row)).content.decode()
    assert "no end is set" in page
    assert "deleted on" not in page
    settings.AUDIO_KEPT_DAYS, settings.TEXT_KEPT_DAYS = 7.0, 31.0
    page = staff.get(page_of(row)).content.decode()
    assert "On March 8, 2026" in page
    assert "On April 1, 2026" in page
