"""The process that works for one command: the service's steps, over a database of its own.

It reads one job (a line of JSON) from its standard input and says what happens as lines of JSON
on its standard output. Its input stays open as long as the command lives: when that ends, by
whatever, this process removes the private data directory and ends too. When this process dies
instead (native code breaks, memory runs out), the command starts another one on the same
directory, which goes on with the same rows: so a recording that kills its worker is given up
after its attempts, as in the service, and the others are still done.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import django

_POLL_SECONDS = 0.05
_PROGRESS_SECONDS = 0.2
_REMOVALS = 20
#: A recording that is handed back for so long (the disk is full, say) is given up.
_PATIENCE_SECONDS = 30.0


def main() -> None:
    """Do the job of the standard input; exit status 0 when every file came to an end."""
    # Ctrl-C on the terminal is the command's to handle; this and what it starts only obey.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Libraries that print must not write into the events.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.readline())
    django.setup()
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    _Work(job, events).run()
    events.close()
    # Threads of libraries, and a model's memory, are nothing to tidy up one by one.
    sys.stderr.flush()
    os._exit(0)


def _end_with_the_command() -> None:
    from django.conf import settings

    sys.stdin.read()
    for _ in range(_REMOVALS):
        # The other threads are still writing there.
        shutil.rmtree(settings.DATA_DIR, ignore_errors=True)
        if not settings.DATA_DIR.exists():
            break
    os._exit(1)


class _Work:
    """One job: its rows, the two threads that work on them, and what is said of them."""

    def __init__(self, job: dict[str, Any], events: TextIO) -> None:
        self._job = job
        self._events = events
        self._over = threading.Event()
        self._unsaid: dict[Any, int] = {}
        """Row -> number of its file, for files whose end was not told yet."""
        self._loaded_names: set[str] = set()
        self._stands_since: dict[Any, float] = {}

    def run(self) -> None:
        from django.conf import settings

        from transcription.work.devices import device_lock
        from transcription.work.locks import LockTakenError

        try:
            # Of the service, not of this directory: two processes must not load models onto one
            # GPU. Later calls in this process, by the pipeline, find it taken by themselves.
            device_lock(settings.DEVICE, run_dir=Path(self._job["lock_dir"]), wait_seconds=0.0)
        except LockTakenError:
            self._say("refused", reason="device_in_use", device=settings.DEVICE)
            return
        self._enter_rows()
        self._begin()
        while self._unsaid:
            self._look()
            if self._unsaid:
                time.sleep(_PROGRESS_SECONDS)
        self._over.set()
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._say("over", seconds=time.monotonic() - self._began, peak_bytes=peak_kib * 1024)

    def _begin(self) -> None:
        from transcription.work.runtime import runtime
        from transcription.work.tasks import look_for_chores, look_for_speech
        from transcription.work.waiting import warm_up

        here = runtime()
        self._say("began")
        if self._job["load_first"]:
            warm_up(here)
            while not (here.engines.loaded() or here.engines.errors()):
                time.sleep(_POLL_SECONDS)
            self._tell_loaded()
        self._began = time.monotonic()
        for look in (look_for_chores, look_for_speech):
            threading.Thread(target=self._keep_looking, args=[look], daemon=True).start()

    def _keep_looking(self, look: Callable[[], None]) -> None:
        """Look for work as a worker does, again and again: here nobody rings."""
        try:
            while not self._over.is_set():
                look()
                self._over.wait(_POLL_SECONDS)
        except BaseException:
            # As a worker of the service: crash, so that whoever watches starts another.
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
            os._exit(3)

    # --- rows

    def _enter_rows(self) -> None:
        from django.conf import settings
        from django.core.management import call_command

        from transcription.models import SpeechModel, Transcription
        from transcription.work.upkeep import release_leases_of

        call_command("migrate", verbosity=0)
        # What an earlier process of this job held when it died.
        release_leases_of(settings.CLUSTER)
        if not SpeechModel.objects.exists():
            SpeechModel.objects.bulk_create(SpeechModel(**one) for one in self._job["models"])
        known = {
            row.request_id: row
            for row in Transcription.objects.defer("text").filter(request_id__startswith="file-")
        }
        for number, file in enumerate(self._job["files"]):
            if number in self._job["told"]:
                continue
            row = known.get(_name_of(number)) or self._submit(number, file)
            if row is not None:
                self._unsaid[row.pk] = number

    def _submit(self, number: int, file: dict[str, Any]) -> Any:
        from django.conf import settings

        from transcription.services.errors import ServiceError
        from transcription.services.submit import IncomingFile, submit

        path, link = Path(file["path"]), Path(settings.INCOMING_DIR, _name_of(number))
        try:
            with path.open("rb") as opened:
                head = opened.read(4096)
                size_bytes = os.fstat(opened.fileno()).st_size
            link.unlink(missing_ok=True)
            link.symlink_to(path)
            row = submit(
                IncomingFile(
                    path=link,
                    file_name=path.name,
                    size_bytes=size_bytes,
                    sha256="",  # told to nobody
                    head=head,
                ),
                owner=None,
                language_hint=file["language"],
                prompt=file["prompt"],
                polish=self._job["polish"],
                want_words=self._job["words"],
                request_id=_name_of(number),
            )
        except ServiceError as error:
            self._say_failed(number, error.code, error.words())
            return None
        except OSError as error:
            words = ServiceError("file_not_readable", detail=error.strerror or error).words()
            self._say_failed(number, "file_not_readable", words)
            return None
        return row

    # --- what is said

    def _look(self) -> None:
        """Say what has changed since the last look."""
        from transcription.models import Transcription
        from transcription.work.runtime import runtime

        self._tell_loaded()
        failed_models = set(runtime().engines.failed_names())
        under_way = []
        for row in _by_hundreds(Transcription.objects.defer("text"), list(self._unsaid)):
            if row.is_final:
                self._tell_end(row)
            elif row.model_name in failed_models and row.step == row.Step.RECOGNISE:
                self._give_up(row, "model_unavailable", runtime().engines.errors())
            elif self._stands_still(row):
                self._give_up(row, "worker_crashed", row.last_error)
            else:
                under_way.append(
                    {
                        "number": self._unsaid[row.pk],
                        "seconds": row.duration_seconds or row.expected_seconds,
                        "share": row.progress,
                    }
                )
        self._say("progress", files=under_way)

    def _stands_still(self, row: Any) -> bool:
        """Whether a recording is handed back again and again by what is not its own fault."""
        if not (row.state == row.State.PENDING and row.last_error and row.attempts == 0):
            if row.state != row.State.LEASED:
                self._stands_since.pop(row.pk, None)
            return False
        since = self._stands_since.setdefault(row.pk, time.monotonic())
        return time.monotonic() - since > _PATIENCE_SECONDS

    def _give_up(self, row: Any, code: str, why: str) -> None:
        from transcription.services import change
        from transcription.services.errors import ServiceError, message_of

        try:
            change.cancel(row)
        except ServiceError:
            return  # it ended in this very moment; the next look tells how
        self._say_failed(self._unsaid.pop(row.pk), code, f"{message_of(code)} ({why})")

    def _tell_loaded(self) -> None:
        from transcription.work.runtime import runtime

        for ready in runtime().engines.loaded():
            if ready.name not in self._loaded_names:
                self._loaded_names.add(ready.name)
                self._say("loaded", model=ready.as_row())

    def _tell_end(self, row: Any) -> None:
        number = self._unsaid.pop(row.pk)
        if row.status != row.Status.COMPLETED:
            self._say_failed(number, row.error_code or row.status, row.error_message)
            return
        row.refresh_from_db()
        self._say(
            "completed",
            number=number,
            text=row.text,
            language=row.language,
            languages=row.languages,
            duration_seconds=row.duration_seconds,
            engine_seconds=row.engine_seconds,
            model=row.model_name,
            warnings=row.warnings,
            segments=[
                {
                    "start": one.start_seconds,
                    "end": one.end_seconds,
                    "text": one.text,
                    "words": one.words or [],
                }
                for one in row.segments.all()
            ],
        )

    def _say_failed(self, number: int, code: str, words: str) -> None:
        self._say("failed", number=number, code=code, words=words)

    def _say(self, event: str, **details: Any) -> None:
        self._events.write(json.dumps({"event": event, **details}) + "\n")
        self._events.flush()


def _name_of(number: int) -> str:
    """The name under which a row knows which file of the job it is; also in its log lines."""
    return f"file-{number}"


def _by_hundreds(rows: Any, keys: list[Any]) -> Iterator[Any]:
    """Rows by key, however many: SQLite takes a bounded number of parameters."""
    for first in range(0, len(keys), 100):
        found: Iterable[Any] = rows.filter(pk__in=keys[first : first + 100])
        yield from found


if __name__ == "__main__":
    main()
