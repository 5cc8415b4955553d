"""``manage.py benchmark``: the figures of docs/performance.md, measured here and now."""

from __future__ import annotations

import json
import os
import platform
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from transcription.management.benchmarks import (
    api,
    batches,
    concurrency,
    long_recording,
    review_page,
    service_cost,
    throughput,
    waiting,
    web_process,
)
from transcription.management.benchmarks.common import Report, recordings_in
from transcription.services.models import EMBEDDED_MODEL

PARTS = ("web", "cost", "throughput", "long", "concurrency", "batches", "api", "waiting", "review")
#: What is measured where nothing is named.
DEFAULT_PARTS = {
    "whisper": ("web", "cost", "throughput"),
    "fake": ("web", "cost"),
    "qwen3_asr": ("batches",),
}
#: What an engine can be asked.
NOT_FOR = {"fake": {"throughput", "batches"}, "whisper": {"batches"}, "qwen3_asr": {"throughput"}}


class Command(BaseCommand):
    help = (
        "Measure the service on this machine: its web process, what it adds to the engine's time, "
        "many files at once against the bare library, a recording of hours, more and more clients "
        "at once, Qwen3-ASR's batches against its package's, the pages over a million "
        "transcriptions, hundreds who wait, the keys of the reviewing page. Speeds are compared "
        "within one run, since a machine is not always equally fast."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("parts", nargs="*", help=f"Any of {', '.join(PARTS)}; the short ones.")
        parser.add_argument("--engine", default="whisper", choices=sorted(DEFAULT_PARTS))
        parser.add_argument(
            "--weights",
            help="Directory of the weights. By default whisper-base; for batches random ones of "
            "the shape of Qwen3-ASR-0.6B.",
        )
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
            "--at-once",
            type=int,
            nargs="+",
            default=list(concurrency.AT_ONCE),
            help="Numbers of clients for concurrency.",
        )
        parser.add_argument(
            "--tokens", type=int, default=batches.TOKENS, help="Of each clip, for batches."
        )
        parser.add_argument("--device", default="auto", help="For batches.")
        parser.add_argument(
            "--qwen-asr-python",
            type=Path,
            default=settings.BASE_DIR / "var" / "qwen-asr" / "bin" / "python",
            help="Python of the environment with the package qwen-asr, for batches.",
        )
        parser.add_argument(
            "--without-qwen-asr", action="store_true", help="Leave the package out of batches."
        )
        parser.add_argument(
            "--rows", type=int, default=api.ROWS, help="Transcriptions that the pages are over."
        )
        parser.add_argument(
            "--segments",
            type=int,
            nargs="+",
            default=list(review_page.SEGMENTS),
            help="Numbers of sentences for review; the first is promised.",
        )
        parser.add_argument(
            "--database-url",
            default="",
            help="Of a PostgreSQL server for the pages, postgresql://USER:PASSWORD@HOST:PORT/NAME; "
            "a database is made there and dropped. By default a SQLite file.",
        )
        parser.add_argument("--json", type=Path, help="Write the figures to this file, too.")

    def handle(self, *args: Any, **given: Any) -> None:
        engine: str = given["engine"]
        parts = given["parts"] or DEFAULT_PARTS[engine]
        unknown = set(parts) - set(PARTS)
        if unknown:
            raise CommandError(f"There is no {', '.join(sorted(unknown))}; there is {PARTS}.")
        odd = set(parts) & NOT_FOR[engine]
        if odd:
            raise CommandError(f"{', '.join(sorted(odd))} cannot be asked of the engine {engine}.")
        weights = given["weights"] or (EMBEDDED_MODEL if engine == "whisper" else None)
        if (
            engine == "qwen3_asr"
            and weights is None
            and set(parts) & {"cost", "long", "concurrency"}
        ):
            raise CommandError("Name the weights of the engine qwen3_asr with --weights.")
        options: dict[str, Any] = {"chunk_seconds": 30.0, "options": given["options"]}
        if weights is not None:
            options["weights"] = str(Path(settings.WEIGHTS_DIR, weights))
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
                case "concurrency":
                    figures = concurrency.measure(
                        engine=engine,
                        options=options,
                        threads=given["threads"],
                        recordings=recordings_in(given["files"]) if given["files"] else (),
                        at_once=given["at_once"],
                        say=self.stdout.write,
                    )
                case "batches":
                    try:
                        figures = batches.measure(
                            weights=None if weights is None else Path(options["weights"]),
                            options=given["options"],
                            threads=given["threads"],
                            device=given["device"],
                            rounds=given["rounds"],
                            tokens=given["tokens"],
                            package_python=None
                            if given["without_qwen_asr"]
                            else given["qwen_asr_python"],
                        )
                    except batches.SideError as error:
                        raise CommandError(str(error)) from error
                case "review":
                    try:
                        figures = review_page.measure(segments=given["segments"])
                    except review_page.NoBrowserError as error:
                        raise CommandError(str(error)) from error
                case "api":
                    figures = api.measure(rows=given["rows"], database_url=given["database_url"])
                case "waiting":
                    figures = waiting.measure()
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
