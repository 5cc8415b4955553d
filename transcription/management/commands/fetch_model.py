"""Put the weights of a model in place: ``manage.py fetch_model whisper-base``."""

from __future__ import annotations

import shlex
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from transcription.services.models import EMBEDDED_MODEL
from transcription.weights.catalogue import (
    CATALOGUE_PATH,
    CatalogueError,
    ModelEntry,
    at_revision,
    find_model,
    read_catalogue,
)
from transcription.weights.fetch import (
    SOURCE_NAMES,
    FetchError,
    choose_sources,
    fetch_model,
    is_in_place,
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
            "--convert",
            type=Path,
            metavar="DIR",
            help="make the weights of the original Qwen3-ASR files in DIR; fetch only the rest",
        )
        parser.add_argument(
            "--revision",
            help="another revision than the catalogue's; checked by what the hub declares",
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
            if options["revision"]:
                entry = at_revision(entry, options["revision"])
            # What is said on the way is no error: not in red.
            self.stderr.style_func = None
            quiet = options["verbosity"] == 0
            usual = Path(settings.WEIGHTS_DIR) / entry.name
            folder = options["dest"] or usual
            fetched = fetch_model(
                entry,
                folder,
                sources=choose_sources(
                    options["source"],
                    entry,
                    huggingface_endpoint=settings.HF_ENDPOINT,
                    modelscope_endpoint=settings.MODELSCOPE_ENDPOINT,
                ),
                convert_from=options["convert"],
                verify=options["verify"],
                progress=_ignore if quiet else ProgressLine(self.stderr),
                say=_ignore if quiet else self.stderr.write,
            )
        except (CatalogueError, FetchError) as error:
            raise CommandError(str(error)) from error
        for name in fetched.unchecked:
            self.stderr.write(
                f"Neither the catalogue nor the source has a digest of {name}: it was taken as "
                "it came."
            )
        came = f"fetched from {fetched.source}" if fetched.source else "already in place"
        self.stdout.write(f"{entry.name}: {came}, in {fetched.folder}")
        if fetched.source:
            self.stdout.write(what_next(entry, None if folder == usual else folder))

    def _list(self, catalogue: dict[str, ModelEntry]) -> None:
        for name, entry in sorted(catalogue.items()):
            here = is_in_place(entry, Path(settings.WEIGHTS_DIR) / name)
            size = f"{entry.size_bytes / 1e6:,.0f} MB" if entry.files else "size as the hub says"
            self.stdout.write(
                f"{name}  {entry.title}; engine {entry.engine}, licence {entry.licence}, "
                f"{size}{', in place' if here else ''}"
            )


def what_next(entry: ModelEntry, elsewhere: Path | None) -> str:
    """What the operator does next; ``elsewhere``: the folder, where it is not the usual one."""
    if entry.role == "aligner":
        return "Qwen3-ASR uses it for the times of words: there is nothing to enter."
    if entry.role == "punctuation":
        return "To use it for every text: ASR_POLISH=model; for one: send polish=model."
    if entry.name == EMBEDDED_MODEL and elsewhere is None:
        return "The first start of the service enters it by itself."
    weights = "" if elsewhere is None else f" --weights {shlex.quote(str(elsewhere.resolve()))}"
    return f"To use it: python manage.py add_model {entry.name}{weights}"


def _ignore(*anything: object) -> None:
    """Where nobody wants to hear of progress."""


class ProgressLine:
    """How far a file has come: one line that is written over, or nothing but its end in a log."""

    def __init__(self, output: OutputWrapper, *, every_seconds: float = 0.2) -> None:
        self._output = output
        self._every_seconds = every_seconds
        self._live = output.isatty()
        self._last = 0.0
        #: Name of the file, and when and with how many bytes it began in this run.
        self._file: tuple[str, float, int] | None = None

    def __call__(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        finished = total_bytes is not None and done_bytes >= total_bytes
        now = time.monotonic()
        if self._file is None or self._file[0] != name or done_bytes < self._file[2]:
            self._file = (name, now, done_bytes)
        if not finished and (not self._live or now - self._last < self._every_seconds):
            return
        self._last = now
        if self._live:
            _, began, first_bytes = self._file
            rate = (done_bytes - first_bytes) / (now - began) if now > began else 0.0
            line = f"  {progress_bar(name, done_bytes, total_bytes, bytes_per_second=rate)}"
            self._output.write(f"\r{line}\033[K", ending="\n" if finished else "")
        else:
            self._output.write(f"  {name}: {progress_words(done_bytes, total_bytes)}")
        self._output.flush()


def progress_words(done_bytes: int, total_bytes: int | None) -> str:
    """So much of so much: "1.5 of 3.0 MB (50 %)"."""
    if not total_bytes:
        return f"{done_bytes / 1e6:,.1f} MB"
    share = 100 * done_bytes / total_bytes
    return f"{done_bytes / 1e6:,.1f} of {total_bytes / 1e6:,.1f} MB ({share:.0f} %)"


def progress_bar(
    name: str, done_bytes: int, total_bytes: int | None, *, bytes_per_second: float, width: int = 20
) -> str:
    """One line: the file, a bar, how much, how fast, and how long it still takes."""
    parts = [name]
    if total_bytes:
        full = min(width, width * done_bytes // total_bytes)
        parts.append(f"[{'#' * full}{' ' * (width - full)}]")
    parts.append(progress_words(done_bytes, total_bytes))
    if bytes_per_second > 0:
        parts.append(f"{bytes_per_second / 1e6:.1f} MB/s")
        if total_bytes and done_bytes < total_bytes:
            left = round((total_bytes - done_bytes) / bytes_per_second)
            minutes, seconds = divmod(left, 60)
            parts.append(f"{minutes}:{seconds:02d} left")
    return "  ".join(parts)
