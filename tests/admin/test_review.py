"""The reviewing page within the admin's frame."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from transcription.models import Segment, Transcription

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> User:
    user = User.objects.create_user("staff", is_staff=True)
    client.force_login(user)
    return user


@pytest.fixture
def row() -> Transcription:
    return Transcription.objects.create(
        title="Talk", status="completed", step="over", duration_seconds=1234.5
    )


def may(user: User, what: str) -> None:
    user.user_permissions.add(Permission.objects.get(codename=f"{what}_transcription"))


def url_of(row: Transcription) -> str:
    return reverse("admin:transcription_transcription_review", args=[row.pk])


def test_who_may_change_transcriptions_reviews_them(
    client: Client, staff: User, row: Transcription
) -> None:
    may(staff, "change")
    page = client.get(url_of(row)).content.decode()
    assert f'data-api="/api/v1/transcriptions/{row.pk}/"' in page
    # Numbers for scripts are never written the way of a language.
    assert 'data-duration="1234.5"' in page
    zh = client.get(url_of(row), headers={"Accept-Language": "zh-hans"}).content.decode()
    assert 'data-duration="1234.5"' in zh


def test_who_may_only_look_does_not(client: Client, staff: User, row: Transcription) -> None:
    may(staff, "view")
    assert client.get(url_of(row)).status_code == 403


def test_strangers_are_sent_to_the_log_in(client: Client, row: Transcription) -> None:
    assert client.get(url_of(row)).status_code == 302


def test_one_that_is_not_there_and_one_that_has_no_text_yet(
    client: Client, staff: User, row: Transcription
) -> None:
    may(staff, "change")
    waiting = Transcription.objects.create()
    assert "no finished text" in client.get(url_of(waiting)).content.decode()
    waiting.pk = "00000000-0000-0000-0000-000000000000"
    assert client.get(url_of(waiting)).status_code == 404


def test_the_list_and_the_page_of_one_lead_there(
    client: Client, staff: User, row: Transcription
) -> None:
    may(staff, "change")
    waiting = Transcription.objects.create()
    changes = reverse("admin:transcription_transcription_changelist")
    listed = client.get(changes).content.decode()
    assert url_of(row) in listed
    assert url_of(waiting) not in listed
    page = reverse("admin:transcription_transcription_change", args=[row.pk])
    assert url_of(row) in client.get(page).content.decode()


def test_the_page_costs_the_same_however_long_the_text_is(
    client: Client, staff: User, row: Transcription, django_assert_num_queries
) -> None:
    may(staff, "change")
    Segment.objects.bulk_create(
        Segment(transcription=row, index=at, start_seconds=at, end_seconds=at + 1, text="word")
        for at in range(200)
    )
    # Session, user, the transcription, and the user's permissions in two.
    with django_assert_num_queries(5):
        client.get(url_of(row))


def test_nothing_of_it_is_inline(client: Client, staff: User, row: Transcription) -> None:
    may(staff, "change")
    page = client.get(url_of(row)).content.decode()
    editor = page[page.index('<section id="review"') : page.index("</section>")]
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*src=)", editor)
