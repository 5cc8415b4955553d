"""``manage.py transcribe FILE…``: text of recordings, without a service."""

from __future__ import annotations

import contextlib
import os
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

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
from transcription.management.local_options import add_model_arguments, models_for
from transcription.management.progress_line import ProgressLine, clock
from transcription.models import Transcription
from transcription.services.errors import ServiceError
from transcription.services.submit import MAX_PROMPT_CHARACTERS
from transcription.text.exports import FORMATS, render
from transcription.text.languages import UnknownLanguage, normalise_code

#: As a shell reports a program that Ctrl-C ended.
_INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Transcribe recordings by the service's own pipeline, in batches across the files, without "
        "a service or a database. The texts go to the standard output, or to files. Of the "
        "service's database, where there is one, only the models are read; a GPU is taken as by "
        "one of its workers."
    )
    # It runs where nothing is set up.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        add_model_arguments(parser, several=False)
        parser.add_argument(
            "--language", default="", help="that the recordings are in, as zh; else it is detected"
        )
        parser.add_argument("--prompt", default="", help="names and terms likely to occur")
        parser.add_argument("--words", action="store_true", help="times of single words (json)")
        parser.add_argument(
            "--polish",
            choices=Transcription.Polish.values,
            help="how far the text is brought into written form; by default as the service does",
        )
        parser.add_argument("--format", choices=sorted(FORMATS), default="txt")
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--output-dir", type=Path, metavar="DIR", help="one file each: NAME.txt")
        where.add_argument(
            "-o", "--output", type=Path, metavar="FILE", help="of a single recording"
        )
        parser.add_argument("--overwrite", action="store_true", help="replace files that are there")

    def handle(self, *args: Any, **given: Any) -> None:
        # What is said on the way is no error: not in red.
        self.stderr.style_func = None
        paths: list[Path] = given["files"]
        targets = _targets(paths, given["format"], given["output_dir"], given["output"])
        language = _checked_language(given["language"])
        if len(given["prompt"]) > MAX_PROMPT_CHARACTERS:
            raise CommandError(ServiceError("prompt_too_long", limit=MAX_PROMPT_CHARACTERS).words())
        models = models_for(given["model"], engine=given["engine"], weights=given["weights"])
        run = _Run(self, paths, targets, given)
        refused = run.refuse_what_cannot_be()
        wanted = [number for number in range(len(paths)) if number not in refused]
        if wanted:
            job = LocalJob(
                files=[
                    LocalFile(path=paths[number], language=language, prompt=given["prompt"])
                    for number in wanted
                ],
                models=models,
                words=given["words"],
                polish=given["polish"] or "",
                device=given["device"] or "",
                show_log=given["verbosity"] > 1,
            )
            try:
                run.do(job, wanted)
            except KeyboardInterrupt:
                run.line.clear()
                raise CommandError(
                    "Interrupted: what is finished is written, the rest is not.",
                    returncode=_INTERRUPTED,
                ) from None
            except LocalWorkError as error:
                run.line.clear()
                raise CommandError(str(error)) from error
        if run.failures:
            raise CommandError(f"{run.failures} of {len(paths)} files came to nothing.")


class _Run:
    """One run of the command: where every file stands, and what was said of it."""

    def __init__(
        self,
        command: Command,
        paths: Sequence[Path],
        targets: Sequence[Path | None],
        given: dict[str, Any],
    ) -> None:
        self.line = ProgressLine(command.stderr, files=len(paths), quiet=given["verbosity"] == 0)
        self.failures = 0
        self._command = command
        self._paths = paths
        self._targets = targets
        self._format: str = given["format"]
        self._overwrite: bool = given["overwrite"]
        #: Texts for the standard output, which are told in the order of the files; None: failed.
        self._texts: dict[int, str | None] = {}
        self._told = 0

    def refuse_what_cannot_be(self) -> set[int]:
        """Fail what could only fail after hours of work: no file, or a file in its text's place."""
        refused = set()
        for number, (path, target) in enumerate(zip(self._paths, self._targets, strict=True)):
            wrong = readable(number, path)
            if wrong is None and target is not None:
                wrong = _writable(number, target, overwrite=self._overwrite)
            if wrong is not None:
                refused.add(number)
                self._fail(wrong)
        return refused

    def do(self, job: LocalJob, numbers: Sequence[int]) -> None:
        """Work through the job, whose files have these numbers on the command line."""
        with contextlib.closing(work(job)) as events:
            for event in events:
                match event:
                    case Loaded():
                        self.line.note(event.words)
                    case Progress():
                        self.line.update(event.files)
                    case Failed():
                        self._fail(
                            Failed(number=numbers[event.number], code=event.code, words=event.words)
                        )
                    case Completed():
                        self._complete(numbers[event.number], event)
                    case Over():
                        self.line.clear()

    def _complete(self, number: int, done: Completed) -> None:
        text = render(done.transcript, self._format)
        target = self._targets[number]
        if target is not None:
            wrong = _write(number, target, text, overwrite=self._overwrite)
            if wrong is not None:
                self._fail(wrong)
                return
        seconds = done.transcript.duration_seconds
        facts = [clock(seconds), done.transcript.language or "no speech", *done.warnings]
        where = f" -> {target}" if target else ""
        self.line.finished(seconds=seconds)
        self.line.say(f"{self._paths[number]}{where} ({', '.join(dict.fromkeys(facts))})")
        self._tell(number, text)

    def _fail(self, failed: Failed) -> None:
        self.failures += 1
        self.line.clear()
        # Also where nothing else is to be said.
        self._command.stderr.write(
            f"{self._paths[failed.number]}: {failed.code} ({failed.code_number}): {failed.words}",
            self._command.style.ERROR,
        )
        self.line.finished(seconds=0.0)
        self._tell(failed.number, None)

    def _tell(self, number: int, text: str | None) -> None:
        """Print what is finished, in the order in which the files were named."""
        self._texts[number] = text if self._targets[number] is None else None
        while self._told in self._texts:
            next_text = self._texts.pop(self._told)
            if next_text is not None:
                self.line.clear()
                if len(self._paths) > 1:
                    self._command.stdout.write(f"==> {self._paths[self._told]} <==")
                self._command.stdout.write(next_text, ending="")
                if len(self._paths) > 1:
                    self._command.stdout.write("")
                self._command.stdout.flush()
            self._told += 1


def _checked_language(given: str) -> str:
    try:
        return normalise_code(given) or ""
    except UnknownLanguage as error:
        raise CommandError(ServiceError("unknown_language", value=given).words()) from error


def _targets(
    paths: Sequence[Path], format_name: str, output_dir: Path | None, output: Path | None
) -> list[Path | None]:
    """The file of each text; None: the standard output. Raises ``CommandError``."""
    if output is not None and str(output) != "-":
        if len(paths) > 1:
            raise CommandError("-o names one file for one recording. For several: --output-dir.")
        return [output]
    if output_dir is None:
        if len(paths) > 1 and format_name != "txt":
            raise CommandError(
                f"Several {format_name} files cannot share the standard output. Add --output-dir."
            )
        return [None] * len(paths)
    targets: dict[Path, Path] = {}
    for path in paths:
        target = output_dir / f"{path.stem}.{format_name}"
        if target in targets:
            raise CommandError(
                f"{targets[target]} and {path} would both be written to {target}. "
                "Rename one, or transcribe them into two folders."
            )
        targets[target] = path
    return list(targets)


def _writable(number: int, target: Path, *, overwrite: bool) -> Failed | None:
    """What is wrong with the place of a text before there is one; None: nothing to be seen."""
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    if not folder.is_dir():
        detail = f"{folder} is no folder"
    elif not os.access(folder, os.W_OK | os.X_OK):
        detail = "permission denied"
    elif target.exists() and not overwrite:
        return Failed.of(number, "output_exists", name=target)
    else:
        return None
    return Failed.of(number, "output_not_writable", name=target, detail=detail)


def _write(number: int, target: Path, text: str, *, overwrite: bool) -> Failed | None:
    """Write a text whole or not at all; what is wrong, or None."""
    written = target.with_name(f".{target.name}.{os.getpid()}.part") if overwrite else target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with written.open("x", encoding="utf-8", newline="") as file:
            try:
                file.write(text)
                file.flush()
                if overwrite:
                    written.replace(target)
            except BaseException:
                written.unlink()
                raise
    except FileExistsError:
        # It has come there in the meantime.
        return Failed.of(number, "output_exists", name=target)
    except OSError as error:
        return Failed.of(number, "output_not_writable", name=target, detail=error.strerror or error)
    return None
