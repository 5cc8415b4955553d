"""``manage.py export_dataset DIR``: reviewed recordings as a data set to train on."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime, time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date

from transcription.management.dataset import DatasetError, Report, Wanted, export
from transcription.services import audit
from transcription.text.languages import UnknownLanguage, normalise_code


def _day(text: str) -> datetime:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise ArgumentTypeError(f"{text!r} is no day. Write 2026-11-25.")
    return timezone.make_aware(datetime.combine(day, time.min))


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise ArgumentTypeError(f"{text!r} is no share from 0 to below 1.")
    return share


class Command(BaseCommand):
    help = (
        "Write approved recordings as a data set to train on: WAV files of up to 30 s at 16 kHz, "
        "train.jsonl, validation.jsonl and manifest.json. A run that was broken off is taken up "
        "by the same command; nothing that is there is overwritten. Whoever gets the folder "
        "hears the recordings."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR")
        parser.add_argument("--language", default="", help="sentences in this language alone")
        parser.add_argument("--model", default="", help="recordings that this model recognised")
        parser.add_argument("--since", type=_day, metavar="DAY", help="sent in since 2026-11-25")
        parser.add_argument(
            "--include-unapproved",
            action="store_true",
            help="those as well that nobody has approved: the machine's own errors are among them",
        )
        parser.add_argument(
            "--format",
            choices=["qwen3", "plain"],
            default="qwen3",
            help="qwen3: as the scripts that fine-tune Qwen3-ASR read it; "
            "plain: audio, text, language, duration, as manage.py evaluate reads it",
        )
        parser.add_argument(
            "--validation",
            type=_share,
            default=0.05,
            metavar="SHARE",
            help="of the recordings, by their audio (0.05)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            language = normalise_code(options["language"]) or ""
        except UnknownLanguage as error:
            raise CommandError(str(error)) from error
        wanted = Wanted(
            format=options["format"],
            validation=options["validation"],
            language=language,
            model=options["model"],
            since=options["since"],
            approved_only=not options["include_unapproved"],
        )
        report = Report()
        try:
            for report in export(options["folder"], wanted, audit.Actor.of_command()):
                if (report.written + report.kept) % 100 == 0 and not report.manifest:
                    self.stdout.write(f"{report.written + report.kept} recordings")
        except DatasetError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"{error.filename or options['folder']} cannot be written: {error.strerror}. "
                "Check the disk; the same command goes on from here."
            ) from error
        for name, split in report.manifest["splits"].items():
            self.stdout.write(
                f"{name}: {split['recordings']} recordings, {split['utterances']} utterances, "
                f"{split['hours']:.2f} h"
            )
        self.stdout.write(f"{report.written} written, {report.kept} were there.")
        if report.outdated:
            self.stdout.write(
                f"{report.outdated} were changed by people since: the folder has the text of "
                "then. Export into a new folder for the new one."
            )
        for reason, count in report.left_out.items():
            self.stdout.write(f"{count} left out: {reason}.")
