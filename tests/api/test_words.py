"""Times of single words through the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.api.conftest import LIST_URL, URL, wav
from transcription.models import Segment, SpeechModel, Transcription
from transcription.services.errors import ERRORS


@pytest.mark.parametrize("url", [URL, LIST_URL])
@pytest.mark.parametrize(
    ("fields", "wanted"), [({}, False), ({"words": "true"}, True), ({"words": "0"}, False)]
)
def test_words_are_wanted_where_they_are_asked_for(
    client_of_ann: Client, at_once: None, url: str, fields: dict[str, Any], wanted: bool
) -> None:
    assert client_of_ann.post(url, {"file": wav(), **fields}).status_code == 202
    assert Transcription.objects.get().want_words is wanted


@pytest.mark.parametrize("url", [URL, LIST_URL])
def test_what_is_neither_yes_nor_no_is_refused(
    client_of_ann: Client, at_once: None, url: str
) -> None:
    response = client_of_ann.post(url, {"file": wav(), "words": "perhaps"})
    assert response.status_code == 400
    assert "words" in response.content.decode()
    assert not Transcription.objects.exists()


@pytest.mark.parametrize("url", [URL, LIST_URL])
def test_words_that_no_model_gives_are_refused_in_words(
    client_of_ann: Client, at_once: None, url: str
) -> None:
    SpeechModel.objects.create(name="qwen", engine="qwen3_asr", gives_words=False)
    response = client_of_ann.post(url, {"file": wav(), "words": "true"})
    assert response.status_code == ERRORS["words_unavailable"].status == 422
    told = response.content.decode()
    assert "'qwen' gives none" in told
    assert "fetch_model qwen3-forced-aligner" in told
    assert not Transcription.objects.exists()


def test_the_detail_shows_the_words_of_each_segment(client_of_ann: Client, at_once: None) -> None:
    client_of_ann.post(URL, {"file": wav(), "words": "true"})
    row = Transcription.objects.get()
    words = [{"start": 0.4, "end": 0.8, "word": "Yes.", "probability": None}]
    Segment.objects.create(
        transcription=row, index=0, start_seconds=0.4, end_seconds=0.8, text="Yes.", words=words
    )
    row.step, row.status = Transcription.Step.OVER, Transcription.Status.COMPLETED
    row.save()
    shown = client_of_ann.get(f"{LIST_URL}{row.pk}/").json()
    assert shown["want_words"] is True
    assert shown["segments"][0]["words"] == words
