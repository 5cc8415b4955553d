"""``POST /api/v1/transcribe``, as front ends written for the handbook call it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from tests.api.conftest import URL, caller, wav
from transcription.models import ApiToken, SpeechModel, Transcription
from transcription.services import idempotency
from transcription.services.errors import ERRORS

Status = Transcription.Status
PostAndEnd = Callable[..., HttpResponse]
COMPLETED = {
    "status": Status.COMPLETED,
    "text": "今天我们要讨论。",
    "language": "zh",
    "duration_seconds": 4.2304,
    "model_name": "whisper-base",
}


def envelope_of(code: str) -> tuple[int, dict[str, Any]]:
    kind = ERRORS[code]
    return kind.status, {"code": kind.number, "message": kind.words, "data": None}


def told(response: HttpResponse) -> tuple[int, Any]:
    return response.status_code, response.json()  # type: ignore[attr-defined]


@pytest.mark.parametrize("url", [URL, URL + "/"])
def test_the_answer_is_the_text_in_the_handbooks_envelope(
    client_of_ann: Client, post_and_end: PostAndEnd, url: str
) -> None:
    response = post_and_end(client_of_ann, url, **COMPLETED)

    row = Transcription.objects.get()
    assert told(response) == (
        200,
        {
            "code": 0,
            "message": "success",
            "data": {
                "text": "今天我们要讨论。",
                "language": "zh",
                "duration_sec": 4.23,
                "model": "whisper-base",
                "id": str(row.pk),
            },
        },
    )
    assert row.owner == User.objects.get(username="ann")
    assert row.request_id == response.headers["X-Request-ID"]


def test_languages_are_named_where_a_recording_has_more_than_one(
    client_of_ann: Client, post_and_end: PostAndEnd
) -> None:
    languages = [{"language": "zh", "share": 0.8}, {"language": "en", "share": 0.2}]
    alone = [{"language": "zh", "share": 1.0}]

    mixed = told(post_and_end(client_of_ann, **COMPLETED, languages=languages))[1]["data"]
    assert (mixed["language"], mixed["languages"]) == ("zh", languages)

    Transcription.objects.all().delete()
    single = told(post_and_end(client_of_ann, **COMPLETED, languages=alone))[1]["data"]
    assert "languages" not in single


def test_a_request_says_how_far_its_text_is_polished(
    client_of_ann: Client, at_once: None, settings: Any, tmp_path: Any
) -> None:
    settings.WEIGHTS_DIR = tmp_path
    for polish, status in (("off", 202), ("true", 202), ("", 202), ("model", 422), ("nice", 400)):
        response = client_of_ann.post(URL, {"file": wav(), "polish": polish})
        assert response.status_code == status, told(response)
        if status == 422:
            assert "fetch_model punct-cap-seg-47lang" in told(response)[1]["message"]
            assert told(response)[1]["code"] == ERRORS["polish_model_unavailable"].number
    decided = Transcription.objects.order_by("created_at").values_list("polish", flat=True)
    assert list(decided) == ["off", "rules", "rules"]


def test_a_recording_without_speech_has_an_empty_text_and_no_language(
    client_of_ann: Client, post_and_end: PostAndEnd
) -> None:
    silence = {**COMPLETED, "text": "", "language": ""}

    response = post_and_end(client_of_ann, **silence)

    _, body = told(response)
    assert (body["code"], body["data"]["text"], body["data"]["language"]) == (0, "", None)


@pytest.mark.parametrize(
    "code", ["not_audio", "no_audio_track", "worker_crashed", "recognition_failed"]
)
def test_a_recording_that_cannot_be_recognised_says_why(
    client_of_ann: Client, post_and_end: PostAndEnd, code: str
) -> None:
    response = post_and_end(client_of_ann, status=Status.FAILED, error_code=code)

    assert told(response) == envelope_of(code)


def test_an_error_with_a_figure_in_it_keeps_the_figure(
    client_of_ann: Client, post_and_end: PostAndEnd
) -> None:
    response = post_and_end(
        client_of_ann,
        status=Status.FAILED,
        error_code="audio_too_long",
        error_message="The recording is longer than 6 hours. Cut it.",
    )

    assert told(response)[1]["message"] == "The recording is longer than 6 hours. Cut it."


def test_a_cancelled_recording_says_so(client_of_ann: Client, post_and_end: PostAndEnd) -> None:
    response = post_and_end(client_of_ann, status=Status.CANCELLED)

    assert told(response) == envelope_of("cancelled")


def test_a_recording_that_is_deleted_meanwhile_is_not_found(
    client_of_ann: Client, transactional_db: None, data_dir: Path, monkeypatch: Any
) -> None:
    from transcription.api import transcribe

    def deleted_meanwhile(row_id: Any, *args: Any, **kwargs: Any) -> bool:
        Transcription.objects.get(pk=row_id).delete()
        return True

    monkeypatch.setattr(transcribe, "wait_until_final", deleted_meanwhile)

    assert told(client_of_ann.post(URL, {"file": wav()})) == envelope_of("not_found")


@pytest.mark.django_db(transaction=True)
def test_what_takes_longer_than_the_wait_gets_202_and_a_link(
    client_of_ann: Client, data_dir: Path, settings: Any
) -> None:
    settings.SYNC_WAIT_SECONDS = 0.2

    response = client_of_ann.post(URL, {"file": wav()})

    row = Transcription.objects.get()
    assert told(response) == (
        202,
        {
            "code": 5001,
            "message": ERRORS["still_processing"].words,
            "data": {
                "id": str(row.pk),
                "status": "queued",
                "progress": 0.0,
                "url": f"/api/v1/transcriptions/{row.pk}/",
                "queue_paused": False,
            },
        },
    )
    assert response.headers["Location"] == f"/api/v1/transcriptions/{row.pk}/"
    assert int(response.headers["Retry-After"]) > 0
    assert client_of_ann.get(response.headers["Location"]).status_code == 200


# --- what is sent -----------------------------------------------------------------------------


def test_the_optional_fields_reach_the_transcription(client_of_ann: Client, at_once: None) -> None:
    SpeechModel.objects.create(name="whisper-base", engine="whisper")

    client_of_ann.post(
        URL,
        {"file": wav(), "language": "zh-CN", "prompt": "Qwen, 显存", "model": "whisper-base"},
    )

    row = Transcription.objects.get()
    assert (row.language_hint, row.prompt, row.requested_model) == (
        "zh",
        "Qwen, 显存",
        "whisper-base",
    )
    assert (row.file_name, row.content_type) == ("talk.wav", "audio/wav")


@pytest.mark.parametrize("fields", [{}, {"language": "", "model": "", "prompt": ""},
                                    {"language": "auto", "model": "auto"}])  # fmt: skip
def test_what_is_left_out_is_found_out_by_the_service(
    client_of_ann: Client, at_once: None, fields: dict[str, str]
) -> None:
    assert client_of_ann.post(URL, {"file": wav(), **fields}).status_code == 202

    row = Transcription.objects.get()
    assert (row.language_hint, row.prompt, row.requested_model) == ("", "", "")


@pytest.mark.parametrize(
    ("fields", "status", "number"),
    [
        ({}, 400, 2001),
        ({"audio": wav()}, 400, 2001),
        ({"file": "not a file but a field"}, 400, 2001),
        ({"file": wav(b"")}, 400, 2002),
        ({"file": wav(), "language": "klingon"}, 400, 2004),
        ({"file": wav(), "model": "gpt"}, 400, 2005),
        ({"file": wav(), "prompt": "x" * 2001}, 400, 2006),
        ({"file": [wav(), wav()]}, 400, 1010),
        ({"file": wav(), "language": "x" * 41}, 400, 1010),
        ({"file": wav(), "prompt": "a\0b"}, 400, 1010),
        ({"file": "x" * (1024 * 1024 + 1)}, 400, 1010),
    ],
)
def test_what_is_wrong_with_a_request_is_told_and_nothing_of_it_is_kept(
    client_of_ann: Client,
    at_once: None,
    settings: Any,
    fields: dict[str, Any],
    status: int,
    number: int,
) -> None:
    answer = told(client_of_ann.post(URL, fields))

    assert answer[0] == status
    assert (answer[1]["code"], answer[1]["data"]) == (number, None)
    assert len(answer[1]["message"]) > 20
    assert not Transcription.objects.exists()
    assert not list(settings.INCOMING_DIR.iterdir())
    assert not list(settings.MEDIA_ROOT.rglob("*.*"))


@pytest.mark.parametrize("content_type", ["application/json", "audio/wav", "text/plain"])
def test_a_body_that_is_no_form_with_a_file_gets_415(
    client_of_ann: Client, at_once: None, content_type: str
) -> None:
    response = client_of_ann.post(URL, b"{}", content_type=content_type)

    assert told(response) == envelope_of("unsupported_media_type")


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_that_cannot_be_read_gets_400(
    client_of_ann: Client, at_once: None, content_type: str
) -> None:
    response = client_of_ann.post(URL, b"--x--", content_type=content_type)

    assert told(response) == envelope_of("malformed_request")


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_every_method_but_post_gets_405_with_or_without_a_token(
    client_of_ann: Client, method: str
) -> None:
    for client in (client_of_ann, Client()):
        response = getattr(client, method)(URL)
        assert response.status_code == 405
        assert response.headers["Allow"] == "POST"
        if method != "head":
            assert told(response) == envelope_of("method_not_allowed")


def test_the_answer_is_json_whatever_the_accept_header_says(
    client_of_ann: Client, at_once: None
) -> None:
    response = client_of_ann.post(URL, {"file": wav()}, headers={"Accept": "text/html, audio/*"})

    assert response.status_code == 202
    assert response.headers["Content-Type"] == "application/json"


# --- who asks ---------------------------------------------------------------------------------


def test_without_a_token_it_says_which_header_to_send(db: None, at_once: None) -> None:
    response = Client().post(URL, {"file": wav()})

    assert told(response) == envelope_of("authentication_required")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "token", "BEARER"])
def test_both_words_in_front_of_a_token_are_understood(
    ann: User, at_once: None, scheme: str
) -> None:
    from transcription.services import tokens

    _, token = tokens.create(ann, name="of the test")
    client = Client(headers={"Authorization": f"{scheme} {token}"})

    assert client.post(URL, {"file": wav()}).status_code == 202


@pytest.mark.parametrize(
    "change",
    [
        {"revoked_at": timezone.now()},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"digest": "0" * 64},
    ],
    ids=["revoked", "expired", "unknown"],
)
def test_a_token_that_is_no_longer_good_is_refused(
    client_of_ann: Client, at_once: None, change: dict[str, Any]
) -> None:
    ApiToken.objects.update(**change)

    response = client_of_ann.post(URL, {"file": wav()})

    assert told(response) == envelope_of("invalid_token")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_token_of_somebody_who_may_not_log_in_is_refused(
    client_of_ann: Client, at_once: None
) -> None:
    User.objects.update(is_active=False)

    assert told(client_of_ann.post(URL, {"file": wav()})) == envelope_of("invalid_token")


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("transcribe", 202), ("full", 202)])
def test_a_token_for_reading_transcribes_nothing(
    ann: User, at_once: None, scope: str, status: int
) -> None:
    response = caller(ann, scope).post(URL, {"file": wav()})

    assert response.status_code == status
    if status == 403:
        assert told(response) == envelope_of("permission_denied")


def test_a_page_of_another_origin_cannot_use_the_session_of_a_browser(
    ann: User, at_once: None
) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ann)

    assert told(browser.post(URL, {"file": wav()})) == envelope_of("csrf_failed")


# --- how often --------------------------------------------------------------------------------


def test_strangers_are_limited_by_address_and_people_with_a_token_are_not(
    client_of_ann: Client, at_once: None, settings: Any
) -> None:
    settings.RATE_ANON = "2/m"
    stranger = Client(headers={"Authorization": "Token asr_guessed"})

    # An address that the stranger invents counts as little as a guessed token.
    statuses = [
        stranger.post(URL, {"file": wav()}, headers={"X-Forwarded-For": f"203.0.113.{n}"})
        for n in range(2)
    ] + [Client().post(URL, {"file": wav()})]

    assert [response.status_code for response in statuses] == [401, 401, 429]
    assert told(statuses[-1]) == envelope_of("rate_limited")
    assert 1 <= int(statuses[-1].headers["Retry-After"]) <= 65
    assert client_of_ann.post(URL, {"file": wav()}).status_code == 202
    elsewhere = Client(REMOTE_ADDR="198.51.100.7")
    assert elsewhere.post(URL, {"file": wav()}).status_code == 401


def test_each_token_has_a_limit_of_its_own(
    ann: User, client_of_ann: Client, at_once: None, settings: Any
) -> None:
    settings.RATE_USER = "2/m"

    answers = [client_of_ann.post(URL, {"file": wav()}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert told(answers[-1]) == envelope_of("rate_limited")
    assert caller(ann).post(URL, {"file": wav()}).status_code == 202
    assert Transcription.objects.count() == 3


# --- when something is broken -----------------------------------------------------------------


def test_a_database_that_fails_is_said_to_be_temporary(
    client_of_ann: Client, at_once: None, settings: Any
) -> None:
    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("INSERT"):
            raise OperationalError("the disk is on fire")
        return execute(sql, *rest)

    with connection.execute_wrapper(fail):
        response = client_of_ann.post(URL, {"file": wav()})

    assert told(response) == envelope_of("service_unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert not list(settings.INCOMING_DIR.iterdir())
    assert not list(settings.MEDIA_ROOT.rglob("*.*"))


def test_a_disk_that_fills_up_while_the_file_is_written_is_said_to_be_full(
    client_of_ann: Client, at_once: None, settings: Any, monkeypatch: Any
) -> None:
    import errno

    from transcription.web import uploads

    def no_room(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(uploads.os, "fsync", no_room)

    assert told(client_of_ann.post(URL, {"file": wav()})) == envelope_of("storage_full")
    assert not list(settings.INCOMING_DIR.iterdir())


def test_a_mistake_of_ours_is_told_with_the_id_to_report(
    client_of_ann: Client, at_once: None, monkeypatch: Any
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(idempotency, "submit", broken)
    client_of_ann.raise_request_exception = False

    response = client_of_ann.post(URL, {"file": wav()}, headers={"X-Request-ID": "case-42"})

    status, body = told(response)
    assert (status, body["code"], body["data"]) == (500, 5003, None)
    assert "case-42" in body["message"]
