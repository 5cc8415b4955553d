"""The form of a request, with a named file or a nameless one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import told
from transcription.models import Transcription

URL = "/v1/audio/transcriptions"
#: Bytes that are no text in any encoding of today, and more than fits into one piece.
SOUND = bytes(range(256)) * 3000


def part(name: str, content: bytes, **headers: str) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"' + headers.pop("extra", "")
    lines = [disposition, *(f"{key}: {value}" for key, value in headers.items())]
    return b"--B\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def post(client: Client, *parts: bytes, end: bytes = b"--B--\r\n", url: str = URL) -> Any:
    return client.post(url, b"".join(parts) + end, content_type="multipart/form-data; boundary=B")


@pytest.fixture(autouse=True)
def no_wait(settings: Any, data_dir: Path, transactional_db: None) -> None:
    settings.OPENAI_WAIT_SECONDS = 0.0


@pytest.mark.parametrize("url", [URL, URL + "/"])
@pytest.mark.parametrize("extra", ["", '; filename=""', '; filename=".."', '; filename="a.wav"'])
def test_the_file_arrives_byte_for_byte_whatever_it_is_called(
    client_of_ann: Client, extra: str, url: str
) -> None:
    response = post(client_of_ann, part("file", SOUND, extra=extra), url=url)

    assert told(response) == (503, "wait_ended")
    row = Transcription.objects.get()
    assert Path(row.audio.path).read_bytes() == SOUND
    assert row.file_name == ("a.wav" if "a.wav" in extra else "upload")


def test_fields_may_stand_around_the_file_and_other_files_are_passed_over(
    client_of_ann: Client, settings: Any
) -> None:
    post(
        client_of_ann,
        part("prompt", "显存".encode()),
        part("cover", SOUND, extra='; filename="cover.png"'),
        part("file", SOUND),
        part("language", b"zh"),
    )

    row = Transcription.objects.get()
    assert (row.prompt, row.language_hint, row.size_bytes) == ("显存", "zh", len(SOUND))
    assert list(settings.INCOMING_DIR.iterdir()) == []


@pytest.mark.parametrize(
    ("parts", "end", "status", "code"),
    [
        ([], b"--B--\r\n", 400, "file_missing"),
        ([part("audio", SOUND)], b"--B--\r\n", 400, "file_missing"),
        ([part("file", b"")], b"--B--\r\n", 400, "empty_file"),
        ([part("file", SOUND), part("file", SOUND)], b"--B--\r\n", 400, "invalid"),
        ([part("file", SOUND)], b"", 400, "file_missing"),
        (
            [part("file", b"UklGRg==", **{"Content-Transfer-Encoding": "base64"})],
            b"--B--\r\n",
            400,
            "malformed_request",
        ),
        ([part("file", SOUND), part("prompt", b"x" * 1_100_000)], b"--B--\r\n", 400, "invalid"),
        ([part("file", SOUND), *[part("x", b"")] * 1001], b"--B--\r\n", 400, "malformed_request"),
        ([b"--B\r\n" + b"x" * 9000], b"", 400, "malformed_request"),
    ],
    ids=["nothing", "another name", "empty", "two", "cut off", "base64", "too much", "too many",
         "no head"],
)  # fmt: skip
def test_a_form_that_is_wrong_is_refused_and_nothing_of_it_is_kept(
    client_of_ann: Client,
    settings: Any,
    parts: list[bytes],
    end: bytes,
    status: int,
    code: str,
) -> None:
    assert told(post(client_of_ann, *parts, end=end)) == (status, code)
    assert not Transcription.objects.exists()
    assert list(settings.INCOMING_DIR.iterdir()) == []


# --- the shape of errors, wherever they come from ---------------------------------------------


def test_every_error_below_v1_has_all_four_keys(client_of_ann: Client, ann: User) -> None:
    answers = [
        (client_of_ann.get("/v1/nothing"), 404, "invalid_request_error", "not_found"),
        (client_of_ann.get("/v1/models/gpt-5"), 404, "invalid_request_error", "not_found"),
        (client_of_ann.get(URL), 405, "invalid_request_error", "method_not_allowed"),
        (client_of_ann.post("/v1/models"), 405, "invalid_request_error", "method_not_allowed"),
        (
            client_of_ann.post(URL, b"{}", content_type="application/json"),
            415,
            "invalid_request_error",
            "unsupported_media_type",
        ),
        (Client().get("/v1/models"), 401, "authentication_error", "authentication_required"),
        (post(Client(), part("file", SOUND)), 401, "authentication_error",
         "authentication_required"),
    ]  # fmt: skip
    for response, status, kind, code in answers:
        body = response.json()
        assert set(body) == {"error"}
        assert set(body["error"]) == {"message", "type", "param", "code"}
        assert (response.status_code, body["error"]["type"], body["error"]["code"]) == (
            status,
            kind,
            code,
        )


def test_the_limits_of_the_transcribe_route_hold_here_too_and_are_shared_with_it(
    client_of_ann: Client, settings: Any
) -> None:
    settings.RATE_USER = "2/m"
    settings.SYNC_WAIT_SECONDS = 0.0
    from tests.api.conftest import URL as TRANSCRIBE
    from tests.api.conftest import wav

    assert client_of_ann.post(TRANSCRIBE, {"file": wav()}).status_code == 202
    assert told(post(client_of_ann, part("file", SOUND))) == (503, "wait_ended")
    refused = post(client_of_ann, part("file", SOUND))

    assert told(refused) == (429, "rate_limited")
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert int(refused.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("code", "repeats"),
    [("worker_crashed", False), ("cancelled", False), ("service_unavailable", True),
     ("rate_limited", True), ("wait_ended", True)],
)  # fmt: skip
def test_the_client_is_told_where_a_repetition_is_of_no_use(code: str, repeats: bool) -> None:
    from transcription.api.openai.shape import error_headers

    assert (error_headers(code).get("x-should-retry") != "false") is repeats


def test_a_body_that_is_too_large_is_refused_in_this_shape(serve_standing: Any, token: str) -> None:
    served = serve_standing(ASR_MAX_UPLOAD_MB="1", ASR_KEEP_ALIVE_SECONDS="0.05")

    known = served.post_file(2 * 1024 * 1024, token, path=URL)
    stranger = served.post_file(100 * 1024, path=URL)

    assert (known.status, known.json["error"]["code"]) == (413, "body_too_large")
    assert (stranger.status, stranger.json["error"]["code"]) == (
        413,
        "body_too_large_without_token",
    )
