"""What is deleted by itself while people, other workers and the disk do something else."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.utils import timezone

from tests.conftest import database_url
from tests.work.retained import entries, now
from transcription.models import AuditEntry, Lease, Transcription
from transcription.services import audit, change, retention
from transcription.services.errors import ServiceError
from transcription.services.remove import remove_audio

pytestmark = pytest.mark.django_db(transaction=True)
Status, Step = Transcription.Status, Transcription.Step


def test_one_that_is_started_again_at_that_very_moment_keeps_its_audio(
    made, audio_for_a_week, monkeypatch
) -> None:
    row = made(days=8, status=Status.FAILED)
    in_seconds = retention.in_seconds

    def retried_in_between(seconds: float) -> Any:
        # The list is read, the row is about to be held; somebody presses the button.
        if seconds == retention.HELD_SECONDS:
            change.retry(now(row))
        return in_seconds(seconds)

    monkeypatch.setattr(retention, "in_seconds", retried_in_between)
    assert retention.remove_due() == 0
    assert Path(row.audio.path).exists()
    assert now(row).status == Status.QUEUED
    assert not AuditEntry.objects.exists()


def test_nobody_starts_a_recording_again_while_its_audio_is_being_deleted(
    made, audio_for_a_week, monkeypatch
) -> None:
    row = made(days=8, status=Status.FAILED)
    delete, refused = FileSystemStorage.delete, []

    def tried_in_between(self: Any, name: str) -> None:
        with pytest.raises(ServiceError) as error:
            change.retry(now(row))
        refused.append(error.value.code)
        delete(self, name)

    monkeypatch.setattr(FileSystemStorage, "delete", tried_in_between)
    assert retention.remove_due() == 1
    assert refused == ["deletion_under_way"]
    assert now(row).status == Status.FAILED


def test_a_person_too_cannot_delete_what_was_just_started_again(made) -> None:
    row = made(days=1, status=Status.FAILED)
    change.retry(now(row))
    with pytest.raises(ServiceError) as error:
        remove_audio(row, audit.RETENTION)  # as it was read before
    assert error.value.code == "wrong_status"
    assert Path(row.audio.path).exists()


@pytest.mark.parametrize("setting", ["AUDIO_KEPT_DAYS", "TEXT_KEPT_DAYS"])
def test_workers_that_do_it_at_once_enter_each_recording_once(made, settings, setting) -> None:
    setattr(settings, setting, 7.0)
    rows = [made(days=8 + number) for number in range(12)]
    together = Barrier(3)

    def work() -> int:
        try:
            together.wait(timeout=30)
            return retention.remove_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        removed = [one.result() for one in [pool.submit(work) for _ in range(3)]]

    assert sum(removed) == len(rows)
    assert sorted(object_id for _action, object_id in entries()) == sorted(
        str(row.pk) for row in rows
    )


def test_a_file_that_cannot_be_deleted_is_logged_once_and_keeps_no_other(
    made, audio_for_a_week, monkeypatch, caplog
) -> None:
    bad, good = made(days=9), made(days=8)
    delete, tries = FileSystemStorage.delete, []

    def refuse_one(self: Any, name: str) -> None:
        if name == bad.audio.name:
            tries.append(name)
            raise PermissionError("read-only file system")
        delete(self, name)

    monkeypatch.setattr(FileSystemStorage, "delete", refuse_one)
    assert retention.remove_due() == 1
    for _ in range(3):
        assert retention.remove_due() == 0

    assert len(tries) == 1
    assert len([line for line in caplog.records if str(bad.pk) in line.getMessage()]) == 1
    assert (bool(now(bad).audio), bool(now(good).audio)) == (True, False)
    assert entries() == [("audio_deleted", str(good.pk))]

    # An hour later, with the disk as it should be.
    monkeypatch.undo()
    Transcription.objects.filter(pk=bad.pk).update(lease_until=timezone.now() - timedelta(1))
    assert retention.remove_due() == 1


def test_a_bad_file_does_not_fill_the_portion_for_ever(made, text_for_a_month, monkeypatch) -> None:
    bad = [made(days=40 + number) for number in range(2)]
    good = made(days=31)
    delete = FileSystemStorage.delete

    def refuse_some(self: Any, name: str) -> None:
        if name != good.audio.name:
            raise OSError("input/output error")
        delete(self, name)

    monkeypatch.setattr(FileSystemStorage, "delete", refuse_some)
    assert retention.remove_due(portion=2) == 0
    assert retention.remove_due(portion=2) == 1
    assert set(Transcription.objects.all()) == set(bad)


def test_a_file_that_is_gone_already_is_no_error(
    made, audio_for_a_week, text_for_a_month, caplog
) -> None:
    rows = [made(days=8), made(days=31)]
    for row in rows:
        Path(row.audio.path).unlink()
    assert retention.remove_due() == 2
    assert not [line for line in caplog.records if line.levelname == "ERROR"]


class Killed(BaseException):
    """The worker's process ends here."""


@pytest.mark.parametrize("file_went", [True, False])
@pytest.mark.parametrize("setting", ["AUDIO_KEPT_DAYS", "TEXT_KEPT_DAYS"])
def test_a_worker_that_is_killed_in_the_midst_of_it_is_followed_by_the_next(
    made, settings, monkeypatch, setting, file_went
) -> None:
    setattr(settings, setting, 7.0)
    first, second = made(days=9), made(days=8)
    delete = FileSystemStorage.delete

    def die(self: Any, name: str) -> None:
        if file_went:
            delete(self, name)
        raise Killed

    monkeypatch.setattr(FileSystemStorage, "delete", die)
    with pytest.raises(Killed):
        retention.remove_due()
    monkeypatch.undo()
    setattr(settings, setting, 7.0)
    assert not AuditEntry.objects.exists()
    assert bool(now(first).audio)

    # Another worker goes on with the others at once, and with this one in a minute.
    assert retention.remove_due() == 1
    Transcription.objects.filter(pk=first.pk).update(lease_until=timezone.now() - timedelta(1))
    assert retention.remove_due() == 1
    assert len(entries()) == 2
    assert not any(Path(row.audio.path).exists() for row in (first, second))


#: A worker that is killed, as by the system, in the midst of its second deletion.
KILLED_IN_THE_MIDST = """
import os, signal
import django
django.setup()
from django.core.files.storage import FileSystemStorage
from transcription.services import retention
delete, deleted = FileSystemStorage.delete, []
def killed(self, name):
    delete(self, name)
    deleted.append(name)
    if len(deleted) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
FileSystemStorage.delete = killed
retention.remove_due()
"""


def test_a_process_that_is_killed_leaves_nothing_half_done(
    made, settings, data_dir: Path, text_for_a_month
) -> None:
    settings.MEDIA_ROOT = data_dir / "media"
    rows = [made(days=40 - number) for number in range(4)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_MIDST],
        cwd=settings.BASE_DIR,
        env={
            "DJANGO_SETTINGS_MODULE": "asr_project.settings",
            "ASR_ENV_FILE": "",
            "ASR_DATA_DIR": str(data_dir),
            "ASR_DATABASE_URL": database_url(connection.settings_dict),
            "ASR_TEXT_KEPT_DAYS": "30",
        },
        check=False,
    )
    assert done.returncode == -signal.SIGKILL

    # One is gone and entered; of one the row is left to say that it is still to be done.
    assert [Transcription.objects.filter(pk=row.pk).exists() for row in rows] == [
        False,
        True,
        True,
        True,
    ]
    assert entries() == [("transcription_deleted", str(rows[0].pk))]
    assert retention.remove_due() == 2
    assert list(Transcription.objects.all()) == [rows[1]]
    assert timezone.now() < rows_lease(rows[1]) < timezone.now() + timedelta(minutes=1)
    Transcription.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert retention.remove_due() == 1
    assert AuditEntry.objects.values("object_id").distinct().count() == 4


def rows_lease(row: Transcription) -> datetime:
    """Until when nobody else touches it."""
    until = now(row).lease_until
    assert until is not None
    return until


def test_a_held_row_is_not_taken_for_interrupted_work(made, audio_for_a_week) -> None:
    row = made(days=1, status=Status.FAILED)
    Transcription.objects.filter(pk=row.pk).update(lease_until=timezone.now() - timedelta(1))
    assert Transcription.objects.expire() == 0
    assert not Transcription.objects.claim([row.pk], Lease(holder="chores", seconds=60))
    change.retry(now(row))
    assert now(row).status == Status.QUEUED
