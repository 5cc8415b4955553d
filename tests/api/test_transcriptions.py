"""``/api/v1/transcriptions/``: jobs that are made now and asked for later."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import LIST_URL, caller, url_of, wav
from transcription.models import ApiToken, Chunk, Segment, SpeechModel, Transcription

Status = Transcription.Status
HEAVY = {"text", "segments", "prompt"}


def chunk(row: Transcription, start_seconds: float, text: str, **fields: Any) -> Chunk:
    return Chunk.objects.create(
        transcription=row,
        start_sample=int(start_seconds * 16_000),
        end_sample=int((start_seconds + 10) * 16_000),
        model_name="whisper-base",
        text=text,
        segments=[{"start": start_seconds, "end": start_seconds + 10, "text": text}],
        **{"state": Chunk.State.DONE, "language": "en", **fields},
    )


# --- whose they are ---------------------------------------------------------------------------


def test_people_see_their_own_and_staff_see_everybodys(
    ann: User, client_of_ann: Client, stranger: Client, staff: Client
) -> None:
    row = Transcription.objects.create(owner=ann)
    ownerless = Transcription.objects.create()

    def seen_by(client: Client) -> set[str]:
        return {one["id"] for one in client.get(LIST_URL).json()["results"]}

    assert seen_by(client_of_ann) == {str(row.pk)}
    assert seen_by(stranger) == set()
    assert seen_by(staff) == {str(row.pk), str(ownerless.pk)}


def test_a_strangers_transcription_is_not_there(
    ann: User, client_of_ann: Client, stranger: Client, staff: Client
) -> None:
    row = Transcription.objects.create(owner=ann)

    assert client_of_ann.get(url_of(row)).status_code == 200
    assert staff.get(url_of(row)).status_code == 200
    refused = stranger.get(url_of(row))
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    anonymous = Client().get(url_of(row))
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "authentication_required")


@pytest.mark.parametrize("name", ["no-uuid", "00000000-0000-0000-0000-000000000000", "..%2f"])
def test_an_id_that_nothing_has_is_not_found(client_of_ann: Client, name: str) -> None:
    response = client_of_ann.get(f"{LIST_URL}{name}/")

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


# --- lists ------------------------------------------------------------------------------------


def test_a_list_costs_two_queries_and_carries_nothing_heavy(
    ann: User, client_of_ann: Client, django_assert_num_queries: Any
) -> None:
    model = SpeechModel.objects.create(name="whisper-base", engine="whisper")
    for _ in range(15):
        Transcription.objects.create(owner=ann, model=model, model_name=model.name, text="long")
    client_of_ann.get(LIST_URL)  # writes down that the token is used

    with django_assert_num_queries(2) as queries:  # the token and its user, the page
        results = client_of_ann.get(LIST_URL).json()["results"]

    assert len(results) == 15
    assert not HEAVY & set(results[0])
    assert '"text"' not in queries.captured_queries[-1]["sql"]
    assert '"prompt"' not in queries.captured_queries[-1]["sql"]


def test_pages_go_from_the_newest_to_the_oldest_and_miss_nothing_that_comes_between(
    ann: User, client_of_ann: Client
) -> None:
    rows = [Transcription.objects.create(owner=ann) for _ in range(7)]
    # As after a bulk of uploads in one moment: the time alone does not order them.
    Transcription.objects.filter(pk__in=[row.pk for row in rows[:4]]).update(
        created_at=rows[0].created_at
    )

    page = client_of_ann.get(LIST_URL, {"page_size": 3}).json()
    assert page["previous"] is None
    assert [one["id"] for one in page["results"]] == [str(row.pk) for row in rows[:3:-1]]
    Transcription.objects.create(owner=ann)
    found = page["results"]
    while page["next"]:
        page = client_of_ann.get(page["next"]).json()
        found += page["results"]

    assert {one["id"] for one in found} == {str(row.pk) for row in rows}
    assert len(found) == 7


def test_a_page_is_never_larger_than_a_hundred(ann: User, client_of_ann: Client) -> None:
    Transcription.objects.bulk_create([Transcription(owner=ann) for _ in range(101)])

    assert len(client_of_ann.get(LIST_URL, {"page_size": 1000}).json()["results"]) == 100


# --- one of them ------------------------------------------------------------------------------


def test_a_completed_one_has_its_text_and_segments(
    ann: User, client_of_ann: Client, django_assert_num_queries: Any
) -> None:
    row = Transcription.objects.create(
        owner=ann,
        file_name="talk.wav",
        status=Status.COMPLETED,
        step=Transcription.Step.OVER,
        text="Hello. Good bye.",
        language="en",
        duration_seconds=4.5,
        processed_seconds=4.5,
        model_name="whisper-base",
        warnings=["partial_audio"],
    )
    for index, text in enumerate(["Hello.", "Good bye."]):
        Segment.objects.create(
            transcription=row,
            index=index,
            start_seconds=index * 2.0,
            end_seconds=index * 2.0 + 1.5,
            text=text,
            language="en",
        )
    client_of_ann.get(LIST_URL)

    with django_assert_num_queries(3):  # the token, the row, its segments
        shown = client_of_ann.get(url_of(row)).json()

    assert shown["id"] == str(row.pk)
    assert shown["owner"] == "ann"
    assert (shown["status"], shown["progress"]) == ("completed", 1.0)
    assert (shown["text"], shown["language"], shown["duration_seconds"]) == (
        "Hello. Good bye.",
        "en",
        4.5,
    )
    assert shown["model"] == "whisper-base"
    assert shown["warnings"] == ["partial_audio"]
    assert shown["error"] is None
    assert shown["segments"][1] == {
        "index": 1,
        "start_seconds": 2.0,
        "end_seconds": 3.5,
        "text": "Good bye.",
        "language": "en",
        "words": None,
    }
    assert shown["links"]["self"] == shown["url"] == f"http://testserver{url_of(row)}"


def test_while_it_runs_the_text_so_far_can_be_read_in_its_order(
    ann: User, client_of_ann: Client, django_assert_num_queries: Any
) -> None:
    row = Transcription.objects.create(
        owner=ann,
        status=Status.PROCESSING,
        step=Transcription.Step.RECOGNISE,
        duration_seconds=60.0,
        speech_seconds=40.0,
        processed_seconds=20.0,
    )
    # Finished in another order than they are heard in, one still to come between them.
    chunk(row, 20.0, "and the end.")
    chunk(row, 10.0, "", state=Chunk.State.PENDING)
    chunk(row, 0.0, "The beginning")
    client_of_ann.get(LIST_URL)

    with django_assert_num_queries(3):
        shown = client_of_ann.get(url_of(row)).json()

    assert (shown["status"], shown["progress"]) == ("processing", 0.5)
    assert shown["text"] == "The beginning and the end."
    assert [(one["index"], one["start_seconds"]) for one in shown["segments"]] == [
        (0, 0.0),
        (1, 20.0),
    ]
    assert shown["completed_at"] is None


@pytest.mark.parametrize(
    ("polish", "text", "segments"),
    [
        ("off", "we walk to the park . then", ["we walk", "to the park . then"]),
        ("rules", "We walk to the park. Then", ["We walk", "to the park. Then"]),
        # The model runs at the end, in a worker.
        ("model", "We walk to the park. Then", ["We walk", "to the park. Then"]),
    ],
)
def test_the_text_so_far_is_polished_as_it_will_be_but_has_no_end(
    ann: User, client_of_ann: Client, polish: str, text: str, segments: list[str]
) -> None:
    row = Transcription.objects.create(
        owner=ann, status=Status.PROCESSING, step=Transcription.Step.RECOGNISE, polish=polish
    )
    chunk(row, 0.0, "we walk")
    chunk(row, 10.0, "to the park . then")

    shown = client_of_ann.get(url_of(row)).json()

    assert (shown["text"], shown["polish"], shown["languages"]) == (text, polish, [])
    assert [one["text"] for one in shown["segments"]] == segments


def test_chinese_text_so_far_is_joined_without_spaces_and_in_the_characters_that_are_set(
    ann: User, client_of_ann: Client, settings: Any
) -> None:
    settings.CHINESE_SCRIPT = "simplified"
    row = Transcription.objects.create(
        owner=ann, status=Status.PROCESSING, step=Transcription.Step.RECOGNISE
    )
    chunk(row, 0.0, "今天我們", language="zh")
    chunk(row, 10.0, "討論。", language="zh")

    shown = client_of_ann.get(url_of(row)).json()

    assert shown["text"] == "今天我们讨论。"
    assert shown["segments"][1]["text"] == "讨论。"


def test_a_cancelled_one_keeps_what_is_there(ann: User, client_of_ann: Client) -> None:
    # Cancelled a moment ago: its finishing step has yet to join the text.
    row = Transcription.objects.create(
        owner=ann, status=Status.CANCELLED, step=Transcription.Step.FINISH
    )
    chunk(row, 0.0, "What is there.")

    assert client_of_ann.get(url_of(row)).json()["text"] == "What is there."


def test_a_failed_one_says_why(ann: User, client_of_ann: Client) -> None:
    row = Transcription.objects.create(
        owner=ann,
        status=Status.FAILED,
        step=Transcription.Step.OVER,
        error_code="audio_too_long",
        error_message="The recording is longer than 6 hours.",
    )

    assert client_of_ann.get(url_of(row)).json()["error"] == {
        "code": "audio_too_long",
        "message": "The recording is longer than 6 hours.",
    }


# --- making one -------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [LIST_URL, LIST_URL.rstrip("/")])
def test_a_recording_is_accepted_at_once_with_the_address_of_its_result(
    client_of_ann: Client, data_dir: None, url: str
) -> None:
    response = client_of_ann.post(url, {"file": wav(), "language": "en", "prompt": "Qwen"})

    row = Transcription.objects.get()
    assert response.status_code == 202
    assert response.headers["Location"] == f"http://testserver{url_of(row)}"
    assert response.json()["id"] == str(row.pk)
    assert response.json()["status"] == "queued"
    assert not HEAVY & set(response.json())
    shown = client_of_ann.get(response.headers["Location"]).json()
    assert (shown["language_hint"], shown["prompt"], shown["file_name"]) == (
        "en",
        "Qwen",
        "talk.wav",
    )


def test_what_is_wrong_with_a_field_is_told_by_field(client_of_ann: Client, data_dir: None) -> None:
    response = client_of_ann.post(LIST_URL, {"file": wav(), "language": "x" * 41})

    body = response.json()
    assert (response.status_code, body["code"]) == (400, "invalid")
    assert [error["field"] for error in body["errors"]] == ["language"]
    assert body["request_id"] == response.headers["X-Request-ID"]


def test_without_a_file_nothing_is_made(client_of_ann: Client, data_dir: None) -> None:
    response = client_of_ann.post(LIST_URL, {"language": "en"})

    assert (response.status_code, response.json()["code"]) == (400, "file_missing")
    assert not Transcription.objects.exists()


@pytest.mark.parametrize(
    ("scope", "status"),
    [(ApiToken.Scope.READ, 403), (ApiToken.Scope.TRANSCRIBE, 202), (ApiToken.Scope.FULL, 202)],
)
def test_a_token_for_reading_reads_and_makes_nothing(
    ann: User, data_dir: None, scope: str, status: int
) -> None:
    client = caller(ann, scope)

    assert client.get(LIST_URL).status_code == 200
    assert client.post(LIST_URL, {"file": wav()}).status_code == status


def test_what_is_not_offered_is_refused(ann: User, client_of_ann: Client) -> None:
    row = Transcription.objects.create(owner=ann)

    response = client_of_ann.put(url_of(row))

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


# --- the rest of the API ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/", "/api/v1/nothing", "/api/v2/transcribe"])
def test_an_address_of_the_api_that_is_none_says_so_in_json(
    client_of_ann: Client, path: str
) -> None:
    for client in (client_of_ann, Client()):
        response = client.get(path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_other_addresses_that_are_none_show_a_page(db: None) -> None:
    response = Client().get("/nothing/")

    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")


def test_staff_can_try_the_api_in_a_browser_that_has_no_internet(ann: User, settings: Any) -> None:
    User.objects.update(is_staff=True)
    browser = Client(headers={"Accept": "text/html"})
    browser.force_login(ann)
    Transcription.objects.create(owner=ann)

    for url in ("/api/v1/", LIST_URL, "/api/v1/auth/login/"):
        page = browser.get(url).content.decode()
        outside = re.findall(r'(?:src|href)="((?:https?:)?//[^"]+)"', page)
        # A link that a person may click, and nothing that the page itself needs.
        assert [link for link in outside if "testserver" not in link] == [
            link for link in outside if link.startswith("https://www.django-rest-framework.org")
        ]
        for asset in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
            assert browser.get(asset).status_code == 200, asset
    assert 'type="file"' in browser.get(LIST_URL).content.decode()
