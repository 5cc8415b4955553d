"""``manage.py quality``: how good each model is, by what people made of its texts."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from transcription.services import quality


class Command(BaseCommand):
    help = (
        "Show the word or character error rate of each model and language against the texts that "
        "people approved: the table of the admin's page, after scoring what still waits for it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="as JSON, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        while quality.score_next():
            pass
        found = quality.table()
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(one) for one in found], indent=1))
            return
        if not found:
            self.stdout.write("No recording is approved yet.")
            return
        rows = [
            ("model", "language", "recordings", "hours", "", "rate", "errors", "of", "as it was")
        ]
        rows += [
            (
                one.model_name,
                one.language or "-",
                str(one.recordings),
                f"{one.hours:.2f}",
                one.rate_name,
                "-" if one.rate is None else f"{one.rate:.2%}",
                str(one.errors),
                str(one.reference_length),
                f"{one.unchanged_share:.0%}",
            )
            for one in found
        ]
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        for row in rows:
            self.stdout.write(
                "  ".join(
                    cell.ljust(width) for cell, width in zip(row, widths, strict=True)
                ).rstrip()
            )


def _as_json(one: quality.Quality) -> dict[str, Any]:
    return {
        "model": one.model_name,
        "language": one.language or None,
        "recordings": one.recordings,
        "hours": round(one.hours, 4),
        "unit": one.unit,
        "rate": one.rate,
        "errors": one.errors,
        "reference_length": one.reference_length,
        "unchanged": one.unchanged,
    }
