"""Enter a fetched model, so that the service uses it: ``manage.py add_model qwen3-asr-0.6b``."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from transcription.engines.qwen3.languages import LANGUAGE_NAMES
from transcription.management.commands.fetch_model import what_next
from transcription.services.models import Entered, enter_model
from transcription.weights.catalogue import (
    CATALOGUE_PATH,
    CatalogueError,
    ModelEntry,
    find_model,
    read_catalogue,
)
from transcription.weights.layouts import LayoutError, names_in_folder


class Command(BaseCommand):
    help = (
        "Enter a model of the catalogue, whose weights were fetched or copied, so that the "
        "service uses it. A model that is entered already is left as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", help="a name of the catalogue, as qwen3-asr-0.6b")
        parser.add_argument(
            "--weights",
            metavar="DIR",
            help="folder of the weights, if it is not models_weights/NAME",
        )

    def handle(self, *args: Any, model: str, weights: str | None, **options: Any) -> None:
        try:
            entry = find_model(read_catalogue(CATALOGUE_PATH), model)
        except CatalogueError as error:
            raise CommandError(str(error)) from error
        if entry.role != "recogniser":
            raise CommandError(
                f"{entry.name} writes no text, so it is not entered as a model: "
                f"{what_next(entry, None)}"
            )
        folder = Path(settings.WEIGHTS_DIR, weights or entry.name)
        require_whole(entry, folder)
        try:
            entered = enter_model(
                entry.name,
                engine=entry.engine,
                weights=str(folder.resolve()) if weights else entry.name,
                title=entry.title,
                languages=tuple(LANGUAGE_NAMES) if entry.engine == "qwen3_asr" else (),
            )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(what_was_done(entered))


def require_whole(entry: ModelEntry, folder: Path) -> None:
    """Raise ``CommandError`` unless the folder holds all the files of the model."""
    try:
        names_in_folder(entry, folder)
    except LayoutError as error:
        raise CommandError(
            f"{error}\nFetch it first: manage.py fetch_model {entry.name}"
        ) from error


def what_was_done(entered: Entered) -> str:
    """The lines for whoever called."""
    model = entered.model
    if not entered.created:
        state = "enabled" if model.enabled else "not enabled: see the models in the admin"
        return f"{model.name} is entered already ({state}); it was left as it is."
    longest = "any length" if model.max_seconds is None else f"up to {model.max_seconds:g} s"
    lines = [
        f"{model.name} is entered: engine {model.engine}, weights {model.weights}, place "
        f"{model.order}, chunks of {model.chunk_seconds:g} s, recordings of {longest}."
    ]
    if entered.shortened is not None and entered.shortened.pk != model.pk:
        lines.append(
            f"{entered.shortened.name} takes recordings of up to "
            f"{entered.shortened.max_seconds:g} s from now on; longer ones go to {model.name}."
        )
    return "\n".join(lines)
