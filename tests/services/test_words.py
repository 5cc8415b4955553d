"""Asking for times of single words: who can be asked, and what is known of that."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings as django_settings

from transcription.models import SpeechModel, Transcription
from transcription.services.errors import ServiceError
from transcription.services.submit import IncomingFile, submit

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def incoming() -> IncomingFile:
    path = Path(django_settings.INCOMING_DIR, "arrived")
    path.write_bytes(b"RIFF....WAVEfmt ")
    return IncomingFile(
        path=path, file_name="talk.wav", size_bytes=16, sha256="ab" * 32, head=path.read_bytes()
    )


def model(name: str, gives_words: bool | None, **fields: object) -> SpeechModel:
    return SpeechModel.objects.create(name=name, engine="fake", gives_words=gives_words, **fields)


def test_words_are_refused_where_the_model_is_known_to_give_none(incoming) -> None:
    model("mute", False)
    model("telling", True)
    with pytest.raises(ServiceError) as caught:
        submit(incoming, owner=None, requested_model="mute", want_words=True)
    assert caught.value.code == "words_unavailable"
    assert "'mute'" in caught.value.words()
    assert "fetch_model qwen3-forced-aligner" in caught.value.words()
    assert incoming.path.exists()
    assert not Transcription.objects.exists()


def test_words_are_refused_where_no_enabled_model_gives_any(incoming) -> None:
    model("mute", False)
    model("telling", True, enabled=False)
    with pytest.raises(ServiceError) as caught:
        submit(incoming, owner=None, want_words=True)
    assert (caught.value.code, caught.value.kind.status) == ("words_unavailable", 422)


def test_a_model_for_another_language_is_no_help(incoming) -> None:
    model("mute", False)
    model("telling", True, languages=["zh"])
    with pytest.raises(ServiceError, match="mute"):
        submit(incoming, owner=None, language_hint="en", want_words=True)


@pytest.mark.parametrize("known", [True, None])
def test_words_are_accepted_where_some_model_gives_them_or_may(incoming, known) -> None:
    model("mute", False, order=1)
    model("other", known, order=2)
    row = submit(incoming, owner=None, want_words=True)
    row.refresh_from_db()
    assert row.want_words is True


def test_without_words_nobody_asks_who_gives_them(incoming) -> None:
    model("mute", False)
    row = submit(incoming, owner=None, requested_model="mute")
    assert row.want_words is False


def test_without_any_model_a_recording_may_wait_for_one(incoming) -> None:
    assert submit(incoming, owner=None, want_words=True).want_words is True
