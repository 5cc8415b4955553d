"""Writes reviewed recordings as a data set to train on: cut audio, lines of JSON, a manifest.

What belongs to one recording is written first, then ``recordings/ID.json`` says that it is
complete: a run that was broken off is taken up by the next. Nothing that is there is written
again, but for the lists, which are put together from all recordings at the end.
"""

from __future__ import annotations

import hashlib
import json
import uuid
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from django.db.models import QuerySet

from transcription.audio.decode import Decoder
from transcription.audio.errors import AudioError
from transcription.audio.workfile import WorkFileWriter, count_samples, read_samples
from transcription.engines.base import SAMPLE_RATE_HZ
from transcription.models import Transcription
from transcription.services import audit
from transcription.text.languages import UnknownLanguage, qwen_name
from transcription.text.utterances import Sentence, Utterance, utterances

Format = Literal["qwen3", "plain"]
Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = ("train", "validation")
MANIFEST = "manifest.json"
#: Shorter ones teach nothing.
LEAST_SECONDS = 0.3


class DatasetError(Exception):
    """The folder cannot be used; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What goes into a data set; a folder holds what was wanted the same way."""

    format: Format
    #: Share of the recordings, 0 to 1, by their audio: one that came twice is on one side.
    validation: float = 0.05
    language: str = ""
    model: str = ""
    since: datetime | None = None
    approved_only: bool = True

    def recordings(self) -> QuerySet[Transcription]:
        """The recordings, the oldest first."""
        rows = Transcription.objects.filter(status=Transcription.Status.COMPLETED)
        if self.approved_only:
            rows = rows.filter(review_state=Transcription.ReviewState.APPROVED)
        if self.model:
            rows = rows.filter(model_name=self.model)
        if self.since:
            rows = rows.filter(created_at__gte=self.since)
        if self.language:
            # A recording of several languages may have some sentences in it.
            rows = rows.filter(segments__language=self.language).distinct()
        return rows.order_by("created_at", "pk")

    def as_json(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "validation": self.validation,
            "language": self.language,
            "model": self.model,
            "since": self.since.isoformat() if self.since else None,
            "approved_only": self.approved_only,
        }


@dataclass
class Report:
    """What a run came to."""

    #: Written by this run.
    written: int = 0
    #: There already.
    kept: int = 0
    #: There already, and changed by people since: the folder has the text of then.
    outdated: int = 0
    #: Why recordings were left out -> how many.
    left_out: Counter[str] = field(default_factory=Counter)
    manifest: dict[str, Any] = field(default_factory=dict)


def split_of(row: Transcription, validation: float) -> Split:
    """The side on which a recording is: by its audio alone, the same in every run."""
    digest = hashlib.sha256((row.sha256 or str(row.pk)).encode()).digest()
    return "validation" if int.from_bytes(digest[:8]) < validation * 2**64 else "train"


def export(folder: Path, wanted: Wanted, by: audit.Actor) -> Iterator[Report]:
    """Write the data set; yields the report so far after each recording, and once at the end.

    Whose recordings leave by whom is entered in the audit, each before its files are written.

    Raises ``DatasetError`` where the folder holds anything else, ``OSError`` for a full disk say.
    """
    _take(folder, wanted)
    report = Report()
    count = _missing(folder, wanted)
    batch = uuid.uuid4() if count > 1 else None
    with Decoder() as decoder:
        for row in wanted.recordings().select_related("owner").iterator(chunk_size=200):
            done = _mark_of(folder, row.pk)
            if done.exists():
                known = json.loads(done.read_text(encoding="utf-8"))
                report.kept += 1
                report.outdated += known["revision"] != row.revision
            else:
                try:
                    found = _write_recording(
                        folder,
                        row,
                        wanted,
                        decoder,
                        leaves=partial(
                            audit.note_exported, row, by, "dataset", batch=batch, count=count
                        ),
                    )
                except FileNotFoundError:
                    report.left_out["its audio is gone"] += 1
                except AudioError as error:
                    report.left_out[f"its audio cannot be read ({error.code})"] += 1
                else:
                    _write(done, json.dumps(found, ensure_ascii=False, indent=1))
                    report.written += 1
            yield report
    report.manifest = _write_lists(folder, wanted, report)
    yield report


def _mark_of(folder: Path, pk: uuid.UUID) -> Path:
    """The file that says that a recording is in the folder."""
    return folder / "recordings" / f"{pk}.json"


def _missing(folder: Path, wanted: Wanted) -> int:
    """Count the recordings that are not in the folder yet."""
    ids = wanted.recordings().values_list("pk", flat=True)
    return sum(not _mark_of(folder, pk).exists() for pk in ids.iterator())


def _take(folder: Path, wanted: Wanted) -> None:
    """Make the folder ours, or find that it is."""
    manifest = folder / MANIFEST
    if manifest.exists():
        try:
            begun = json.loads(manifest.read_text(encoding="utf-8"))["wanted"]
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{manifest} is no manifest of a data set. Name another folder."
            ) from error
        if begun != wanted.as_json():
            raise DatasetError(
                f"{folder} was begun with other options ({begun}). Give the same, "
                "or name another folder."
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder} is there and is not empty. Name a new folder.")
    # Recordings of people: for the one who exports them alone.
    for name in ("", "audio", "recordings"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(manifest, json.dumps({"wanted": wanted.as_json(), "complete": False}, indent=1))


def _write_recording(
    folder: Path,
    row: Transcription,
    wanted: Wanted,
    decoder: Decoder,
    *,
    leaves: Callable[[], None],
) -> dict[str, Any]:
    """Cut one recording; what is known of it and its utterances.

    ``leaves`` is called before the first of them is written.
    """
    sentences = [
        Sentence(**values)
        for values in row.segments.order_by("index").values(
            "start_seconds", "end_seconds", "text", "language"
        )
    ]
    found = [
        one
        for one in utterances(sentences)
        if one.duration_seconds >= LEAST_SECONDS and wanted.language in ("", one.language)
    ]
    lines = []
    if found:
        if not row.audio.name:
            raise FileNotFoundError(str(row.pk))
        decoded = folder / "audio" / f"{row.pk}.pcm"
        try:
            with (
                decoder.decode(Path(row.audio.path)) as decoding,
                WorkFileWriter(decoded) as file,
            ):
                for block in decoding:
                    file.append(block)
            (folder / "audio" / str(row.pk)).mkdir(mode=0o700, exist_ok=True)
            leaves()
            lines = [_cut(folder, row, one, decoded) for one in found]
        finally:
            decoded.unlink(missing_ok=True)
    return {
        "id": str(row.pk),
        "revision": row.revision,
        "model": row.model_name,
        "split": split_of(row, wanted.validation),
        "utterances": [line for line in lines if line],
    }


def _cut(folder: Path, row: Transcription, one: Utterance, decoded: Path) -> dict[str, Any] | None:
    start = round(one.start_seconds * SAMPLE_RATE_HZ)
    end = min(round(one.end_seconds * SAMPLE_RATE_HZ), count_samples(decoded))
    if end - start < LEAST_SECONDS * SAMPLE_RATE_HZ:
        return None  # somebody moved it behind the end
    name = f"audio/{row.pk}/{start:09d}-{end:09d}.wav"
    _write_wav(folder / name, read_samples(decoded, start, end))
    return {
        "audio": name,
        "text": one.text,
        "language": one.language or row.language,
        "duration": round((end - start) / SAMPLE_RATE_HZ, 3),
    }


def _write_lists(folder: Path, wanted: Wanted, report: Report) -> dict[str, Any]:
    """Put the lists and the manifest together from every recording in the folder."""
    totals: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    seconds: dict[str, float] = dict.fromkeys(SPLITS, 0.0)
    languages: dict[str, float] = {}
    drafts = {split: folder / f"{split}.jsonl.part" for split in SPLITS}
    files = {split: draft.open("w", encoding="utf-8") for split, draft in drafts.items()}
    try:
        for path in sorted((folder / "recordings").glob("*.json")):
            one = json.loads(path.read_text(encoding="utf-8"))
            totals[one["split"]]["recordings"] += bool(one["utterances"])
            for line in one["utterances"]:
                totals[one["split"]]["utterances"] += 1
                seconds[one["split"]] += line["duration"]
                language = line["language"] or "unknown"
                languages[language] = languages.get(language, 0.0) + line["duration"]
                written = json.dumps(_formatted(line, wanted.format), ensure_ascii=False)
                files[one["split"]].write(written + "\n")
    finally:
        for file in files.values():
            file.close()
    for split, draft in drafts.items():
        draft.replace(folder / f"{split}.jsonl")
    manifest = {
        "wanted": wanted.as_json(),
        "complete": True,
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "splits": {
            split: {
                "recordings": totals[split]["recordings"],
                "utterances": totals[split]["utterances"],
                "hours": round(seconds[split] / 3600, 4),
            }
            for split in SPLITS
        },
        "hours_by_language": {
            name: round(value / 3600, 4) for name, value in sorted(languages.items())
        },
        "outdated": report.outdated,
        "left_out": dict(sorted(report.left_out.items())),
    }
    _write(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1))
    return manifest


def _formatted(line: dict[str, Any], wanted: Format) -> dict[str, Any]:
    """A line as a program to train with reads it."""
    if wanted == "plain":
        return line
    try:
        name = qwen_name(line["language"]) if line["language"] else None
    except UnknownLanguage:
        name = None
    return {"audio": line["audio"], "text": f"language {name}<asr_text>{line['text']}"}


def _write(path: Path, content: str) -> None:
    """The whole file or none of it."""
    draft = path.with_name(f"{path.name}.part")
    draft.write_text(content + "\n", encoding="utf-8")
    draft.replace(path)


def _write_wav(path: Path, samples: npt.NDArray[np.int16]) -> None:
    """16 kHz mono; left as it is where it is there, since its name says what is in it."""
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.part")
    with draft.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.astype("<i2", copy=False).tobytes())
    draft.replace(path)
