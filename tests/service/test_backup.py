"""A backup of a running service is a service again."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

from django.conf import settings

from transcription.management.benchmarks.common import Measured
from transcription.management.client import Client
from transcription.management.running_service import RunningService

SAMPLE = settings.BASE_DIR / "samples" / "english.wav"


def backup(measured: Measured, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "backup", *map(str, arguments)],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "asr_project.settings",
            **measured.environment,
        },
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_service_that_is_put_back_from_its_backup_has_every_text_and_every_recording(
    fake_service: Measured, tmp_path: Path
) -> None:
    done = fake_service.client.transcribe("before.wav", SAMPLE.read_bytes()).body["data"]
    first, second = tmp_path / "monday", tmp_path / "tuesday"
    assert backup(fake_service, first).returncode == 0
    later = fake_service.client.transcribe("later.wav", SAMPLE.read_bytes()).body["data"]

    said = backup(fake_service, second, "--previous", first)

    assert said.returncode == 0, said.stderr
    audio = f"media/{next(first.glob('media/**/*.wav')).relative_to(first / 'media')}"
    assert (second / audio).samefile(first / audio)  # a recording takes its room once
    assert (second / "db.sqlite3").stat().st_mode & 0o077 == 0
    with RunningService(
        base_dir=settings.BASE_DIR, data_dir=second, log_path=tmp_path / "log",
        environment={"ASR_DATABASE_URL": ""},
    ) as restored:  # fmt: skip
        client = Client(restored.url, fake_service.client.authorization.removeprefix("Token "))
        for name, one in (("before.wav", done), ("later.wav", later)):
            found = client.get(f"/api/v1/transcriptions/{one['id']}/").body
            assert (found["file_name"], found["text"]) == (name, one["text"])
        assert client.transcribe("new.wav", SAMPLE.read_bytes()).status == 200


def test_a_backup_overwrites_nothing(fake_service: Measured, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    said = backup(fake_service, tmp_path)
    assert said.returncode == 1
    assert "is not empty. Name a new directory." in said.stderr


def test_a_backup_says_which_recording_has_lost_its_file(
    fake_service: Measured, tmp_path: Path
) -> None:
    done = fake_service.client.transcribe("lost.wav", SAMPLE.read_bytes()).body["data"]
    [path] = (fake_service.data_dir / "media").glob(f"**/{uuid.UUID(done['id'])}.wav")
    content = path.read_bytes()
    path.unlink()
    said = backup(fake_service, tmp_path / "backup")
    path.write_bytes(content)  # others use this service too
    assert said.returncode == 1
    assert "1 recordings have no file any more" in said.stderr
    assert path.name in said.stderr
