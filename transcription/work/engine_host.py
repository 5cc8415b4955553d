"""The engines that this worker has in memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from transcription.engines.base import Engine, EngineConfig, EngineError, Loaded
from transcription.engines.registry import build
from transcription.models import SpeechModel

logger = logging.getLogger(__name__)

#: The folder of the forced aligner below the directory of weights, unless a model names another.
USUAL_ALIGNER = "qwen3-forced-aligner"
#: Pause before a model that could not be loaded is tried again.
TRY_AGAIN_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Ready:
    """An engine in memory, ready to work."""

    engine: Engine
    name: str
    generation: int
    loaded: Loaded

    def as_row(self) -> dict[str, Any]:
        """Return what the Worker row says of it."""
        return {
            "name": self.name,
            "generation": self.generation,
            "digest": self.loaded.digest,
            "device": self.loaded.device,
            "dtype": self.loaded.dtype,
            "memory_bytes": self.loaded.memory_bytes,
            "load_seconds": round(self.loaded.load_seconds, 3),
            "words": self.engine.gives_words,
            "no_words_because": self.loaded.no_words_because,
        }


@dataclass(frozen=True, kw_only=True)
class _Failure:
    generation: int
    at: float
    message: str


class EngineHost:
    """Loads models when they are first needed, and anew when their generation is raised."""

    def __init__(
        self,
        build_engine: Callable[[str, EngineConfig], Engine] = build,
        before_load: Callable[[], None] = lambda: None,
    ) -> None:
        self._build = build_engine
        self._before_load = before_load
        self._ready: dict[str, Ready] = {}
        self._failed: dict[str, _Failure] = {}

    def ready(self, model: SpeechModel) -> Ready | None:
        """Return the engine of this model in the generation that its row asks for.

        If that cannot be loaded, the one that is in memory goes on serving, and its failure is
        in ``errors``; None if there is none either.
        """
        current = self._ready.get(model.name)
        if current is not None and current.generation == model.generation:
            return current
        failure = self._failed.get(model.name)
        if (
            failure is not None
            and failure.generation == model.generation
            and time.monotonic() - failure.at < TRY_AGAIN_SECONDS
        ):
            return current
        return self._load(model, current)

    def loaded(self) -> list[Ready]:
        """Return what is in memory."""
        return list(self._ready.values())

    def errors(self) -> str:
        """Return what went wrong with loading, in words; "" if nothing did."""
        return "\n".join(f"{name}: {one.message}" for name, one in sorted(self._failed.items()))

    def failed_names(self) -> list[str]:
        """Return the models that can at present not be used at all."""
        return [name for name in self._failed if name not in self._ready]

    def _load(self, model: SpeechModel, current: Ready | None) -> Ready | None:
        try:
            self._before_load()
            engine = self._build(model.engine, config_of(model))
            loaded = engine.load()
        except Exception as error:
            # Whatever a library raises, a worker that cannot load a model lives on and says so.
            if isinstance(error, EngineError | OSError | MemoryError):
                logger.error("Model %s could not be loaded: %s", model.name, error)
            else:
                logger.exception("Model %s could not be loaded.", model.name)
            self._failed[model.name] = _Failure(
                generation=model.generation, at=time.monotonic(), message=str(error) or repr(error)
            )
            return current
        self._failed.pop(model.name, None)
        self._ready[model.name] = fresh = Ready(
            engine=engine, name=model.name, generation=model.generation, loaded=loaded
        )
        if current is not None:
            current.engine.unload()
        logger.info(
            "Loaded %s, generation %d, on %s as %s in %.1f s.",
            model.name,
            model.generation,
            loaded.device,
            loaded.dtype,
            loaded.load_seconds,
        )
        return fresh


def config_of(model: SpeechModel) -> EngineConfig:
    """Return what the engine of this row is built from."""
    options = dict(model.options)
    return EngineConfig(
        weights_dir=Path(settings.WEIGHTS_DIR, model.weights) if model.weights else None,
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
