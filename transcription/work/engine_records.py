"""What a worker knows of the engines that it has loaded, loads, or could not load."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from transcription.engines.base import Engine, EngineError, EngineMemoryError, Loaded
from transcription.models import SpeechModel


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What an engine is built from: a model's row at one moment, enough to build it again."""

    name: str
    generation: int
    engine: str
    weights: str
    options: dict[str, Any]

    @classmethod
    def of(cls, model: SpeechModel) -> Recipe:
        """Return what the row asks for."""
        return cls(
            name=model.name,
            generation=model.generation,
            engine=model.engine,
            weights=model.weights,
            options=dict(model.options),
        )

    @classmethod
    def last_good_of(cls, model: SpeechModel) -> Recipe | None:
        """Return what a worker last loaded for this row; None: nothing yet."""
        return cls(name=model.name, **model.last_good) if model.last_good else None

    def as_last_good(self) -> dict[str, Any]:
        """Return it as the row of the model keeps it."""
        return {
            "generation": self.generation,
            "engine": self.engine,
            "weights": self.weights,
            "options": self.options,
        }

    def builds_the_same_as(self, other: Recipe) -> bool:
        """Return whether both build the same engine from the same place."""
        mine, its = self.as_last_good(), other.as_last_good()
        return {**mine, "generation": 0} == {**its, "generation": 0}


@dataclass(eq=False, kw_only=True)
class Ready:
    """An engine in memory, ready to work."""

    engine: Engine
    recipe: Recipe
    loaded: Loaded
    memory_bytes: int
    #: Why it was loaded, for people.
    because: str
    #: The generation that could not be loaded, where this older one serves; None: as asked for.
    stands_in_for: int | None = None
    #: Batches that use it at this moment.
    users: int = 0
    #: Monotonic seconds, and the same for people.
    last_used: float = field(default_factory=time.monotonic)
    last_used_at: datetime = field(default_factory=timezone.now)

    @property
    def name(self) -> str:
        return self.recipe.name

    @property
    def generation(self) -> int:
        return self.recipe.generation

    def note_use(self) -> None:
        """Write down that it was used now."""
        self.last_used, self.last_used_at = time.monotonic(), timezone.now()

    def as_row(self) -> dict[str, Any]:
        """Return what the Worker row says of it."""
        return {
            "name": self.name,
            "generation": self.generation,
            "stands_in_for": self.stands_in_for,
            "digest": self.loaded.digest,
            "device": self.loaded.device,
            "dtype": self.loaded.dtype,
            "memory_bytes": self.loaded.memory_bytes,
            "load_seconds": round(self.loaded.load_seconds, 3),
            "words": self.engine.gives_words,
            "no_words_because": self.loaded.no_words_because,
            "loaded_because": self.because,
            "last_used_at": self.last_used_at.isoformat(timespec="seconds"),
        }


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load that is wanted or under way."""

    recipe: Recipe
    #: What to fall back to; None: nothing is known to work.
    last_good: Recipe | None
    because: str
    #: Leave it if something else would have to leave the memory for it.
    only_beside: bool = False
    since: float = field(default_factory=time.monotonic)
    since_at: datetime = field(default_factory=timezone.now)

    def as_row(self) -> dict[str, Any]:
        """Return what the Worker row says of it."""
        return {
            "name": self.recipe.name,
            "generation": self.recipe.generation,
            "because": self.because,
            "since": self.since_at.isoformat(timespec="seconds"),
        }


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A load that failed."""

    recipe: Recipe
    message: str
    #: It may succeed later without anybody doing anything: memory, a lock, a disk.
    passing: bool
    #: The files as they were, to notice a repair.
    files: tuple[tuple[str, int, int], ...]
    at: float = field(default_factory=time.monotonic)
    failed_at: datetime = field(default_factory=timezone.now)

    def as_row(self) -> dict[str, Any]:
        """Return what the Worker row says of it."""
        return {
            "name": self.recipe.name,
            "generation": self.recipe.generation,
            "message": self.message,
            "at": self.failed_at.isoformat(timespec="seconds"),
        }


def is_passing(error: Exception) -> bool:
    """Return whether the same load may succeed later by itself.

    An engine's complaint about its weights or options stays until they are changed.
    """
    return isinstance(error, EngineMemoryError) or not isinstance(error, EngineError)


def files_in(folder: Path | None) -> tuple[tuple[str, int, int], ...]:
    """Return name, size and time of each file in the folder; empty where there is none."""
    if folder is None or not folder.is_dir():
        return ()
    found = []
    for path in folder.iterdir():
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # it is being replaced at this moment
        found.append((path.name, status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))
