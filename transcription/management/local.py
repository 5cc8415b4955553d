"""The service's pipeline for one command: no HTTP, no running service, a database of its own.

The command starts a worker process (``local_worker``) on a private data directory. There the
very steps of the service run over rows, so that a text is the same whichever way it was asked
for. Whatever ends the command, the directory goes with it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from transcription.services.errors import ERRORS, message_of
from transcription.text.exports import Transcript
from transcription.text.subtitles import TimedText, TimedWord
from transcription.work.devices import gpu_is_present
from transcription.work.locks import ServeLock, open_and_lock

_LAST_LINES = 15
#: Pauses before an interrupted piece of work is tried again: one more try than pauses. Whoever
#: waits at a terminal does not want to wait ten minutes for the last.
_RETRY_DELAYS_SECONDS = "0,0"
#: Workers that may die one after another without anything having come of it: more than a piece
#: of work has attempts, after which it is given up and the others go on.
_MOST_DEATHS_IN_VAIN = 6


class LocalWorkError(Exception):
    """The work could not be done at all; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class LocalFile:
    """One recording to transcribe."""

    path: Path
    #: Code of the language that it is in; "": detect it.
    language: str = ""
    #: Names and terms likely to occur.
    prompt: str = ""


@dataclass(frozen=True, kw_only=True)
class LocalJob:
    """What one command wants done."""

    files: Sequence[LocalFile]
    #: Rows of SpeechModel, as ``local_models`` gives them.
    models: Sequence[Mapping[str, Any]]
    words: bool = False
    #: As ``Transcription.Polish``; "": as the service decides.
    polish: str = ""
    #: As ASR_DEVICE.
    device: str = ""
    #: Load the model before the clock starts.
    load_first: bool = False
    #: Show the log of the worker on the standard error instead of keeping it for a crash.
    show_log: bool = False


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model is in memory."""

    name: str
    #: "cpu", "cuda:0"…
    device: str
    #: "int8", "bfloat16"…
    dtype: str
    load_seconds: float

    @property
    def words(self) -> str:
        """What a person is told of it."""
        said = f"Loaded {self.name} on {self.device} as {self.dtype} in {self.load_seconds:.1f} s."
        if self.device != "cpu":
            said += f" Until the end no service of this installation can use {self.device}."
        return said


@dataclass(frozen=True, kw_only=True)
class FileProgress:
    """How far one file is that has not come to its end."""

    number: int
    #: Of the recording; None as long as nobody knows.
    seconds: float | None
    #: 0 to 1.
    share: float


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far all files are that have not come to their end."""

    files: tuple[FileProgress, ...]


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A file came to nothing."""

    #: Its place among the files of the job, from 0.
    number: int
    code: str
    words: str

    @property
    def code_number(self) -> int:
        return ERRORS[self.code].number

    @classmethod
    def of(cls, number: int, code: str, **details: object) -> Failed:
        return cls(number=number, code=code, words=message_of(code, **details))


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A file and its text."""

    number: int
    transcript: Transcript
    #: Name of the model that wrote it.
    model: str
    engine_seconds: float
    #: Stable codes: no_speech, partial_audio, partial_text…
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Over:
    """Every file came to its end."""

    #: From the first look at a file to the end of the last; loading is in it unless the job
    #: says ``load_first``. What workers took that died on the way is on the bill.
    seconds: float
    #: Most memory that the worker process ever held.
    peak_bytes: int


Event = Loaded | Progress | Failed | Completed | Over


def readable(number: int, path: Path) -> Failed | None:
    """What is wrong with a file before anything is started; None: nothing that can be seen."""
    if not path.exists():
        return Failed.of(number, "file_not_found")
    if not path.is_file():
        return Failed.of(number, "not_a_file")
    if not os.access(path, os.R_OK):
        return Failed.of(number, "file_not_readable", detail="permission denied")
    return None


def work(job: LocalJob) -> Generator[Event, None, None]:
    """Do the job and yield what happens, ``Over`` at last.

    Closing the iterator (or Ctrl-C in the caller) ends the worker and removes everything that
    it had written. Raises ``LocalWorkError``.
    """
    told: set[int] = set()
    shares = 0.0
    deaths_in_vain = 0
    lost_seconds = 0.0
    with _private_directory() as directory:
        while deaths_in_vain < _MOST_DEATHS_IN_VAIN:
            began = loaded = False
            started = time.monotonic()
            with _worker(job, directory, sorted(told)) as (process, log_path):
                assert process.stdout is not None
                for line in process.stdout:
                    said = json.loads(line)
                    if said["event"] == "began":
                        began = True
                        continue
                    event = _event_of(said)
                    loaded = loaded or isinstance(event, Loaded)
                    if isinstance(event, Failed | Completed):
                        told.add(event.number)
                        deaths_in_vain = 0
                    elif isinstance(event, Progress):
                        before, shares = shares, sum(one.share for one in event.files)
                        deaths_in_vain = deaths_in_vain if shares == before else 0
                    elif isinstance(event, Over):
                        yield replace(event, seconds=event.seconds + lost_seconds)
                        return
                    yield event
                status = process.wait()
            # Its rows are as it left them, and the attempts of what it worked on are counted:
            # another worker goes on, unless none can even start.
            deaths_in_vain += 1
            lost_seconds += time.monotonic() - started
            if not began:
                break
        raise LocalWorkError(
            f"The worker ended with status {status}"
            f"{'' if loaded else ' before a model was in memory'}{_hint_of(status)}. "
            f"Its last words:\n{_last_words(log_path)}"
        )


@contextmanager
def _private_directory() -> Iterator[Path]:
    """A data directory of this command alone; it is removed, and so are those that a kill left."""
    parent = settings.DATA_DIR / "local"
    parent.mkdir(mode=0o700, exist_ok=True)
    for lock_path in parent.glob("*.lock"):
        fd = open_and_lock(lock_path)
        if fd is not None:
            shutil.rmtree(lock_path.with_suffix(""), ignore_errors=True)
            lock_path.unlink(missing_ok=True)
            os.close(fd)
    # The lock first: a directory whose lock can be had is nobody's.
    handle, name = tempfile.mkstemp(prefix="run-", suffix=".lock", dir=parent)
    lock_path = Path(name)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        directory = lock_path.with_suffix("")
        directory.mkdir(mode=0o700)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    finally:
        lock_path.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def _worker(
    job: LocalJob, directory: Path, told: list[int]
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A worker process at work on the job; killed on leaving."""
    log_path = directory / "worker.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "transcription.management.local_worker"],
            cwd=settings.BASE_DIR,
            env={**os.environ, **_environment(job, directory)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if job.show_log else log,
            text=True,
            encoding="utf-8",
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        # One that ended at once does not read it; its status and its last words say why.
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(_as_json(job, told)) + "\n")
            process.stdin.flush()
        yield process, log_path
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        with suppress(BrokenPipeError):  # what it did not read any more
            process.stdin.close()


def _environment(job: LocalJob, directory: Path) -> dict[str, str]:
    """What the worker's settings are besides the service's own."""
    return {
        "DJANGO_SETTINGS_MODULE": "transcription.management.local_settings",
        "ASR_DATA_DIR": str(directory),
        "ASR_DATABASE_URL": "",
        "ASR_REDIS_URL": "",
        "ASR_WEB_PROCESSES": "1",
        "ASR_WEIGHTS_DIR": str(settings.WEIGHTS_DIR),
        "ASR_DEVICE": job.device or settings.DEVICE,
        "ASR_RETRY_DELAYS_SECONDS": _RETRY_DELAYS_SECONDS,
        "ASR_LOG_LEVEL": "INFO" if job.show_log else "WARNING",
        # One name for every worker of this directory: a new one releases what the last one held.
        "ASR_CLUSTER": f"local@{directory.name}",
        "ASR_PROCESS_ROLE": "manage",
    }


def _as_json(job: LocalJob, told: list[int]) -> dict[str, Any]:
    return {
        "files": [
            {"path": str(one.path.resolve()), "language": one.language, "prompt": one.prompt}
            for one in job.files
        ],
        "told": told,
        "models": list(job.models),
        "words": job.words,
        "polish": job.polish,
        "load_first": job.load_first,
        "lock_dir": str(settings.RUN_DIR),
    }


def _event_of(said: dict[str, Any]) -> Event:
    match said["event"]:
        case "loaded":
            model = said["model"]
            return Loaded(
                name=model["name"],
                device=model["device"],
                dtype=model["dtype"],
                load_seconds=model["load_seconds"],
            )
        case "progress":
            return Progress(files=tuple(FileProgress(**one) for one in said["files"]))
        case "failed":
            return Failed(number=said["number"], code=said["code"], words=said["words"])
        case "completed":
            return _completed_of(said)
        case "over":
            return Over(seconds=said["seconds"], peak_bytes=said["peak_bytes"])
        case _:
            raise LocalWorkError(_device_in_use(said["device"]))


def _completed_of(said: dict[str, Any]) -> Completed:
    segments = tuple(
        TimedText(
            start_seconds=one["start"],
            end_seconds=one["end"],
            text=one["text"],
            words=tuple(
                TimedWord(start_seconds=word["start"], end_seconds=word["end"], text=word["word"])
                for word in one["words"]
            ),
        )
        for one in said["segments"]
    )
    return Completed(
        number=said["number"],
        transcript=Transcript(
            text=said["text"],
            language=said["language"] or None,
            duration_seconds=said["duration_seconds"],
            segments=segments,
        ),
        model=said["model"],
        engine_seconds=said["engine_seconds"],
        warnings=tuple(said["warnings"]),
    )


def _device_in_use(device: str) -> str:
    served = ServeLock(settings.RUN_DIR).read()
    who = "The running service" if served else "Another process of this installation"
    where = f" ({served.url})" if served and served.url else ""
    device = "cuda" if device == "auto" and gpu_is_present() else device
    return (
        f"{who}{where} has its model on the device '{device}', and two models may not fit onto it. "
        "Add --device cpu, or --device cuda:1 for another GPU; or stop the service; "
        "or send it the files (POST /api/v1/transcribe)."
    )


def _hint_of(status: int) -> str:
    return " (killed, as the system does when memory runs out)" if status == -9 else ""


def _last_words(log_path: Path) -> str:
    lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LAST_LINES:])
