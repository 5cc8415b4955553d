"""What a backup holds, on whichever database."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.db import connection

from transcription.management.backup import BackupError, back_up
from transcription.models import Transcription

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def row(settings: object, tmp_path: Path) -> Transcription:
    settings.MEDIA_ROOT = tmp_path / "media"  # type: ignore[attr-defined]
    made = Transcription(file_name="meeting.wav", text="hello")
    made.audio.save("meeting.wav", ContentFile(b"sound"))
    return made


def test_the_database_and_the_recordings_are_in_it(row: Transcription, tmp_path: Path) -> None:
    copied = back_up(tmp_path / "backup")
    assert (copied.files, copied.shared, copied.deleted_meanwhile) == (1, 0, 0)
    assert (tmp_path / "backup" / "media" / row.audio.name).read_bytes() == b"sound"
    if connection.vendor == "postgresql":
        listing = subprocess.run(
            ["pg_restore", "--list", copied.database], check=True, capture_output=True, text=True
        ).stdout
        assert "TABLE DATA public transcription_transcription" in listing
    else:
        import sqlite3

        found = sqlite3.connect(copied.database).execute(
            "SELECT text FROM transcription_transcription"
        )
        assert found.fetchall() == [("hello",)]


def test_what_fills_the_disk_is_named_and_the_half_copy_is_not_taken_for_a_backup(
    row: Transcription, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transcription.management.backup._write_through", full)
    with pytest.raises(BackupError, match=r"must not be relied on: .*No space left.*Make room"):
        back_up(tmp_path / "backup")


def test_a_recording_that_is_deleted_meanwhile_is_no_loss(
    row: Transcription, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transcription.management import backup

    really = backup._copy_database

    def deleted_after_the_copy(destination: Path) -> Path:
        copy = really(destination)
        row.audio.storage.delete(row.audio.name)
        Transcription.objects.all().delete()
        return copy

    monkeypatch.setattr(backup, "_copy_database", deleted_after_the_copy)
    assert back_up(tmp_path / "backup").deleted_meanwhile == 1


def test_something_else_is_not_taken_for_an_earlier_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="holds no backup"):
        back_up(tmp_path / "new", previous=tmp_path)
