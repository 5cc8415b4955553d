"""``DELETE /api/v1/transcriptions/{id}/audio/``: the recording goes, the text stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from tests.api.conftest import told, url_of
from transcription.models import Segment, Transcription

Status = Transcription.Status


@pytest.fixture
def row(ann: User, data_dir: Path) -> Transcription:
    row = Transcription.objects.create(
        owner=ann, status=Status.COMPLETED, step="over", text="what was said", size_bytes=5
    )
    row.audio.save("talk.wav", ContentFile(b"sound"))
    Segment.objects.create(
        transcription=row, index=0, start_seconds=0, end_seconds=1, text="what was said"
    )
    return row


def test_the_recording_goes_and_the_text_stays(row: Transcription, client_of_ann: Client) -> None:
    path = Path(row.audio.path)
    assert client_of_ann.get(url_of(row)).json()["links"]["audio"]

    assert client_of_ann.delete(url_of(row, "audio")).status_code == 204

    assert not path.exists()
    told_of = client_of_ann.get(url_of(row)).json()
    assert (told_of["text"], len(told_of["segments"])) == ("what was said", 1)
    assert told_of["links"]["audio"] is None
    assert client_of_ann.get(url_of(row, "audio")).status_code == 404
    # As often as one likes.
    assert client_of_ann.delete(url_of(row, "audio")).status_code == 204


def test_the_links_that_are_gone_are_described_as_such(
    row: Transcription, client_of_ann: Client
) -> None:
    client_of_ann.delete(url_of(row, "audio"))
    links = client_of_ann.get(url_of(row)).json()["links"]
    schema = SchemaGenerator().get_schema(request=None, public=True)
    described = schema["components"]["schemas"]["Links"]["properties"]
    assert {name for name, link in links.items() if link is None} == {
        name for name, one in described.items() if one.get("nullable")
    }


def test_it_cannot_be_tried_again_then(row: Transcription, client_of_ann: Client) -> None:
    Transcription.objects.filter(pk=row.pk).update(status=Status.FAILED)
    client_of_ann.delete(url_of(row, "audio"))
    assert told(client_of_ann.post(url_of(row, "retry"))) == (500, "recording_missing")


@pytest.mark.parametrize(
    ("status", "step"),
    [("queued", "prepare"), ("processing", "recognise"), ("cancelled", "finish")],
)
def test_what_is_still_needed_is_kept(
    row: Transcription, client_of_ann: Client, status: str, step: str
) -> None:
    Transcription.objects.filter(pk=row.pk).update(status=status, step=step)
    assert told(client_of_ann.delete(url_of(row, "audio"))) == (409, "wrong_status")
    assert Path(row.audio.path).exists()


def test_nobody_deletes_anothers(
    row: Transcription, stranger: Client, staff: Client, ann: User
) -> None:
    assert stranger.delete(url_of(row, "audio")).status_code == 404
    assert Path(row.audio.path).exists()
    assert staff.delete(url_of(row, "audio")).status_code == 204


def test_a_file_that_is_gone_already_is_no_hindrance(
    row: Transcription, client_of_ann: Client
) -> None:
    Path(row.audio.path).unlink()
    assert client_of_ann.delete(url_of(row, "audio")).status_code == 204
    row.refresh_from_db()
    assert not row.audio
