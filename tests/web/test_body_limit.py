"""Large bodies: who may send one where, and what is left of those that are turned away."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.served import Form, Served, eventually
from transcription.models import Transcription
from transcription.web.body_limit import (
    Address,
    Allowance,
    Limits,
    address_of,
    allowance,
    has_room,
    size_in_words,
)

Serve = Callable[..., Served]
MIB = 1024 * 1024
LIMITS = Limits(upload_bytes=1000, form_bytes=100, anonymous_upload_bytes=50, anonymous_bytes=10)


@pytest.mark.parametrize(
    ("address", "known_caller", "expected"),
    [
        (Address.TAKES_FILES, True, (1000, "body_too_large")),
        (Address.TAKES_FILES, False, (10, "body_too_large_without_token")),
        (Address.TAKES_FILES_OF_ANYBODY, True, (1000, "body_too_large")),
        (Address.TAKES_FILES_OF_ANYBODY, False, (50, "body_too_large_without_token")),
        (Address.KNOWN, True, (100, "no_upload_here")),
        (Address.KNOWN, False, (10, "body_too_large_without_token")),
        (Address.UNKNOWN, True, (10, "no_upload_here")),
        (Address.UNKNOWN, False, (10, "no_upload_here")),
    ],
)
def test_only_a_known_caller_may_send_much_and_only_where_files_are_taken(
    address: Address, known_caller: bool, expected: tuple[int, str]
) -> None:
    assert allowance(address, known_caller=known_caller, limits=LIMITS) == Allowance(
        limit_bytes=expected[0], error_code=expected[1]
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/transcribe", Address.TAKES_FILES),
        ("/api/v1/transcribe/", Address.TAKES_FILES),
        ("/api/v1/transcriptions", Address.TAKES_FILES),
        ("/api/v1/transcriptions/", Address.TAKES_FILES),
        ("/v1/audio/transcriptions", Address.TAKES_FILES),
        ("/v1/audio/transcriptions/", Address.TAKES_FILES),
        ("/v1/models", Address.KNOWN),
        ("/api/v1/transcriptions/7f0c/", Address.KNOWN),
        ("/api/v1/transcriptions/7f0c/cancel", Address.KNOWN),
        ("/health", Address.KNOWN),
        ("/admin/login/", Address.KNOWN),
        ("/api/v1/nothing", Address.UNKNOWN),
        ("/", Address.KNOWN),
        ("/nothing/", Address.UNKNOWN),
    ],
)
def test_the_addresses_that_take_files_say_so_themselves(path: str, expected: Address) -> None:
    assert address_of(path) is expected


def test_strangers_are_welcome_at_the_transcribe_route_alone_and_only_if_it_is_set(
    settings: Any,
) -> None:
    settings.ALLOW_ANONYMOUS = True
    assert address_of("/api/v1/transcribe") is Address.TAKES_FILES_OF_ANYBODY
    assert address_of("/api/v1/transcriptions/") is Address.TAKES_FILES


def test_an_upload_needs_room_for_two_copies_beside_what_stays_free() -> None:
    assert has_room(free_bytes=300, coming_bytes=100, kept_free_bytes=100)
    assert not has_room(free_bytes=299, coming_bytes=100, kept_free_bytes=100)


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(10, "10 bytes"), (64 * 1024, "64 KiB"), (3 * MIB // 2, "1.5 MiB"), (2048 * MIB, "2 GiB")],
)
def test_sizes_are_told_in_words(size_bytes: int, words: str) -> None:
    assert size_in_words(size_bytes) == words


def nothing_is_left(served: Served) -> None:
    eventually(lambda: not served.incoming and not served.open_spools())
    assert not Transcription.objects.exists()
    assert not list((served.data_dir / "media").rglob("*.*"))


def test_a_body_over_the_limit_gets_413_and_leaves_nothing_behind(serve: Serve, token: str) -> None:
    served = serve(ASR_MAX_UPLOAD_MB="1")

    for chunked in (False, True):
        # 40 MiB: far more than any buffer on the way holds, so whoever sends all of it before
        # reading gets the answer only because the rest is taken and dropped.
        answer = served.post_file(40 * MIB, token, chunked=chunked)

        assert answer.status == 413
        assert answer.json == {
            "code": 2003,
            "message": "The request is larger than 1 MiB. "
            "Send a shorter or more compressed recording.",
            "data": None,
        }
    assert served.post_file(2 * MIB, token, path="/api/v1/transcriptions/").json["code"] == (
        "body_too_large"
    )
    nothing_is_left(served)


def test_a_stranger_gets_413_for_a_body_that_a_token_would_let_in(serve: Serve) -> None:
    served = serve(ASR_RATE_ANON="1000/m")
    nobody = [
        {},
        {"Authorization": "Bearer asr_nobody-has-this"},
        {"Authorization": "Token"},
        {"Authorization": "Basic YW5uOmFubg=="},
        {"Cookie": "sessionid=nobodyhasthis"},
    ]

    for headers in nobody:
        for chunked in (False, True):
            answer = served.post_file(MIB, chunked=chunked, headers=headers)

            assert answer.status == 413, headers
            assert answer.json["code"] == 2008
            assert "64 KiB" in answer.json["message"]
            assert "Authorization" in answer.json["message"]
    nothing_is_left(served)


def test_an_address_that_is_none_takes_no_large_body_even_with_a_token(
    serve: Serve, token: str
) -> None:
    served = serve()

    answer = served.post_file(5 * MIB, token, path="/api/v1/transcripe")

    assert (answer.status, answer.json["code"]) == (413, "no_upload_here")
    # While a small one finds out that there is nothing.
    assert served.post_file(10, token, path="/api/v1/transcripe").status == 404
    nothing_is_left(served)


def test_a_revoked_token_lets_nothing_large_in(serve: Serve, token: str) -> None:
    from transcription.models import ApiToken
    from transcription.services import audit, tokens

    tokens.revoke(ApiToken.objects.get(), audit.Actor.of_command())

    assert serve().post_file(MIB, token).status == 413


def test_a_client_that_asks_first_sends_nothing_of_a_body_that_is_refused(serve: Serve) -> None:
    served = serve()
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(
            b"POST /api/v1/transcribe HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n"
        )
        first_line = connection.makefile("rb").readline()

    assert first_line.startswith(b"HTTP/1.1 413 ")


def test_uploads_are_refused_while_the_disk_is_nearly_full_and_logging_in_is_not(
    serve: Serve, token: str
) -> None:
    served = serve(ASR_MIN_FREE_DISK_MB=str(2**40))

    for chunked in (False, True):
        # Without a declared length it is seen once something lies on the disk.
        answer = served.post_file(40 * MIB, token, chunked=chunked)
        assert answer.status == 507
        assert answer.json["code"] == 2007
    assert served.post_file(1000, token).status == 507
    assert served.request("GET", "/admin/login/").status == 200
    nothing_is_left(served)


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(serve: Serve, token: str) -> None:
    served = serve()
    form = Form.of_size(20 * MIB)
    connection = served.connect()
    connection.putrequest("POST", "/api/v1/transcribe")
    connection.putheader("Content-Type", form.content_type)
    connection.putheader("Content-Length", str(len(form)))
    connection.putheader("Authorization", f"Token {token}")
    connection.endheaders()
    pieces = iter(form)
    for _ in range(20):
        connection.send(next(pieces))
    eventually(lambda: bool(served.open_spools()))

    connection.close()

    nothing_is_left(served)
    assert served.request("GET", "/health").status == 200


def test_a_body_within_the_limit_arrives_whole_however_it_is_sent(serve: Serve, token: str) -> None:
    served = serve(ASR_SYNC_WAIT_SECONDS="0")
    form = Form.of_size(3 * MIB + 5)
    content = b"".join(form)[len(form.head) : -len(form.tail)]

    for chunked in (False, True):
        answer = served.post_file(3 * MIB + 5, token, chunked=chunked)

        assert answer.status == 202
        row = Transcription.objects.get(pk=answer.json["data"]["id"])
        assert Path(served.data_dir, "media", str(row.audio.name)).read_bytes() == content
        assert row.size_bytes == len(content)
        assert row.sha256 == hashlib.sha256(content).hexdigest()
    assert not served.incoming


def test_a_logged_in_person_may_upload_too(serve: Serve, token: str) -> None:
    from django.contrib.auth.models import User
    from django.test import Client

    browser = Client()
    browser.force_login(User.objects.get())
    session = browser.cookies["sessionid"].value
    csrf = "c" * 32
    served = serve(ASR_SYNC_WAIT_SECONDS="0")

    answer = served.post_file(
        MIB, headers={"Cookie": f"sessionid={session}; csrftoken={csrf}", "X-CSRFToken": csrf}
    )
    assert answer.status == 202
    # A page of another origin can send the cookie, but not the token.
    answer = served.post_file(MIB, headers={"Cookie": f"sessionid={session}; csrftoken={csrf}"})
    assert (answer.status, answer.json["code"]) == (403, 1011)
    eventually(lambda: not served.incoming)


def test_a_refusal_is_like_any_other_answer(serve: Serve) -> None:
    served = serve(ASR_CORS_ORIGINS="https://shop.example")

    answer = served.post_file(
        MIB, headers={"Origin": "https://shop.example", "X-Request-ID": "upload-7"}
    )

    assert answer.status == 413
    # A page of the other origin may read it…
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    # …and whoever reports it has an id that the log knows.
    assert answer.headers["x-request-id"] == "upload-7"
    assert re.search(
        r" - ASRBackend - INFO - POST /api/v1/transcribe 413 \d+\.\d\ds \[upload-7\]", served.log
    )


def test_what_is_not_the_transcribe_route_answers_with_a_code_in_words(serve: Serve) -> None:
    answer = serve().post_file(MIB, path="/api/v1/transcriptions/")

    body = json.loads(answer.body)
    assert body["code"] == "body_too_large_without_token"
    assert body["request_id"] == answer.headers["x-request-id"]
