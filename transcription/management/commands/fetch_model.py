"""Put the weights of a model in place: ``manage.py fetch_model whisper-base``."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from transcription.weights.catalogue import (
    CATALOGUE_PATH,
    CatalogueError,
    find_model,
    read_catalogue,
)
from transcription.weights.fetch import (
    SOURCE_NAMES,
    FetchError,
    choose_sources,
    fetch_model,
    wrong_files,
)


class Command(BaseCommand):
    help = "Fetch the weights of a model, check them, and put them in place."
    # It runs before there is a database, and before the settings can be all right.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", nargs="?", help="a name of the catalogue, as whisper-base")
        parser.add_argument("--list", action="store_true", help="show the catalogue and end")
        parser.add_argument(
            "--source",
            default="auto",
            metavar="|".join((*SOURCE_NAMES, "DIR")),
            help="where from; auto tries one after the other, DIR is a folder with the files",
        )
        parser.add_argument(
            "--dest", type=Path, metavar="DIR", help="folder for the files, instead of the usual"
        )
        parser.add_argument(
            "--verify", action="store_true", help="read every byte again of what is already there"
        )

    def handle(self, **options: Any) -> None:
        try:
            catalogue = read_catalogue(CATALOGUE_PATH)
            if options["list"] or options["model"] is None:
                self._list(catalogue)
                return
            entry = find_model(catalogue, options["model"])
            # What is said on the way is no error: not in red.
            self.stderr.style_func = None
            quiet = options["verbosity"] == 0
            fetched = fetch_model(
                entry,
                options["dest"] or Path(settings.WEIGHTS_DIR) / entry.name,
                sources=choose_sources(
                    options["source"],
                    entry,
                    huggingface_endpoint=settings.HF_ENDPOINT,
                    modelscope_endpoint=settings.MODELSCOPE_ENDPOINT,
                ),
                verify=options["verify"],
                progress=_ignore if quiet else ProgressLine(self.stderr),
                say=_ignore if quiet else self.stderr.write,
            )
        except (CatalogueError, FetchError) as error:
            raise CommandError(str(error)) from error
        for name in fetched.unchecked:
            self.stderr.write(f"The catalogue has no digest of {name}: it was taken as it came.")
        came = f"fetched from {fetched.source}" if fetched.source else "already in place"
        self.stdout.write(f"{entry.name}: {came}, in {fetched.folder}")

    def _list(self, catalogue: dict[str, Any]) -> None:
        for name, entry in sorted(catalogue.items()):
            here = not wrong_files(entry, Path(settings.WEIGHTS_DIR) / name)
            self.stdout.write(
                f"{name}  {entry.title}; engine {entry.engine}, licence {entry.licence}, "
                f"{entry.size_bytes / 1e6:,.0f} MB{', in place' if here else ''}"
            )


def _ignore(*anything: object) -> None:
    """Where nobody wants to hear of progress."""


class ProgressLine:
    """How far a file has come: one line that is written over, or nothing but its end in a log."""

    def __init__(self, output: OutputWrapper, *, every_seconds: float = 0.2) -> None:
        self._output = output
        self._every_seconds = every_seconds
        self._live = output.isatty()
        self._last = 0.0

    def __call__(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        finished = total_bytes is not None and done_bytes >= total_bytes
        now = time.monotonic()
        if not finished and (not self._live or now - self._last < self._every_seconds):
            return
        self._last = now
        total = f" of {total_bytes / 1e6:.1f} MB" if total_bytes else " MB"
        share = f" ({100 * done_bytes / total_bytes:.0f} %)" if total_bytes else ""
        line = f"  {name}: {done_bytes / 1e6:.1f}{total}{share}"
        if self._live:
            self._output.write(f"\r{line}\033[K", ending="\n" if finished else "")
        else:
            self._output.write(line)
        self._output.flush()
