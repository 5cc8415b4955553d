"""``manage.py backup``: copies what cannot be had again."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from transcription.management.backup import BackupError, back_up


class Command(BaseCommand):
    help = (
        "Copy the database, the recordings and the secret key into a new directory, while the "
        "service goes on. docs/backup-and-upgrade.md says how they are put back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, help="New or empty.")
        parser.add_argument(
            "--previous",
            type=Path,
            help="An earlier backup on the same file system: recordings that it has are linked to "
            "it instead of copied. Each backup stays whole when another is deleted.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        directory: Path = options["directory"]
        try:
            copied = back_up(directory, previous=options["previous"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{copied.database.name} and {copied.files} files ({copied.bytes / 2**20:.0f} MiB, "
            f"{copied.shared} of them shared with the earlier backup) are in {directory}."
        )
        if copied.deleted_meanwhile:
            self.stdout.write(f"{copied.deleted_meanwhile} recordings were deleted meanwhile.")
