"""A transcript as a file to keep."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import url_of
from transcription.models import Segment, Transcription
from transcription.services.export import DOWNLOAD_FORMATS, safe_name

Status, Step = Transcription.Status, Transcription.Step


@pytest.fixture
def row(ann: User) -> Transcription:
    row = Transcription.objects.create(
        owner=ann,
        title="会议 1",
        status=Status.COMPLETED,
        step=Step.OVER,
        text="Hello. Good bye.",
        language="en",
        duration_seconds=4.0,
    )
    for index, text in enumerate(["Hello.", "Good bye."]):
        Segment.objects.create(
            transcription=row,
            index=index,
            start_seconds=index * 2.0,
            end_seconds=index * 2.0 + 1.5,
            text=text,
            words=[{"start": index * 2.0, "end": index * 2.0 + 1, "word": text, "probability": 1}],
        )
    return row


@pytest.mark.parametrize(
    ("query", "media_type", "start"),
    [
        ("", "text/plain; charset=utf-8", "Hello. Good bye.\n"),
        ("txt", "text/plain; charset=utf-8", "Hello. Good bye.\n"),
        ("SRT", "application/x-subrip; charset=utf-8", "1\n00:00:00,000 --> "),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n00:00:00.000 --> "),
        ("tsv", "text/tab-separated-values; charset=utf-8", "start\tend\ttext\n0\t1500\tHello.\n"),
    ],
)
def test_each_format_has_its_type_and_name(
    row: Transcription,
    client_of_ann: Client,
    query: str,
    media_type: str,
    start: str,
    django_assert_num_queries: Any,
) -> None:
    client_of_ann.get(url_of(row))
    # The token, the row, its segments, and the entry of the audit.
    with django_assert_num_queries(4):
        response = client_of_ann.get(
            url_of(row, "download"), {"format": query}, headers={"Accept": "text/html"}
        )

    assert response.status_code == 200
    assert response.content.decode().startswith(start)
    assert response.headers["Content-Type"] == media_type
    ending = query.lower() or "txt"
    assert (
        response.headers["Content-Disposition"]
        == f"attachment; filename*=utf-8''%E4%BC%9A%E8%AE%AE%201.{ending}"
    )


def test_json_has_everything(row: Transcription, client_of_ann: Client) -> None:
    shown = json.loads(client_of_ann.get(url_of(row, "download"), {"format": "json"}).content)

    assert (shown["text"], shown["language"], shown["duration_seconds"]) == (
        "Hello. Good bye.",
        "en",
        4.0,
    )
    assert shown["segments"][0]["words"] == [{"start": 0.0, "end": 1.0, "text": "Hello."}]


def test_docx_is_a_word_document(row: Transcription, client_of_ann: Client) -> None:
    response = client_of_ann.get(url_of(row, "download"), {"format": "docx"})

    assert response.headers["Content-Type"].endswith("wordprocessingml.document")
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert "会议 1" in archive.read("word/document.xml").decode()


def test_a_cancelled_one_gives_what_is_there(row: Transcription, client_of_ann: Client) -> None:
    Transcription.objects.update(status=Status.CANCELLED)

    assert client_of_ann.get(url_of(row, "download")).content == b"Hello. Good bye.\n"


@pytest.mark.parametrize("status", [Status.QUEUED, Status.PROCESSING, Status.FAILED])
def test_there_is_nothing_to_download_before_there_is_a_text(
    row: Transcription, client_of_ann: Client, status: str
) -> None:
    Transcription.objects.update(status=status)

    response = client_of_ann.get(url_of(row, "download"))

    assert (response.status_code, response.json()["code"]) == (409, "wrong_status")


def test_a_format_that_is_none_names_those_that_are(
    row: Transcription, client_of_ann: Client
) -> None:
    response = client_of_ann.get(url_of(row, "download"), {"format": "pdf"})

    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    [error] = response.json()["errors"]
    assert error["field"] == "format"
    assert all(name in error["message"] for name in DOWNLOAD_FORMATS)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Talk", "Talk"),
        ("../../etc/passwd", "etc passwd"),
        ("a\r\nSet-Cookie: x", "a Set-Cookie  x"),
        ('a"b\\c/d:e*f?g<h>i|j', "a b c d e f g h i j"),
        ("x" * 300, "x" * 100),
        ("txt\u202eexe", "txt exe"),
        ("...", ""),
        ("", ""),
    ],
)
def test_a_name_is_made_safe_for_every_file_system(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_one_without_any_name_is_called_by_its_id(
    row: Transcription, client_of_ann: Client
) -> None:
    Transcription.objects.update(title="", file_name="???.wav")

    response = client_of_ann.get(url_of(row, "download"))

    assert response.headers["Content-Disposition"] == f'attachment; filename="{row.pk}.txt"'
