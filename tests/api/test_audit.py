"""What callers of the API delete, fetch and revoke is entered; what they read is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from tests.api.conftest import LIST_URL, stored, url_of
from transcription.models import ApiToken, AuditEntry, Transcription
from transcription.services import browser_tokens, tokens

CONTENT = bytes(range(200)) * 5


@pytest.fixture
def row(ann: User, data_dir: Path) -> Transcription:
    return stored(
        ann,
        CONTENT,
        title="the merger",
        file_name="talk.wav",
        text="we buy them",
        status="completed",
        step="over",
        completed_at=timezone.now(),
    )


def session_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def entered() -> list[tuple[str, str, str, str, str]]:
    """What was entered: the action, its detail, who, by which way, whose."""
    return list(
        AuditEntry.objects.order_by("pk").values_list(
            "action", "detail", "actor_name", "via", "owner_name"
        )
    )


def test_a_deletion_names_the_token_with_which_it_was_asked_for(
    row: Transcription, client_of_ann: Client
) -> None:
    answer = client_of_ann.delete(url_of(row), headers={"X-Request-ID": "my-request"})
    assert answer.status_code == 204
    assert entered() == [("transcription_deleted", "", "ann", "api", "ann")]
    entry = AuditEntry.objects.get()
    assert entry.token_name == str(ApiToken.objects.get())
    assert (entry.object_id, entry.request_id) == (str(row.pk), "my-request")


def test_a_session_is_a_page(row: Transcription, ann: User) -> None:
    browser = session_of(ann)
    browser.get(url_of(row, "download"), {"format": "srt"})
    browser.delete(url_of(row, "audio"))
    browser.delete(url_of(row, "audio"))
    assert entered() == [
        ("exported", "srt", "ann", "page", "ann"),
        ("audio_deleted", "", "ann", "page", "ann"),
    ]
    assert set(AuditEntry.objects.values_list("token_name", flat=True)) == {""}


def test_a_browser_token_is_that_of_its_api_token(row: Transcription, ann: User) -> None:
    parent = tokens.create(ann, name="front end")[0]
    token, subject, _ends = browser_tokens.create(ann, parent=parent)
    Transcription.objects.update(subject=subject)
    caller_with = Client(headers={"Authorization": f"Bearer {token}"})
    assert caller_with.get(url_of(row, "download")).status_code == 200
    assert entered() == [("exported", "txt", "ann", "api", "ann")]
    assert AuditEntry.objects.get().token_name == str(parent)


def test_who_has_the_link_to_a_result_is_entered_without_a_name(row: Transcription) -> None:
    link = browser_tokens.create_for_result(row.pk)
    answer = Client().get(url_of(row, "download"), {"result_token": link})
    assert answer.status_code == 200
    assert entered() == [("exported", "txt", "", "link", "ann")]


def test_what_is_refused_or_only_looked_at_is_no_export(
    row: Transcription, client_of_ann: Client, stranger: Client, staff: Client
) -> None:
    assert client_of_ann.get(url_of(row, "download"), {"format": "exe"}).status_code == 400
    assert stranger.get(url_of(row, "download")).status_code == 404
    assert stranger.delete(url_of(row)).status_code == 404
    assert client_of_ann.head(url_of(row, "download")).status_code == 200
    for client in (client_of_ann, staff):
        for address in (LIST_URL, url_of(row), url_of(row, "segments")):
            assert client.get(address).status_code == 200
    Transcription.objects.update(status="processing", step="recognise")
    assert client_of_ann.get(url_of(row, "download")).status_code == 409
    assert client_of_ann.delete(url_of(row, "audio")).status_code == 409
    assert entered() == []


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_staff_who_listen_to_anothers_recording_are_entered_once_for_all_its_parts(
    row: Transcription, client_of_ann: Client, staff: Client, ann: User
) -> None:
    address = url_of(row, "audio")
    for first in (0, 100, 200):
        part = staff.get(address, headers={"Range": f"bytes={first}-{first + 99}"})
        assert body_of(part) == CONTENT[first : first + 100]
    assert body_of(staff.get(address)) == CONTENT
    assert entered() == [("exported", "audio", "root", "api", "ann")]

    # Who has sent it in may hear it, and nobody's business is it how often.
    body_of(client_of_ann.get(address))
    User.objects.filter(pk=ann.pk).update(is_staff=True)
    body_of(client_of_ann.get(address))
    assert len(entered()) == 1


def test_what_sends_nothing_of_a_recording_is_no_export(row: Transcription, staff: Client) -> None:
    address = url_of(row, "audio")
    assert staff.head(address).status_code == 200
    assert staff.get(address, headers={"Range": "bytes=5000-"}).status_code == 416
    etag = staff.head(address).headers["ETag"]
    assert staff.get(address, headers={"If-None-Match": etag}).status_code == 304
    assert entered() == []


def test_nothing_is_sent_that_cannot_be_entered(
    row: Transcription, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **more: object) -> None:
        raise RuntimeError("the database fails")

    monkeypatch.setattr(AuditEntry, "save", refuse)
    monkeypatch.setattr(AuditEntry.objects, "bulk_create", refuse)
    for action in ("audio", "download"):
        with pytest.raises(RuntimeError):
            staff.get(url_of(row, action))


def test_a_revoked_token_is_entered_with_the_one_that_revoked_it(
    client_of_ann: Client, ann: User
) -> None:
    row, secret = tokens.create(ann, name="web shop")
    for _ in range(2):
        assert client_of_ann.delete(f"/api/v1/tokens/{row.pk}/").status_code == 204
    assert entered() == [("token_revoked", secret[:12], "ann", "api", "ann")]
    entry = AuditEntry.objects.get()
    assert (entry.object_type, entry.object_id) == ("token", str(row.pk))
    assert entry.token_name.startswith("of the test (")


def test_people_are_told_until_when_it_is_kept(
    row: Transcription, client_of_ann: Client, settings: Any
) -> None:
    told = client_of_ann.get(url_of(row)).json()
    assert (told["audio_kept_until"], told["kept_until"]) == (None, None)

    settings.AUDIO_KEPT_DAYS, settings.TEXT_KEPT_DAYS = 7.0, 30.0
    told = client_of_ann.get(url_of(row)).json()
    assert row.completed_at is not None
    assert parse_datetime(told["audio_kept_until"]) == row.completed_at + timedelta(days=7)
    assert parse_datetime(told["kept_until"]) == row.completed_at + timedelta(days=30)
    # As all times of the answer are written.
    assert told["kept_until"][-1] == told["completed_at"][-1] == "Z"

    client_of_ann.delete(url_of(row, "audio"))
    assert client_of_ann.get(url_of(row)).json()["audio_kept_until"] is None
    Transcription.objects.update(status="queued", step="prepare", completed_at=None)
    assert client_of_ann.get(url_of(row)).json()["kept_until"] is None


def test_lists_cost_nothing_more_for_it(row: Transcription, client_of_ann: Client) -> None:
    [listed] = client_of_ann.get(LIST_URL).json()["results"]
    assert "kept_until" not in listed
