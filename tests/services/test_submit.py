"""Accepting a recording."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import IntegrityError
from django_q.models import OrmQ

from transcription.models import SpeechModel, Transcription
from transcription.services.errors import ServiceError
from transcription.services.submit import IncomingFile, submit

TINY_PUNCTUATION = Path(__file__).parent.parent / "punctuation" / "tiny-punct-cap-seg"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def incoming() -> IncomingFile:
    path = Path(django_settings.INCOMING_DIR, "arrived")
    path.write_bytes(b"RIFF....WAVEfmt ")
    return IncomingFile(
        path=path, file_name="talk.wav", size_bytes=16, sha256="ab" * 32, head=path.read_bytes()
    )


def test_the_file_is_moved_not_copied_and_its_row_is_there(incoming) -> None:
    inode = incoming.path.stat().st_ino
    row = submit(incoming, owner=None, language_hint="zh-CN", prompt="names", request_id="r1")
    stored = Path(row.audio.path)
    assert stored.stat().st_ino == inode
    assert not incoming.path.exists()
    found = Transcription.objects.get(pk=row.pk)
    assert (found.status, found.step, found.state) == ("queued", "prepare", "pending")
    assert (found.language_hint, found.prompt, found.request_id) == ("zh", "names", "r1")
    assert found.content_type == "audio/wav"
    assert found.file_name == "talk.wav"


def test_file_and_folders_are_written_through_to_the_disk_before_it_is_accepted(
    incoming, monkeypatch
) -> None:
    synced: list[str] = []
    really = os.fsync
    monkeypatch.setattr(
        os,
        "fsync",
        lambda fd: synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())) or really(fd),
    )
    row = submit(incoming, owner=None)
    folder = Path(row.audio.path).parent
    assert str(folder) in synced


def test_both_bells_are_rung_once_the_row_is_committed(incoming) -> None:
    submit(incoming, owner=None)
    assert sorted(OrmQ.objects.values_list("key", flat=True)) == ["chores", "engine"]


def test_a_bell_that_is_already_waiting_is_not_rung_again(incoming) -> None:
    submit(incoming, owner=None)
    incoming.path.write_bytes(b"second")
    submit(incoming, owner=None)
    assert OrmQ.objects.count() == 2


def test_a_bell_that_cannot_be_rung_loses_nothing(incoming, monkeypatch) -> None:
    monkeypatch.setattr(
        "transcription.services.bell.async_task", lambda *a, **k: 1 / 0, raising=True
    )
    row = submit(incoming, owner=None)
    assert Transcription.objects.filter(pk=row.pk).exists()


def test_the_name_of_the_client_is_never_a_path(incoming) -> None:
    hostile = IncomingFile(
        path=incoming.path,
        file_name="../../etc/passwd",
        size_bytes=16,
        sha256="",
        head=b"",
    )
    row = submit(hostile, owner=None)
    assert Path(row.audio.path).is_relative_to(django_settings.MEDIA_ROOT / "audio")
    assert "passwd" not in row.audio.path


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"language_hint": "klingon"}, "unknown_language"),
        ({"requested_model": "gpt-9"}, "unknown_model"),
        ({"prompt": "x" * 2_001}, "prompt_too_long"),
        ({"polish": "brightly"}, "invalid"),
    ],
)
def test_what_the_caller_must_change_is_refused_and_the_file_stays_his(
    incoming, options, code
) -> None:
    with pytest.raises(ServiceError) as refused:
        submit(incoming, owner=None, **options)
    assert refused.value.code == code
    assert incoming.path.exists()
    assert not Transcription.objects.exists()


@pytest.mark.parametrize(
    ("setting", "asked", "decided"),
    [
        ("rules", "", "rules"),
        ("off", "", "off"),
        ("off", "rules", "rules"),
        ("rules", "off", "off"),
        ("rules", " False ", "off"),
        ("off", "true", "rules"),
        ("rules", "TRUE", "rules"),
        ("model", "true", "model"),
        ("model", "", "model"),
        ("rules", "Model", "model"),
    ],
)
def test_how_far_the_text_is_polished_is_decided_when_the_recording_is_accepted(
    incoming, settings, setting, asked, decided
) -> None:
    settings.POLISH = setting
    settings.WEIGHTS_DIR = TINY_PUNCTUATION.parent
    settings.PUNCTUATION_MODEL = TINY_PUNCTUATION.name
    row = submit(incoming, owner=None, polish=asked)
    settings.POLISH = "off"
    assert Transcription.objects.get(pk=row.pk).polish == decided


def test_a_punctuation_model_that_is_not_there_is_refused_with_what_to_fetch(
    incoming, settings, tmp_path
) -> None:
    settings.WEIGHTS_DIR = tmp_path
    with pytest.raises(ServiceError, match="fetch_model punct-cap-seg-47lang") as refused:
        submit(incoming, owner=None, polish="model")
    assert (refused.value.code, refused.value.kind.status) == ("polish_model_unavailable", 422)
    assert incoming.path.exists()
    assert not Transcription.objects.exists()


def test_a_model_that_was_lost_since_the_start_refuses_nobody_who_did_not_ask_for_it(
    incoming, settings, tmp_path
) -> None:
    settings.POLISH = "model"
    settings.WEIGHTS_DIR = tmp_path
    assert submit(incoming, owner=None).polish == "model"


def test_an_empty_file_is_refused(incoming) -> None:
    empty = IncomingFile(path=incoming.path, file_name="a", size_bytes=0, sha256="", head=b"")
    with pytest.raises(ServiceError, match="empty"):
        submit(empty, owner=None)


def test_a_model_by_name_must_be_enabled(incoming) -> None:
    SpeechModel.objects.create(name="base", engine="fake")
    SpeechModel.objects.create(name="off", engine="fake", enabled=False)
    with pytest.raises(ServiceError, match="base"):
        submit(incoming, owner=None, requested_model="off")
    assert submit(incoming, owner=None, requested_model="base").requested_model == "base"


def test_when_the_row_cannot_be_written_the_file_is_the_callers_again(
    incoming, monkeypatch
) -> None:
    def broken(*_args: object, **_options: object) -> None:
        raise IntegrityError("the database says no")

    monkeypatch.setattr(Transcription, "save", broken)
    with pytest.raises(IntegrityError):
        submit(incoming, owner=None)
    assert incoming.path.exists()


def test_a_language_that_no_model_knows_is_refused_at_once(incoming) -> None:
    SpeechModel.objects.create(name="chinese", engine="fake", languages=["zh"])
    with pytest.raises(ServiceError) as refused:
        submit(incoming, owner=None, language_hint="fr")
    assert refused.value.code == "unknown_language"
    assert submit(incoming, owner=None, language_hint="zh").language_hint == "zh"
