"""``manage.py export_dataset``: what is written is decoded again and heard."""

from __future__ import annotations

import io
import json
import os
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from tests.services.reviewed import by, reviewable, text
from transcription.management import dataset
from transcription.management.manifest import read_manifest
from transcription.models import AuditEntry, Transcription
from transcription.services import review

SAMPLES = Path(__file__).parent.parent.parent / "samples"
pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def stored(settings: Any) -> Any:
    """An approved recording with its audio, whose samples say where they are."""

    def make(owner: User, *, seed: int = 0, approve: bool = True, **fields: Any) -> Transcription:
        name = f"audio/{seed}.wav"
        path = Path(settings.MEDIA_ROOT, name)
        path.parent.mkdir(exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(sound(seed).tobytes())
        row = reviewable(owner, audio=name, sha256=f"{seed:064x}", with_words=False, **fields)
        if approve:
            review.set_state(row, by(owner), "approved")
        return row

    return make


def sound(seed: int = 0) -> np.ndarray:
    """Eight seconds of noise."""
    return np.random.default_rng(seed).integers(-9_000, 9_000, 8 * 16_000).astype("<i2")


def export(folder: Path, *words: str) -> str:
    output = io.StringIO()
    call_command("export_dataset", str(folder), *words, stdout=output)
    return output.getvalue()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def samples_of(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


def test_the_reviewed_text_stands_beside_just_its_sound(
    ann: User, stored: Any, tmp_path: Path
) -> None:
    row = stored(ann, approve=False)
    # Nobody said what the machine heard there, so what is around it are two utterances.
    review.apply(row, by(ann), [text(row, 1, ""), text(row, 0, "Hello here.")])
    review.set_state(row, by(ann), "approved")
    said = export(tmp_path / "set", "--validation", "0")
    assert "train: 1 recordings, 2 utterances, 0.00 h" in said
    first, second = lines(tmp_path / "set" / "train.jsonl")
    assert first["text"] == "language English<asr_text>Hello here."
    assert second["text"] == "language English<asr_text>I am fine. Good bye."
    assert list(first) == ["audio", "text"]
    whole = sound()
    assert np.array_equal(samples_of(tmp_path / "set" / first["audio"]), whole[: 2 * 16_000])
    assert np.array_equal(samples_of(tmp_path / "set" / second["audio"]), whole[4 * 16_000 :])
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["complete"] is True
    assert manifest["splits"]["train"] == {"recordings": 1, "utterances": 2, "hours": 0.0017}
    assert not list((tmp_path / "set").rglob("*.pcm"))
    assert not list((tmp_path / "set").rglob("*.part"))


def test_the_plain_format_is_read_by_evaluate(ann: User, stored: Any, tmp_path: Path) -> None:
    stored(ann)
    export(tmp_path / "set", "--format", "plain", "--validation", "0")
    [one] = read_manifest(tmp_path / "set" / "train.jsonl")
    assert one.path.is_file()
    assert (one.text, one.language) == ("Hello there. How are you? I am fine. Good bye.", "en")
    assert lines(tmp_path / "set" / "train.jsonl")[0]["duration"] == 8.0


def test_a_broken_off_run_is_taken_up_and_nothing_is_written_twice(
    ann: User, stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        stored(ann, seed=seed)
    folder = tmp_path / "set"
    really = dataset._write_recording
    calls: list[Any] = []

    def breaks(folder: Path, row: Transcription, *rest: Any, **more: Any) -> dict[str, Any]:
        calls.append(row.pk)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return really(folder, row, *rest, **more)

    with monkeypatch.context() as broken:
        broken.setattr(dataset, "_write_recording", breaks)
        with pytest.raises(KeyboardInterrupt):
            export(folder)
    assert json.loads((folder / "manifest.json").read_text())["complete"] is False
    [written] = folder.rglob("*.wav")
    os.utime(written, (1, 1))
    assert "2 written, 1 were there." in export(folder)
    assert written.stat().st_mtime == 1
    assert len(list(folder.rglob("*.wav"))) == 3
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert "0 written, 3 were there." in export(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    # and another run, elsewhere, writes the same
    export(tmp_path / "again")
    for path, content in before.items():
        assert (tmp_path / "again" / path.relative_to(folder)).read_bytes() == content


def test_a_recording_is_on_one_side_whole_and_the_same_audio_too(
    ann: User, stored: Any, tmp_path: Path
) -> None:
    for seed in range(6):
        stored(ann, seed=seed)
    twin = stored(ann, seed=0)
    export(tmp_path / "set", "--validation", "0.5", "--format", "plain")
    sides = {
        split: {line["audio"].split("/")[1] for line in lines(tmp_path / "set" / f"{split}.jsonl")}
        for split in ("train", "validation")
    }
    assert not sides["train"] & sides["validation"]
    assert all(sides.values())
    first = Transcription.objects.exclude(pk=twin.pk).get(sha256=twin.sha256)
    assert any({str(twin.pk), str(first.pk)} <= side for side in sides.values())


def test_what_was_not_wanted_is_left_out(ann: User, stored: Any, tmp_path: Path) -> None:
    stored(ann, seed=1, model_name="small")
    stored(ann, seed=2, model_name="large")
    stored(ann, seed=3, model_name="small", approve=False)
    chinese = stored(ann, seed=4, sentences=("你好。",), language="zh", model_name="small")
    assert "3 written" in export(tmp_path / "a")
    assert "4 written" in export(tmp_path / "b", "--include-unapproved")
    assert "2 written" in export(tmp_path / "c", "--model", "small")
    assert "1 written" in export(tmp_path / "d", "--language", "Chinese", "--validation", "0")
    [line] = lines(tmp_path / "d" / "train.jsonl")
    assert line["text"] == "language Chinese<asr_text>你好。"
    assert str(chinese.pk) in line["audio"]
    assert "0 written" in export(tmp_path / "e", "--since", "2999-01-01")


def test_audio_that_is_gone_or_broken_is_said_and_holds_nothing_up(
    ann: User, stored: Any, tmp_path: Path
) -> None:
    stored(ann, seed=1)
    Path(stored(ann, seed=2).audio.path).unlink()
    Path(stored(ann, seed=3).audio.path).write_bytes(b"no sound at all")
    said = export(tmp_path / "set")
    assert "1 written" in said
    assert "1 left out: its audio is gone." in said
    assert "1 left out: its audio cannot be read (not_audio)." in said


def test_each_recording_that_is_exported_is_entered_in_the_audit_once(
    ann: User, stored: Any, tmp_path: Path
) -> None:
    rows = [stored(ann, seed=seed) for seed in range(2)]
    gone = stored(ann, seed=7)
    Transcription.objects.filter(pk=gone.pk).update(audio="")
    export(tmp_path / "set")
    export(tmp_path / "set")

    entries = AuditEntry.objects.filter(object_id__in=[str(row.pk) for row in rows])
    assert AuditEntry.objects.count() == entries.count() == 2
    assert set(entries.values_list("action", "via", "detail", "owner_name", "count")) == {
        ("exported", "command", "dataset", "ann", 3)
    }
    assert len(set(entries.values_list("batch", flat=True))) == 1
    later = stored(ann, seed=3)
    export(tmp_path / "set")
    assert AuditEntry.objects.exclude(batch=entries[0].batch).get().object_id == str(later.pk)


def test_a_folder_of_something_else_is_left_alone(ann: User, stored: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(CommandError, match="is not empty"):
        export(tmp_path / "mine")
    export(tmp_path / "set")
    with pytest.raises(CommandError, match="other options"):
        export(tmp_path / "set", "--format", "plain")


def test_a_text_that_was_changed_since_is_said(ann: User, stored: Any, tmp_path: Path) -> None:
    row = stored(ann)
    export(tmp_path / "set")
    review.set_state(row, by(ann), "in_review")
    review.apply(row, by(ann), [text(row, 0, "Hello here.")])
    review.set_state(row, by(ann), "approved")
    assert "1 were changed by people since" in export(tmp_path / "set")
