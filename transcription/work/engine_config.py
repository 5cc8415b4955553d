"""What an engine is built from, out of a model's row and the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings

from transcription.engines.base import EngineConfig, EngineError
from transcription.models import SpeechModel
from transcription.work.engine_records import Recipe

#: The folder of the forced aligner below the directory of weights, unless a model names another.
USUAL_ALIGNER = "qwen3-forced-aligner"


def weights_dir_of(model: SpeechModel | Recipe) -> Path | None:
    """Return the folder of the weights that the row names; None: it names none."""
    return Path(settings.WEIGHTS_DIR, model.weights) if model.weights else None


def config_of(model: SpeechModel | Recipe) -> EngineConfig:
    """Return what the engine of this row is built from."""
    options = dict(model.options)
    return EngineConfig(
        weights_dir=weights_dir_of(model),
        aligner_dir=_aligner_dir(model.engine, options),
        device=settings.DEVICE,
        threads=settings.ENGINE_THREADS,
        options=options,
    )


def _aligner_dir(engine: str, options: dict[str, Any]) -> Path | None:
    """Take the option ``aligner``, which is not the engine's, and return the folder that it names.

    A name below the directory of weights, or a path; null or "": none. Without the option, the
    aligner that ``fetch_model`` fetches is used where it is there. Raises ``EngineError``.
    """
    if engine != SpeechModel.Engine.QWEN3_ASR:
        return None
    if "aligner" not in options:
        usual = Path(settings.WEIGHTS_DIR, USUAL_ALIGNER)
        return usual if usual.is_dir() else None
    named = options.pop("aligner")
    if not isinstance(named, str | None):
        raise EngineError(
            f"The option aligner is {named!r}, but it has to be the name of a folder of weights, "
            "a path, or null."
        )
    return Path(settings.WEIGHTS_DIR, named) if named else None
