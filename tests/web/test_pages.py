"""The pages for everybody with an account: what they show to whom, and at which price."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from transcription.models import AuditEntry, Transcription
from transcription.services import search
from transcription.web.pages import PAGE_SIZE

pytestmark = pytest.mark.django_db
Status = Transcription.Status


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def browser(ann: User) -> Client:
    browser = Client()
    browser.force_login(ann)
    return browser


def row_of(owner: User | None, **facts: Any) -> Transcription:
    facts = {"status": Status.COMPLETED, "step": "over", "file_name": "talk.wav", **facts}
    row = Transcription.objects.create(owner=owner, **facts)
    search.remember(row.pk)
    return row


def page_of(row: Transcription) -> str:
    return reverse("transcription-page", args=[row.pk])


def act(row: Transcription, verb: str) -> str:
    return reverse("transcription-act", args=[row.pk, verb])


def shown(browser: Client, **query: str) -> list[str]:
    response = browser.get("/history/", query)
    assert response.status_code == 200
    return [str(row) for row in response.context["rows"]]


@pytest.mark.parametrize("path", ["/", "/history/", f"/transcriptions/{uuid.UUID(int=1)}/"])
def test_a_visitor_without_an_account_is_led_to_the_log_in_and_back(path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 302
    assert response.headers["Location"] == f"/accounts/login/?next={path}"


def test_a_stranger_gets_404_on_everything_of_anothers_recording(browser: Client) -> None:
    row = row_of(User.objects.create_user("bob"), text="private", status=Status.FAILED)
    assert browser.get(page_of(row)).status_code == 404
    assert browser.get(f"{page_of(row)}place/").status_code == 404
    for verb in ("cancel", "retry", "rename", "delete"):
        assert browser.post(act(row, verb)).status_code == 404
    assert Transcription.objects.filter(pk=row.pk, title="", status=Status.FAILED).exists()


def test_staff_see_their_own_first_and_everybodys_by_choice(browser: Client, ann: User) -> None:
    row_of(ann, title="mine")
    other = row_of(User.objects.create_user("bob"), title="bob's")
    assert shown(browser, everybody="on") == ["mine"]
    ann.is_staff = True
    ann.save()
    assert shown(browser) == ["mine"]
    assert shown(browser, everybody="on") == ["bob's", "mine"]
    assert browser.get(page_of(other)).status_code == 200


def test_the_history_costs_the_same_for_one_and_for_many(
    browser: Client, ann: User, django_assert_num_queries: Any
) -> None:
    row_of(ann)
    with django_assert_num_queries(3):
        browser.get("/history/")
    for _ in range(PAGE_SIZE):
        row_of(ann)
    with django_assert_num_queries(3) as asked:
        browser.get("/history/")
    assert '"transcription_transcription"."text"' not in asked[-1]["sql"]


def test_every_recording_is_on_one_page_of_the_history_though_many_came_at_once(
    browser: Client, ann: User
) -> None:
    rows = {str(row_of(ann, title=f"talk {number}")) for number in range(2 * PAGE_SIZE + 3)}
    Transcription.objects.update(created_at=timezone.now())
    found: list[str] = []
    address = "/history/"
    while address:
        response = browser.get(address, headers={"HX-Request": "true"})
        found += [str(row) for row in response.context["rows"]]
        address = response.context["older"]
    assert len(found) == len(rows)
    assert set(found) == rows


def test_the_history_is_narrowed_by_words_and_status(browser: Client, ann: User) -> None:
    row_of(ann, title="garden", text="Roses and tulips.")
    row_of(ann, title="花园", text="玫瑰和郁金香", status=Status.CANCELLED)
    row_of(User.objects.create_user("bob"), title="bob's", text="tulips")
    assert shown(browser, search="tulips") == ["garden"]
    assert shown(browser, search="玫瑰") == ["花园"]
    assert shown(browser, status="cancelled") == ["花园"]
    assert shown(browser, search="tulips", status="failed") == []


@pytest.mark.parametrize(
    "query",
    [
        {"before": "yesterday"},
        {"before": "2026-01-01_7"},
        {"before": f"0001-01-01T00:00:00+23:00_{uuid.UUID(int=7)}"},
        {"before": f"9999-12-31T23:59:59-23:00_{uuid.UUID(int=7)}"},
        {"status": "lost"},
    ],
)
def test_an_address_that_somebody_broke_shows_the_first_page(
    browser: Client, ann: User, query: dict[str, str]
) -> None:
    row_of(ann, title="mine")
    assert shown(browser, **query) == ["mine"]


def test_what_cannot_be_done_is_said_on_the_page(browser: Client, ann: User) -> None:
    row = row_of(ann, text="done")
    page = browser.post(act(row, "cancel"), follow=True)
    assert page.redirect_chain == [(page_of(row), 302)]
    [message] = page.context["messages"]
    assert "not possible while the transcription is" in str(message)
    assert browser.get(act(row, "cancel")).status_code == 405
    assert browser.post(act(row, "explode")).status_code == 404


def test_a_recording_is_renamed_and_deleted_with_its_file(browser: Client, ann: User) -> None:
    row = row_of(ann, text="done")
    row.audio.save("talk.wav", ContentFile(b"sound"))
    path = Path(row.audio.path)
    browser.post(act(row, "rename"), {"title": "Monday"})
    assert shown(browser, search="monday") == ["Monday"]
    page = browser.post(act(row, "delete"), follow=True)
    assert "“Monday” is deleted for good." in page.content.decode()
    assert not path.exists()
    assert not Transcription.objects.exists()


def test_how_many_wait_before_one_is_counted_up_to_a_bound(
    browser: Client, ann: User, django_assert_num_queries: Any
) -> None:
    bob = User.objects.create_user("bob")
    for status in (Status.QUEUED, Status.PROCESSING, Status.COMPLETED):
        row_of(bob, status=status)
    row = row_of(ann, status=Status.QUEUED)
    with django_assert_num_queries(4):
        assert browser.get(f"{page_of(row)}place/").json() == {"before": 2}
    Transcription.objects.filter(pk=row.pk).update(status=Status.PROCESSING)
    assert browser.get(f"{page_of(row)}place/").json() == {"before": None}


def test_pages_run_what_we_serve_and_answers_for_programs_carry_no_policy(
    browser: Client, ann: User
) -> None:
    row = row_of(ann, title="<script>alert(1)</script>", text="<b>bold</b>")
    page = browser.get(page_of(row))
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy
    assert "<script>alert" not in page.content.decode()
    answer = browser.get(f"/api/v1/transcriptions/{row.pk}/")
    assert "Content-Security-Policy" not in answer.headers


def test_a_sample_is_sent_by_ranges_and_nothing_else_of_the_folder(browser: Client) -> None:
    head = browser.head("/samples/english.wav")
    assert (head.status_code, head.headers["Accept-Ranges"]) == (200, "bytes")
    assert browser.get("/samples/README.md").status_code == 404
    assert Client().get("/samples/english.wav").status_code == 302


def test_a_text_whose_audio_was_deleted_says_so_and_offers_no_sound(
    browser: Client, ann: User
) -> None:
    row = row_of(ann, text="kept")
    page = browser.get(page_of(row)).content.decode()
    assert "The audio was deleted; the text is kept." in page
    assert f"{row.pk}/audio/" not in page
    assert f"{row.pk}/download/?format=srt" in page


def test_what_was_cancelled_is_opened_once_its_text_is_joined(browser: Client, ann: User) -> None:
    row = row_of(ann, status=Status.CANCELLED, step="finish", text="")
    assert 'id="review"' not in browser.get(page_of(row)).content.decode()
    Transcription.objects.filter(pk=row.pk).update(step="over", text="so far")
    assert 'id="review"' in browser.get(page_of(row)).content.decode()


def test_a_failed_recording_says_why_and_offers_what_helps(browser: Client, ann: User) -> None:
    row = row_of(ann, status=Status.FAILED, error_code="worker_crashed")
    without = browser.get(page_of(row)).content.decode()
    assert "The worker broke on this recording several times." in without
    assert act(row, "retry") not in without  # its audio is gone
    row.audio.save("talk.wav", ContentFile(b"sound"))
    assert act(row, "retry") in browser.get(page_of(row)).content.decode()


def test_a_deletion_by_the_page_says_who_did_it(browser: Client, ann: User) -> None:
    row = row_of(ann, title="the merger")
    browser.post(act(row, "delete"))
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.via, entry.actor, entry.object_id) == (
        "transcription_deleted",
        "page",
        ann,
        str(row.pk),
    )


def test_a_page_says_when_audio_and_text_are_deleted(
    browser: Client, ann: User, data_dir: Path, settings: Any
) -> None:
    row = row_of(ann, completed_at=timezone.now().replace(year=2026, month=3, day=1))
    row.audio.save("talk.wav", ContentFile(b"sound"))
    assert "deleted on" not in browser.get(page_of(row)).content.decode()
    settings.TEXT_KEPT_DAYS = 31.0
    page = browser.get(page_of(row)).content.decode()
    assert "On April 1, 2026" in page
    assert "The audio is deleted on" not in page  # it goes with the text
    settings.AUDIO_KEPT_DAYS = 7.0
    page = browser.get(page_of(row)).content.decode()
    assert "The audio is deleted on March 8, 2026" in page
