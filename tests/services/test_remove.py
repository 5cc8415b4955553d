"""Deleting a transcription: nothing of it is left, and nothing comes back."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.core.files.storage import FileSystemStorage

from transcription.engines.base import EngineConfig, Loaded
from transcription.engines.fake import FakeEngine
from transcription.management.benchmarks.common import write_wav
from transcription.models import Chunk, LeasedWork, Segment, SpeechModel, Transcription
from transcription.services import audit
from transcription.services.peaks import store_peaks
from transcription.services.remove import remove
from transcription.work import prepare as preparing
from transcription.work.engine_records import Ready, Recipe
from transcription.work.finish import finish
from transcription.work.paths import work_file
from transcription.work.recognise import recognise
from transcription.work.runtime import Runtime, new_lease

BY = audit.Actor(via=audit.Via.COMMAND)
State, Status, Step = LeasedWork.State, Transcription.Status, Transcription.Step


@pytest.fixture
def row(transactional_db: None, data_dir: Path) -> Transcription:
    """A recording of two seconds of noise that is stored and waits."""
    SpeechModel.objects.create(name="fake", engine="fake")
    name = f"audio/{uuid.uuid4()}.wav"
    path = Path(settings.MEDIA_ROOT, name)
    path.parent.mkdir()
    noise = np.random.default_rng(7).integers(-9000, 9000, 32_000)
    path.write_bytes(write_wav(noise))
    return Transcription.objects.create(audio=name, size_bytes=path.stat().st_size)


def nothing_is_left() -> bool:
    tables = (Transcription, Chunk, Segment)
    files = [
        path
        for folder in (settings.MEDIA_ROOT, settings.WORK_DIR)
        for path in Path(folder).rglob("*")
        if path.is_file()
    ]
    return not any(table.objects.exists() for table in tables) and files == []


def chunk_of(row: Transcription, **fields: Any) -> Chunk:
    return Chunk.objects.create(
        transcription=row, start_sample=0, end_sample=32_000, model_name="fake", **fields
    )


@pytest.mark.parametrize("status", Transcription.Status.values)
def test_row_parts_and_files_go(row: Transcription, status: str) -> None:
    step = Step.OVER if status in Transcription.FINAL else Step.RECOGNISE
    Transcription.objects.update(status=status, step=step)
    chunk_of(row, state=State.DONE, text="hello")
    Segment.objects.create(transcription=row, index=0, start_seconds=0, end_seconds=1, text="hello")
    work_file(row.pk).write_bytes(b"samples")
    store_peaks(row.pk, b"peaks")

    remove(row, BY)

    assert nothing_is_left()


def test_one_that_has_lost_its_audio_can_be_deleted_and_one_that_is_deleted_too(
    row: Transcription,
) -> None:
    Path(row.audio.path).unlink()

    remove(row, BY)
    remove(row, BY)

    assert nothing_is_left()


def test_a_file_that_cannot_be_deleted_keeps_its_row_and_its_work_ended(
    row: Transcription, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, name: str) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr(FileSystemStorage, "delete", refuse)

    with pytest.raises(PermissionError):
        remove(row, BY)

    row.refresh_from_db()
    assert (row.status, row.step, row.state) == (Status.CANCELLED, Step.OVER, State.CANCELLED)
    monkeypatch.undo()
    remove(row, BY)
    assert nothing_is_left()


def test_a_preparation_that_is_under_way_leaves_neither_chunks_nor_its_work_file(
    row: Transcription, monkeypatch: pytest.MonkeyPatch
) -> None:
    [claimed] = Transcription.objects.claim([row.pk], new_lease())
    split = preparing._split

    def deleted_in_between(*args: Any) -> None:
        # The worker has just written down that it begins; its work file comes next.
        remove(row, BY)
        split(*args)

    monkeypatch.setattr(preparing, "_split", deleted_in_between)
    preparing.prepare(claimed, Runtime(pid=os.getpid()))
    preparing.stand_down()

    assert nothing_is_left()


def test_a_batch_loses_the_chunk_of_a_deleted_one_and_no_other(
    row: Transcription, tmp_path: Path
) -> None:
    other = Transcription.objects.create(
        status=Status.PROCESSING, step=Step.RECOGNISE, state=State.DONE
    )
    chunks = [chunk_of(row), chunk_of(other)]
    for one in (row, other):
        _write_work_file(one)
    claimed = Chunk.objects.claim([one.pk for one in chunks], new_lease())
    remove(row, BY)

    recognise(claimed, _fake_engine(), Runtime(pid=os.getpid()))

    assert not Transcription.objects.filter(pk=row.pk).exists()
    assert not work_file(row.pk).exists()
    other.refresh_from_db()
    assert other.status == Status.COMPLETED
    assert other.text.startswith("fake ")


def test_a_result_that_comes_after_the_deletion_is_dropped(row: Transcription) -> None:
    Transcription.objects.update(status=Status.PROCESSING, step=Step.RECOGNISE, state=State.DONE)
    _write_work_file(row)
    claimed = Chunk.objects.claim([chunk_of(row).pk], new_lease())
    ready = _fake_engine()
    transcribe = ready.engine.transcribe

    def deleted_meanwhile(clips: Any) -> Any:
        remove(row, BY)
        return transcribe(clips)

    ready.engine.transcribe = deleted_meanwhile  # type: ignore[method-assign]
    recognise(claimed, ready, Runtime(pid=os.getpid()))

    assert nothing_is_left()


def test_a_text_that_is_being_joined_is_not_written(row: Transcription) -> None:
    chunk_of(row, state=State.DONE, text="hello")
    Transcription.objects.update(status=Status.PROCESSING, step=Step.FINISH, state=State.PENDING)
    [claimed] = Transcription.objects.claim([row.pk], new_lease())
    remove(row, BY)

    finish(claimed, Runtime(pid=os.getpid()))

    assert nothing_is_left()


def _write_work_file(row: Transcription) -> None:
    from transcription.audio.workfile import WorkFileWriter

    with WorkFileWriter(work_file(row.pk)) as file:
        file.append(np.random.default_rng(7).integers(-9000, 9000, 32_000).astype(np.int16))


def _fake_engine() -> Ready:
    engine = FakeEngine(EngineConfig())
    loaded: Loaded = engine.load()
    recipe = Recipe(name="fake", generation=1, engine="fake", weights="", options={})
    return Ready(engine=engine, recipe=recipe, loaded=loaded, memory_bytes=0, because="a test")
