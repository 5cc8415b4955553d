"""What ``transcribe`` and ``evaluate`` are both told: which model, on which device."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from transcription.management.local_models import (
    Choice,
    UnknownModel,
    model_of_weights,
    models_of,
)


def choice(given: str) -> Choice:
    """Type of an argument: ``NAME[,setting=value…]``."""
    try:
        return Choice.parse(given)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def device(given: str) -> str:
    """Type of an argument: a device as in ASR_DEVICE."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", given):
        raise ArgumentTypeError(f"'{given}' is no device: auto, cpu, cuda or cuda:1.")
    return given


def add_model_arguments(parser: ArgumentParser, *, several: bool) -> None:
    """``--model``, ``--engine``, ``--weights``, ``--device``."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--model",
        type=choice,
        metavar="NAME[,setting=value…]",
        action="append" if several else "store",
        help="a model of the service or of models_weights, and settings of its engine, as "
        "whisper-base,beam_size=1; by default the service's routing chooses"
        + ("; several are compared" if several else ""),
    )
    chosen.add_argument(
        "--engine",
        type=choice,
        metavar="ENGINE[,setting=value…]",
        help="an engine instead, as qwen3_asr, with the weights of --weights",
    )
    parser.add_argument("--weights", type=Path, metavar="DIR", help="folder for --engine")
    parser.add_argument("--device", type=device, help="auto, cpu, cuda, cuda:1")


def models_for(
    model: Choice | None, *, engine: Choice | None, weights: Path | None
) -> list[dict[str, Any]]:
    """The rows that these arguments mean. Raises ``CommandError``."""
    if weights is not None and engine is None:
        raise CommandError("--weights goes with --engine, which says what is to load them.")
    try:
        return [model_of_weights(engine, weights)] if engine else models_of(model)
    except (UnknownModel, ValueError) as error:
        raise CommandError(str(error)) from error
