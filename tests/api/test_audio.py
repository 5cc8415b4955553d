"""The recording itself, whole or in parts, as players ask for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import stored, url_of
from tests.served import Served, eventually
from transcription.models import Transcription

CONTENT = bytes(range(200)) * 5


@pytest.fixture
def row(ann: User, data_dir: Path) -> Transcription:
    return stored(ann, CONTENT, sha256="5e" * 32, file_name="My talk.wav")


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_the_whole_recording(row: Transcription, client_of_ann: Client, staff: Client) -> None:
    for client in (client_of_ann, staff):
        response = client.get(url_of(row, "audio"))

        assert (response.status_code, body_of(response)) == (200, CONTENT)
        assert response.headers["Content-Type"] == "audio/wav"
        assert response.headers["Content-Length"] == "1000"
        assert response.headers["Accept-Ranges"] == "bytes"
        assert response.headers["ETag"] == f'"{row.sha256}"'
        assert response.headers["Content-Disposition"] == 'inline; filename="My talk.wav"'
        assert response.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=990-", 990, 999), ("bytes=-5", 995, 999), ("bytes=0-", 0, 999)],
)
def test_a_part_of_it(
    row: Transcription, client_of_ann: Client, asked: str, first: int, last: int
) -> None:
    response = client_of_ann.get(
        url_of(row, "audio"), headers={"Range": asked, "If-Range": f'"{row.sha256}"'}
    )

    assert (response.status_code, body_of(response)) == (206, CONTENT[first : last + 1])
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/1000"
    assert response.headers["Content-Length"] == str(last - first + 1)


def test_a_part_of_another_file_is_answered_by_the_whole(
    row: Transcription, client_of_ann: Client
) -> None:
    response = client_of_ann.get(
        url_of(row, "audio"), headers={"Range": "bytes=0-9", "If-Range": '"of yesterday"'}
    )

    assert (response.status_code, body_of(response)) == (200, CONTENT)


def test_a_part_behind_the_end_is_refused(row: Transcription, client_of_ann: Client) -> None:
    response = client_of_ann.get(url_of(row, "audio"), headers={"Range": "bytes=1000-"})

    assert (response.status_code, response.content) == (416, b"")
    assert response.headers["Content-Range"] == "bytes */1000"


def test_head_tells_of_it_and_sends_nothing(row: Transcription, client_of_ann: Client) -> None:
    response = client_of_ann.head(url_of(row, "audio"), headers={"Range": "bytes=0-9"})

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == "1000"
    assert response.headers["Content-Type"] == "audio/wav"


def test_what_the_player_has_already_is_not_sent_again(
    row: Transcription, client_of_ann: Client
) -> None:
    response = client_of_ann.get(url_of(row, "audio"), headers={"If-None-Match": f'"{row.sha256}"'})

    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["ETag"] == f'"{row.sha256}"'


def test_what_is_not_known_to_be_sound_is_never_shown_by_a_browser(
    row: Transcription, client_of_ann: Client
) -> None:
    Transcription.objects.update(content_type="text/html", file_name='<script>"\r\nX: y.html')

    response = client_of_ann.get(url_of(row, "audio"))

    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert response.headers["Content-Security-Policy"].endswith("; sandbox")
    assert "X" not in response.headers
    response.close()


@pytest.mark.parametrize("accept", ["audio/*", "*/*", "audio/webm,audio/ogg,*/*;q=0.5"])
def test_players_may_accept_what_they_like(
    row: Transcription, client_of_ann: Client, accept: str
) -> None:
    response = client_of_ann.get(url_of(row, "audio"), headers={"Accept": accept})

    assert body_of(response) == CONTENT


@pytest.mark.parametrize("audio", ["", "audio/gone.wav"])
def test_a_recording_that_was_deleted_is_not_there(
    row: Transcription, client_of_ann: Client, audio: str
) -> None:
    Transcription.objects.update(audio=audio)

    assert client_of_ann.get(url_of(row, "audio")).status_code == 404


def test_a_large_recording_is_sent_in_pieces_that_take_no_memory(
    serve_standing: Callable[..., Served], token: str
) -> None:
    served = serve_standing()
    size_bytes = 300 * 1024 * 1024
    path = served.data_dir / "media" / "audio" / "long.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size_bytes)
    row = Transcription.objects.create(
        owner=User.objects.get(username="ann"), audio="audio/long.wav", content_type="audio/wav"
    )
    path_of_audio, sent = url_of(row, "audio"), {"Authorization": f"Token {token}"}
    assert served.request("HEAD", path_of_audio, headers=sent).headers["content-length"] == str(
        size_bytes
    )
    before = served.rss_bytes()

    connection = served.connect()
    connection.request("GET", path_of_audio, headers=sent)
    response = connection.getresponse()
    read = most = 0
    while piece := response.read(4 * 1024 * 1024):
        read += len(piece)
        most = max(most, served.rss_bytes())
    connection.close()
    part = served.request(
        "GET", path_of_audio, headers={**sent, "Range": f"bytes={size_bytes - 3}-"}
    )

    assert read == size_bytes
    assert most - before < 60 * 1024 * 1024
    assert (part.status, part.body) == (206, b"\0\0\0")


def test_a_listener_who_leaves_holds_no_file(
    serve_standing: Callable[..., Served], token: str
) -> None:
    served = serve_standing()
    path = served.data_dir / "media" / "left.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    row = Transcription.objects.create(
        owner=User.objects.get(username="ann"), audio="left.wav", content_type="audio/wav"
    )
    connection = served.connect()
    connection.request("GET", url_of(row, "audio"), headers={"Authorization": f"Token {token}"})
    connection.getresponse().read(1000)
    assert holds(served, path)

    connection.close()

    eventually(lambda: not holds(served, path))


def holds(served: Served, path: Path) -> bool:
    for handle in Path(f"/proc/{served.process.pid}/fd").iterdir():
        try:
            if handle.readlink() == path:
                return True
        except FileNotFoundError:  # closed between the two calls
            continue
    return False
