"""``manage.py evaluate MANIFEST``: how many errors a model makes on one's own recordings."""

from __future__ import annotations

import contextlib
import json
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from transcription.management import evaluation_report
from transcription.management.evaluation import Run, score
from transcription.management.local import (
    Completed,
    Failed,
    Loaded,
    LocalFile,
    LocalJob,
    LocalWorkError,
    Over,
    Progress,
    readable,
    work,
)
from transcription.management.local_models import Choice
from transcription.management.local_options import add_model_arguments, models_for
from transcription.management.manifest import Entry, ManifestError, read_manifest
from transcription.management.progress_line import ProgressLine

_INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Transcribe the recordings of a manifest and compare the texts with what is said: word "
        "or character errors by language, speed, a table of files. The manifest has a JSON object "
        "a line (audio or audio_filepath, text, language), or is a TSV or CSV with a heading. Of "
        "the service's database, where there is one, only the models are read; a GPU is taken as "
        "by one of its workers."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("manifest", type=Path, metavar="MANIFEST")
        add_model_arguments(parser, several=True)
        parser.add_argument(
            "--language",
            choices=["forced", "detect"],
            default="forced",
            help="tell the model the language of the manifest, or have it find out",
        )
        parser.add_argument("--prompt", default="", help="names and terms likely to occur")
        parser.add_argument("--limit", type=int, metavar="N", help="the first N recordings alone")
        parser.add_argument(
            "--worst", type=int, default=0, metavar="K", help="show where the K worst went wrong"
        )
        parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")

    def handle(self, *args: Any, **given: Any) -> None:
        if find_spec("jiwer") is None:
            raise CommandError(
                "Errors are counted by the package jiwer, which is not installed. "
                "Run: pip install -r requirements.txt"
            )
        # What is said on the way is no error: not in red.
        self.stderr.style_func = None
        try:
            entries = read_manifest(given["manifest"])
        except ManifestError as error:
            raise CommandError(str(error)) from error
        if given["limit"] is not None:
            if given["limit"] < 1:
                raise CommandError("--limit takes a number from 1.")
            entries = entries[: given["limit"]]
        # All of them before the first is run: a misspelt second name must not cost an hour.
        choices: list[Choice | None] = given["model"] or [None]
        models = [
            models_for(one, engine=given["engine"], weights=given["weights"]) for one in choices
        ]
        runs = []
        for choice, rows in zip(choices, models, strict=True):
            chosen = choice or given["engine"]
            label = chosen.label if chosen else "auto"
            runs.append(run := self._run(entries, label, rows, given))
            self._report(run, given)
        if len(runs) > 1:
            self._write_all(["", *evaluation_report.side_by_side(runs)])
        if given["json"]:
            report = evaluation_report.as_json(runs, manifest=str(given["manifest"]))
            given["json"].write_text(
                json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
            )
        failed = {one.entry.line for run in runs for one in run.failures}
        if failed:
            raise CommandError(
                f"{len(failed)} of {len(entries)} files came to nothing; "
                "the rates are without them."
            )

    def _run(
        self,
        entries: Sequence[Entry],
        label: str,
        models: list[dict[str, Any]],
        given: dict[str, Any],
    ) -> Run:
        line = ProgressLine(self.stderr, files=len(entries), quiet=given["verbosity"] == 0)
        detect = given["language"] == "detect"
        outcomes: dict[int, Completed | Failed] = {}
        for number, entry in enumerate(entries):
            wrong = readable(number, entry.path)
            if wrong is not None:
                self._fail(wrong, entry, line)
                outcomes[number] = wrong
        numbers = [number for number in range(len(entries)) if number not in outcomes]
        job = LocalJob(
            files=[
                LocalFile(
                    path=entries[number].path,
                    language="" if detect else entries[number].language or "",
                    prompt=given["prompt"],
                )
                for number in numbers
            ],
            models=models,
            device=given["device"] or "",
            load_first=True,
            show_log=given["verbosity"] > 1,
        )
        loaded: dict[str, Loaded] = {}
        over = Over(seconds=0.0, peak_bytes=0)
        try:
            with contextlib.closing(work(job)) as events:
                for event in events if numbers else ():
                    match event:
                        case Loaded():
                            loaded[event.name] = event
                            line.note(event.words)
                        case Progress():
                            line.update(event.files)
                        case Over():
                            over = event
                        case Failed() | Completed():
                            number = numbers[event.number]
                            outcomes[number] = event
                            if isinstance(event, Failed):
                                self._fail(event, entries[number], line)
                            else:
                                line.finished(seconds=event.transcript.duration_seconds)
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted: nothing is reported.", returncode=_INTERRUPTED
            ) from None
        except LocalWorkError as error:
            raise CommandError(str(error)) from error
        finally:
            line.clear()
        return Run(
            label=label,
            loaded=tuple(loaded.values()),
            files=tuple(score(entry, outcomes[number]) for number, entry in enumerate(entries)),
            seconds=over.seconds,
            peak_bytes=over.peak_bytes,
            detected=detect,
        )

    def _fail(self, failed: Failed, entry: Entry, line: ProgressLine) -> None:
        line.finished(seconds=0.0)
        line.clear()
        self.stderr.write(
            f"line {entry.line}, {entry.path}: {failed.code} ({failed.code_number}): "
            f"{failed.words}",
            self.style.ERROR,
        )

    def _report(self, run: Run, given: dict[str, Any]) -> None:
        self._write_all(["", run.label])
        if given["verbosity"] > 0:
            self._write_all(["", *evaluation_report.file_table(run)])
        self._write_all(["", *evaluation_report.summary_table(run)])
        if run.detected:
            self._write_all(["", *evaluation_report.confusion_table(run)])
        self._write_all(["", *evaluation_report.speed_lines(run)])
        worst = run.worst(given["worst"])
        if worst:
            self._write_all(
                ["", "worst: [-said-]{+recognised+}", *evaluation_report.worst_lines(worst)]
            )

    def _write_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)
