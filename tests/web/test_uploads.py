"""The file of a request on its way to the disk."""

from __future__ import annotations

import gc
import hashlib
import threading
from pathlib import Path
from typing import Any

from django.http import HttpRequest
from django.test import RequestFactory

from tests.served import Served
from transcription.models import Transcription
from transcription.web.uploads import DurableUpload

MIB = 1024 * 1024


def parsed(*files: tuple[str, str, bytes]) -> HttpRequest:
    """A request whose body Django has read: field, name and content of each file in it."""
    body = b"".join(
        f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: audio/wav\r\n\r\n".encode()
        + content
        + b"\r\n"
        for field, name, content in files
    )
    request = RequestFactory().generic(
        "POST", "/", body + b"--x--\r\n", content_type="multipart/form-data; boundary=x"
    )
    request.FILES  # noqa: B018  reads the body
    return request


def test_a_file_lies_complete_in_the_incoming_folder_with_its_digest(
    data_dir: Path, settings: Any
) -> None:
    content = bytes(range(256)) * 2800 + b"end"

    request = parsed(("file", "a.wav", content))
    upload = request.FILES["file"]

    assert isinstance(upload, DurableUpload)
    assert upload.path.parent == settings.INCOMING_DIR
    assert upload.path.stat().st_mode & 0o777 == 0o600
    assert upload.path.read_bytes() == upload.read() == content
    assert upload.size == len(content)
    assert upload.sha256 == hashlib.sha256(content).hexdigest()
    assert upload.head == content[:4096]
    request.close()


def test_a_file_that_nobody_accepted_goes_when_the_request_does(
    data_dir: Path, settings: Any
) -> None:
    request = parsed(("file", "a.wav", b"0123456789"))
    assert list(settings.INCOMING_DIR.iterdir())

    request.close()

    assert not list(settings.INCOMING_DIR.iterdir())


def test_a_file_goes_even_if_the_request_is_just_forgotten(data_dir: Path, settings: Any) -> None:
    request = parsed(("file", "a.wav", b"0123456789"))
    request.FILES["file"].file.close()  # Python would say so where we forget it

    del request
    gc.collect()

    assert not list(settings.INCOMING_DIR.iterdir())


def test_an_accepted_file_is_renamed_and_stays(data_dir: Path, settings: Any) -> None:
    request = parsed(("file", "a.wav", b"0123456789"))
    upload = request.FILES["file"]
    assert isinstance(upload, DurableUpload)

    kept = upload.path.rename(data_dir / "kept")
    request.close()

    assert kept.stat().st_size == 10


def test_an_empty_file_is_a_file_of_no_bytes(data_dir: Path) -> None:
    request = parsed(("file", "a.wav", b""))

    upload = request.FILES["file"]

    assert isinstance(upload, DurableUpload)
    assert (upload.size, upload.head) == (0, b"")
    request.close()


def test_files_in_other_fields_never_touch_the_disk(data_dir: Path, settings: Any) -> None:
    request = parsed(("avatar", "me.png", bytes(1000)), ("file", "a.wav", b"0123456789"))

    assert [upload.size for upload in request.FILES.values()] == [10]
    assert len(list(settings.INCOMING_DIR.iterdir())) == 1
    request.close()


def test_the_name_that_a_client_gives_is_no_path(data_dir: Path, settings: Any) -> None:
    request = parsed(("file", "../../etc/cron.d/evil", b"0123456789"))

    upload = request.FILES["file"]

    assert upload.name == "evil"
    assert [path.parent for path in settings.INCOMING_DIR.iterdir()] == [settings.INCOMING_DIR]
    request.close()


def test_three_hundred_megabytes_pass_through_a_web_process_that_stays_small(
    serve: Any, token: str
) -> None:
    served: Served = serve(ASR_SYNC_WAIT_SECONDS="0")
    served.post_file(MIB, token)  # what is loaded at the first upload is not the file's
    before = served.rss_bytes()
    largest = before
    over = threading.Event()

    def watch() -> None:
        nonlocal largest
        while not over.wait(0.01):
            largest = max(largest, served.rss_bytes())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        answer = served.post_file(300 * MIB, token)
    finally:
        over.set()
        watching.join()

    assert answer.status == 202
    row = Transcription.objects.get(pk=answer.json["data"]["id"])
    assert row.size_bytes == 300 * MIB
    assert (largest - before) < 16 * MIB
