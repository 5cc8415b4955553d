"""How much memory models need and may take: measured here, decided in ``work.memory``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings

from transcription.engines.base import Engine, EngineConfig, EngineMemoryError
from transcription.engines.devices import DeviceMemory, memory_in_use_of
from transcription.work import memory
from transcription.work.engine_config import config_of
from transcription.work.engine_records import Ready, Recipe


class ModelMemory:
    """Knows what models need, what is there, and who must go for another one."""

    def __init__(
        self,
        build_engine: Callable[[str, EngineConfig], Engine],
        device_memory: Callable[[], DeviceMemory | None],
    ) -> None:
        self._build = build_engine
        self._device_memory = device_memory
        self._estimates: dict[tuple[str, int], int] = {}

    def needed_bytes(self, recipe: Recipe) -> int:
        """Return what a model will take, as its engine estimates it; raises what that raises."""
        key = (recipe.name, recipe.generation)
        if key not in self._estimates:
            engine = self._build(recipe.engine, config_of(recipe))
            self._estimates[key] = engine.estimate_memory_bytes()
        return self._estimates[key]

    def fits_beside(self, recipe: Recipe, loaded: Iterable[Ready]) -> bool:
        """Return whether a model can be loaded beside what is there."""
        residents = _residents(loaded)
        return memory.fits_beside(
            self.needed_bytes(recipe), residents, self._capacity_bytes(residents)
        )

    def who_must_go(
        self, name: str, needed_bytes: int, loaded: Iterable[Ready]
    ) -> tuple[list[str], str]:
        """Return the models to unload so that one of that size fits, and the sizes in words.

        Raises ``EngineMemoryError`` where the operator's limit allows no model of that size.
        """
        residents = _residents(loaded)
        limit = settings.MODEL_MEMORY_BYTES
        if limit and needed_bytes > limit:
            raise EngineMemoryError(
                f"{name} needs {memory.in_words(needed_bytes)}, and ASR_MODEL_MEMORY_MB allows "
                f"{memory.in_words(limit)}. Raise it, or take a smaller model."
            )
        capacity = self._capacity_bytes(residents)
        going = memory.who_must_go(
            needed_bytes, residents=residents, own_name=name, capacity=capacity
        )
        held = sum(one.memory_bytes for one in residents)
        return going, memory.share_in_words(held + needed_bytes, capacity or 0)

    def report(self, loaded: Iterable[Ready]) -> dict[str, Any] | None:
        """Return what the device has, as the Worker row says it, once a model lies on it."""
        device = next((one.loaded.device for one in loaded), None)
        found = memory_in_use_of(device) if device else None
        return {"device": device, **asdict(found)} if found else None

    def _capacity_bytes(self, residents: Sequence[memory.Resident]) -> int | None:
        limit = settings.MODEL_MEMORY_BYTES
        return memory.capacity_bytes(
            limit_bytes=limit,
            loaded_bytes=sum(one.memory_bytes for one in residents),
            device=None if limit else self._device_memory(),
        )


def _residents(loaded: Iterable[Ready]) -> list[memory.Resident]:
    return [
        memory.Resident(name=one.name, memory_bytes=one.memory_bytes, last_used=one.last_used)
        for one in loaded
    ]
