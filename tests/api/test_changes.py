"""What a person may ask of a transcription: change, cancel, retry, delete, its segments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import LIST_URL, PostAndEnd, caller, told, url_of
from transcription.models import ApiToken, Chunk, LeasedWork, Segment, SpeechModel, Transcription

Status, Step, State = Transcription.Status, Transcription.Step, LeasedWork.State
JSON = "application/json"


@pytest.fixture
def row(ann: User, data_dir: Path) -> Transcription:
    name = "audio/talk.wav"
    path = Path(settings.MEDIA_ROOT, name)
    path.parent.mkdir()
    path.write_bytes(b"RIFF")
    return Transcription.objects.create(owner=ann, audio=name, title="Talk")


ACTIONS = [
    ("patch", ""),
    ("delete", ""),
    ("post", "cancel"),
    ("post", "retry"),
    ("get", "audio"),
    ("get", "download"),
    ("get", "segments"),
    ("get", "events"),
]


@pytest.mark.parametrize(("method", "action"), ACTIONS)
def test_a_strangers_transcription_is_not_there_for_anything(
    row: Transcription, stranger: Client, method: str, action: str
) -> None:
    assert told(getattr(stranger, method)(url_of(row, action))) == (404, "not_found")
    assert told(getattr(Client(), method)(url_of(row, action))) == (401, "authentication_required")
    assert Transcription.objects.filter(pk=row.pk, status=Status.QUEUED).exists()


@pytest.mark.parametrize(("method", "action"), ACTIONS[:4])
def test_a_token_for_reading_changes_nothing_and_staff_need_a_full_one(
    row: Transcription, ann: User, method: str, action: str
) -> None:
    boss = User.objects.create_user("boss", is_staff=True)

    for client in (caller(ann, ApiToken.Scope.READ), caller(boss, ApiToken.Scope.TRANSCRIBE)):
        answer = getattr(client, method)(url_of(row, action))
        assert told(answer) == (403, "permission_denied")

    assert Transcription.objects.get() == row


# --- patch ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [ApiToken.Scope.TRANSCRIBE, ApiToken.Scope.FULL])
def test_the_title_is_changed_at_any_time(row: Transcription, ann: User, scope: str) -> None:
    Transcription.objects.update(status=Status.COMPLETED, step=Step.OVER, text="Hello.")

    response = caller(ann, scope).patch(url_of(row), {"title": "会议 1"}, content_type=JSON)

    assert (response.status_code, response.json()["title"]) == (200, "会议 1")
    assert response.json()["text"] == "Hello."
    row.refresh_from_db()
    assert (row.title, row.text) == ("会议 1", "Hello.")


def test_the_language_hint_is_changed_before_the_work_begins(
    row: Transcription, client_of_ann: Client
) -> None:
    response = client_of_ann.patch(url_of(row), {"language_hint": "zh-CN"}, content_type=JSON)

    assert (response.status_code, response.json()["language_hint"]) == (200, "zh")
    client_of_ann.patch(url_of(row), {"language_hint": ""}, content_type=JSON)
    row.refresh_from_db()
    assert row.language_hint == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"state": State.LEASED},
        {"status": Status.PROCESSING},
        {"status": Status.COMPLETED, "step": Step.OVER},
    ],
)
def test_a_language_hint_that_comes_too_late_is_refused_and_nothing_else_is_changed(
    row: Transcription, client_of_ann: Client, changes: dict[str, Any]
) -> None:
    Transcription.objects.update(**changes)

    response = client_of_ann.patch(
        url_of(row), {"language_hint": "en", "title": "new"}, content_type=JSON
    )

    assert told(response) == (409, "wrong_status")
    row.refresh_from_db()
    assert (row.language_hint, row.title) == ("", "Talk")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"language_hint": "klingon"}, "unknown_language"),
        ({"language_hint": "fr"}, "unknown_language"),
        ({"title": "x" * 201}, "invalid"),
        ({"title": "a\0b"}, "invalid"),
    ],
)
def test_a_change_to_something_that_is_not_there_is_refused(
    row: Transcription, client_of_ann: Client, fields: dict[str, str], code: str
) -> None:
    SpeechModel.objects.create(name="chinese", engine="fake", languages=["zh"])

    assert told(client_of_ann.patch(url_of(row), fields, content_type=JSON)) == (400, code)


# --- cancel, retry, delete --------------------------------------------------------------------


def test_cancelling_stops_the_work_and_keeps_what_is_there(
    row: Transcription, client_of_ann: Client
) -> None:
    response = client_of_ann.post(url_of(row, "cancel"))

    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert told(client_of_ann.post(url_of(row, "cancel"))) == (409, "wrong_status")


def test_a_cancelled_one_is_started_again(row: Transcription, client_of_ann: Client) -> None:
    assert told(client_of_ann.post(url_of(row, "retry"))) == (409, "wrong_status")
    client_of_ann.post(url_of(row, "cancel"))

    response = client_of_ann.post(url_of(row, "retry"))

    assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert response.headers["Location"].endswith(url_of(row))


def test_staff_may_do_so_for_others(row: Transcription, staff: Client) -> None:
    assert staff.post(url_of(row, "cancel")).status_code == 200
    assert staff.delete(url_of(row)).status_code == 204


def test_deleting_removes_row_and_files(row: Transcription, client_of_ann: Client) -> None:
    response = client_of_ann.delete(url_of(row))

    assert (response.status_code, response.content) == (204, b"")
    assert not Transcription.objects.exists()
    assert not Path(row.audio.path).exists()
    assert told(client_of_ann.delete(url_of(row))) == (404, "not_found")


# --- create and wait --------------------------------------------------------------------------


def test_who_waits_gets_the_whole_result(client_of_ann: Client, post_and_end: PostAndEnd) -> None:
    response = post_and_end(
        client_of_ann,
        f"{LIST_URL}?wait=60",
        status=Status.COMPLETED,
        step=Step.OVER,
        text="Hello.",
    )

    assert (response.status_code, response.json()["text"]) == (201, "Hello.")
    assert response.headers["Location"].endswith(url_of(Transcription.objects.get()))


def test_who_has_waited_long_enough_gets_the_link(client_of_ann: Client, at_once: None) -> None:
    from tests.api.conftest import wav

    # The longest wait that is set counts, and is none here.
    response = client_of_ann.post(f"{LIST_URL}?wait=60", {"file": wav()})

    assert (response.status_code, response.json()["status"]) == (202, "queued")


@pytest.mark.parametrize("wait", ["soon", "-1", "nan"])
def test_a_wait_that_is_no_time_is_refused_and_nothing_is_kept(
    client_of_ann: Client, data_dir: Path, wait: str
) -> None:
    from tests.api.conftest import wav

    assert told(client_of_ann.post(f"{LIST_URL}?wait={wait}", {"file": wav()})) == (400, "invalid")
    assert not Transcription.objects.exists()


# --- segments ---------------------------------------------------------------------------------


def test_segments_come_in_pages(
    row: Transcription, client_of_ann: Client, django_assert_num_queries: Any
) -> None:
    Transcription.objects.update(status=Status.COMPLETED, step=Step.OVER)
    Segment.objects.bulk_create(
        Segment(
            transcription=row,
            index=index,
            start_seconds=index,
            end_seconds=index + 1,
            text=f"{index}.",
        )
        for index in range(5)
    )
    client_of_ann.get(LIST_URL)

    with django_assert_num_queries(3):  # the token, the row, the page
        page = client_of_ann.get(url_of(row, "segments"), {"page_size": 2}).json()
    assert page["previous"] is None
    found = page["results"]
    while page["next"]:
        page = client_of_ann.get(page["next"]).json()
        found += page["results"]

    assert [one["text"] for one in found] == ["0.", "1.", "2.", "3.", "4."]
    assert set(found[0]) == {"index", "start_seconds", "end_seconds", "text", "language", "words"}
    back = client_of_ann.get(page["previous"]).json()
    assert [one["index"] for one in back["results"]] == [2, 3]


def test_segments_so_far_can_be_read_while_it_runs(
    row: Transcription, client_of_ann: Client
) -> None:
    Transcription.objects.update(status=Status.PROCESSING, step=Step.RECOGNISE)
    for start in (0, 10):
        Chunk.objects.create(
            transcription=row,
            start_sample=start * 16_000,
            end_sample=(start + 10) * 16_000,
            model_name="fake",
            state=State.DONE,
            language="en",
            segments=[{"start": start, "end": start + 10, "text": f"at {start}"}],
        )

    page = client_of_ann.get(url_of(row, "segments"), {"page_size": 1}).json()
    assert [one["text"] for one in page["results"]] == ["at 0"]
    page = client_of_ann.get(page["next"]).json()
    assert ([one["text"] for one in page["results"]], page["next"]) == (["at 10"], None)


@pytest.mark.parametrize("query", [{"start": "-1"}, {"page_size": "0"}, {"start": "x"}])
def test_a_page_of_segments_that_is_none_is_refused(
    row: Transcription, client_of_ann: Client, query: dict[str, str]
) -> None:
    assert told(client_of_ann.get(url_of(row, "segments"), query)) == (400, "invalid")
