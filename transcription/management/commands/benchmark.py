"""``manage.py benchmark``: the figures of docs/performance.md, measured here and now."""

from __future__ import annotations

import json
import os
import platform
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from transcription.management.benchmarks import (
    api,
    long_recording,
    service_cost,
    throughput,
    web_process,
)
from transcription.management.benchmarks.common import Report, recordings_in

PARTS = ("web", "cost", "throughput", "long", "api")
#: They take their time, so only when they are named.
LONG_PARTS = frozenset({"long", "api"})


class Command(BaseCommand):
    help = (
        "Measure the service on this machine: its web process, what it adds to the engine's time, "
        "many files at once against the bare library, a recording of hours, the pages over a "
        "million transcriptions. Speeds are compared "
        "within one run, since a machine is not always equally fast."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "parts", nargs="*", help=f"Any of {', '.join(PARTS)}; all but long and api."
        )
        parser.add_argument("--engine", default="whisper", choices=["whisper", "fake"])
        parser.add_argument("--weights", default="whisper-base", help="Directory of the weights.")
        parser.add_argument(
            "--options", type=json.loads, default={}, help="Of the engine, as '{\"beam_size\": 1}'."
        )
        parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
        parser.add_argument(
            "--files",
            type=Path,
            help="Directory of NAME.wav, NAME.txt and NAME.lang for throughput; by default the "
            "samples of the repository, repeated.",
        )
        parser.add_argument("--repeats", type=int, default=25)
        parser.add_argument("--rounds", type=int, default=3)
        parser.add_argument("--long-seconds", type=int, default=long_recording.LONG_SECONDS)
        parser.add_argument(
            "--speech-share", type=float, default=1.0, help="Of the long recording, 0 to 1."
        )
        parser.add_argument(
            "--rows", type=int, default=api.ROWS, help="Transcriptions that the pages are over."
        )
        parser.add_argument(
            "--database-url",
            default="",
            help="Of a PostgreSQL server for the pages, postgresql://USER:PASSWORD@HOST:PORT/NAME; "
            "a database is made there and dropped. By default a SQLite file.",
        )
        parser.add_argument("--json", type=Path, help="Write the figures to this file, too.")

    def handle(self, *args: Any, **given: Any) -> None:
        parts = given["parts"] or [part for part in PARTS if part not in LONG_PARTS]
        unknown = set(parts) - set(PARTS)
        if unknown:
            raise CommandError(f"There is no {', '.join(sorted(unknown))}; there is {PARTS}.")
        engine: str = given["engine"]
        options: dict[str, Any] = {"chunk_seconds": 30.0, "options": given["options"]}
        if engine == "whisper":
            options["weights"] = given["weights"]
        report = Report()
        self.stdout.write(
            f"{platform.machine()}, {os.cpu_count()} cores, {given['threads']} threads"
        )
        for part in parts:
            self.stdout.write(f"\n{part}")
            match part:
                case "web":
                    figures = web_process.measure()
                case "cost":
                    figures = service_cost.measure(
                        engine=engine, options=options, repeats=given["repeats"]
                    )
                case "throughput":
                    figures = throughput.measure(
                        recordings_in(given["files"]) if given["files"] else throughput.built_in(),
                        engine=engine,
                        options=options,
                        threads=given["threads"],
                        rounds=given["rounds"],
                    )
                case "api":
                    figures = api.measure(rows=given["rows"], database_url=given["database_url"])
                case _:
                    figures = long_recording.measure(
                        engine=engine,
                        options=options,
                        long_seconds=given["long_seconds"],
                        speech_share=given["speech_share"],
                    )
            report.sections[part] = figures
            for figure in figures:
                self.stdout.write(figure.line())
        if given["json"]:
            given["json"].write_text(
                json.dumps(
                    {
                        part: [vars(figure) for figure in figures]
                        for part, figures in report.sections.items()
                    },
                    indent=2,
                ),
                encoding="utf-8",
            )
        if report.broken:
            names = "; ".join(figure.name for figure in report.broken)
            raise CommandError(f"Not as promised: {names}.")
