"""The engines that this worker has in memory."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.utils import timezone

from transcription.engines.base import Engine, EngineConfig, EngineError, EngineMemoryError
from transcription.engines.devices import DeviceMemory
from transcription.engines.registry import build
from transcription.models import SpeechModel
from transcription.work.engine_config import config_of, weights_dir_of
from transcription.work.engine_records import Failure, Load, Ready, Recipe, files_in, is_passing
from transcription.work.model_memory import ModelMemory

logger = logging.getLogger(__name__)

#: Pause before a model that could not be loaded for a passing reason is tried again.
TRY_AGAIN_SECONDS = 30.0
#: Files that changed after a load had failed are left alone for this long: a copy goes on.
FILES_SETTLE_SECONDS = 5.0
#: How many models that left the memory are remembered.
UNLOADED_KEPT = 8


class EngineHost:
    """Loads models when they are needed, and anew when their generation is raised.

    Every load runs in a thread of its own, one at a time, while what is in memory goes on
    serving; a loaded engine takes the place of its predecessor between two batches. An engine is
    used by one batch at a time, inside ``use``, and is never unloaded there. All methods may be
    called from any thread.
    """

    def __init__(
        self,
        build_engine: Callable[[str, EngineConfig], Engine] = build,
        before_load: Callable[[], None] = lambda: None,
        device_memory: Callable[[], DeviceMemory | None] = lambda: None,
    ) -> None:
        self._build = build_engine
        self._before_load = before_load
        self._memory = ModelMemory(build_engine, device_memory)
        #: Guards what follows; notified whenever any of it changes.
        self._state = threading.Condition()
        self._ready: dict[str, Ready] = {}
        self._failed: dict[str, Failure] = {}
        self._load: Load | None = None
        self._seen: dict[str, int] = {}
        self._unloaded: deque[dict[str, Any]] = deque(maxlen=UNLOADED_KEPT)
        self._left_at: dict[str, float] = {}
        self._last_load_ended = float("-inf")
        #: Set when there is something new to report.
        self.changed = threading.Event()

    # --- what is there

    def loaded(self) -> list[Ready]:
        """Return what is in memory."""
        with self._state:
            return list(self._ready.values())

    def has(self, name: str) -> bool:
        """Return whether a model is in memory."""
        with self._state:
            return name in self._ready

    @property
    def loading(self) -> Load | None:
        """The load that is under way."""
        return self._load

    def errors(self) -> str:
        """Return what went wrong with loading, in words; "" if nothing did."""
        with self._state:
            return "\n".join(f"{name}: {one.message}" for name, one in sorted(self._failed.items()))

    def failed_names(self) -> list[str]:
        """Return the models that can at present not be used at all."""
        with self._state:
            return [name for name in self._failed if name not in self._ready]

    def report(self) -> dict[str, Any]:
        """Return what the Worker row says of all this, by its fields."""
        # Before anything is locked: a driver may take its time to answer.
        device_memory = self._memory.report(self.loaded())
        with self._state:
            return {
                "device_memory": device_memory,
                "loaded": [one.as_row() for one in self._ready.values()],
                "loading": [self._load.as_row()] if self._load else [],
                "failed": [one.as_row() for _, one in sorted(self._failed.items())],
                "unloaded": list(self._unloaded),
                "seen": dict(self._seen),
                "error": self.errors(),
            }

    def waited_since(self, name: str, waited_seconds: float) -> float:
        """Return how long a model's chunks have waited since it left the memory, if it did."""
        left_at = self._left_at.get(name, float("-inf"))
        return min(waited_seconds, time.monotonic() - left_at)

    @property
    def since_last_load_seconds(self) -> float:
        """Seconds since the last load ended."""
        return time.monotonic() - self._last_load_ended

    def needs_a_swap(self, model: SpeechModel) -> bool:
        """Return whether something must leave the memory before this model can be loaded."""
        if self.has(model.name):
            return False
        recipe = Recipe.of(model)
        try:
            self._memory.needed_bytes(recipe)
        except Exception:
            # What is wrong with it is said by its load.
            return False
        return not self._memory.fits_beside(recipe, self.loaded())

    # --- using

    @contextmanager
    def use(self, name: str) -> Iterator[Ready | None]:
        """Lend the engine of a model to one batch; None: it is not in memory."""
        with self._state:
            ready = self._ready.get(name)
            if ready is not None:
                ready.users += 1
        try:
            yield ready
        finally:
            if ready is not None:
                with self._state:
                    ready.users -= 1
                    ready.note_use()
                    self._state.notify_all()

    def ready(self, model: SpeechModel, *, because: str = "it was asked for") -> Ready | None:
        """Return the engine of this model, after loading it where it is not in memory.

        None: it cannot be loaded, and nothing that could stand in for it either; why is in
        ``errors``.
        """
        tried = False
        with self._state:
            while True:
                current = self._ready.get(model.name)
                if current is not None:
                    return current
                if self._load is None:
                    if tried or not self._begin(model, because=because):
                        return None
                    tried = True
                self._state.wait()

    def begin(self, model: SpeechModel, *, because: str) -> bool:
        """Begin to load a model that is not in memory; False: it is, or not now."""
        with self._state:
            return model.name not in self._ready and self._begin(model, because=because)

    def wait_for_change(self, timeout_seconds: float) -> None:
        """Return when a load has ended, or after the time."""
        with self._state:
            if self._load is not None:
                self._state.wait(timeout_seconds)

    def wait_until_loaded(self, timeout_seconds: float = 600.0) -> bool:
        """Return when no load is under way; False: after the time one still is."""
        with self._state:
            return self._state.wait_for(lambda: self._load is None, timeout_seconds)

    # --- keeping up with the rows

    def tend(
        self, models: Iterable[SpeechModel], has_work: Callable[[str], bool] = lambda name: False
    ) -> None:
        """Follow the rows: begin reloads that were asked for, let go of what nobody needs.

        ``has_work(name)`` says whether recordings in progress still need a model that was
        disabled.
        """
        rows = {model.name: model for model in models}
        with self._state:
            for name in [name for name in self._failed if name not in rows]:
                del self._failed[name]
            going = [
                (ready, because)
                for ready in self._ready.values()
                if not ready.users and (because := _why_go(ready, rows.get(ready.name), has_work))
            ]
            for ready, because in going:
                self._take_out(ready, because)
            for model in rows.values():
                self._follow(model)
        for ready, _because in going:
            self._unload(ready)

    def _follow(self, model: SpeechModel) -> None:
        """Begin the reload that the row asks for, if it does; called with the state locked."""
        current, seen = self._ready.get(model.name), self._seen.get(model.name)
        wanted = False
        if current is not None:
            wanted = model.generation not in (current.generation, current.stands_in_for)
            # What could not be loaded is tried again once that makes sense.
            failure = self._failed.get(model.name)
            wanted |= failure is not None and self._may_try(Recipe.of(model))
        elif seen is not None and seen != model.generation:
            # Asked for while it is not in memory: loaded to see whether it can be.
            wanted = model.enabled
        elif model.name in self._failed:
            wanted = model.enabled and self._may_try(Recipe.of(model))
        if not wanted or self._begin(
            model,
            because=f"generation {model.generation} was asked for",
            only_beside=current is None,
        ):
            self._seen[model.name] = model.generation

    # --- loading; every method from here to the end of the class runs in the loading thread,
    # but for those that say that the state is locked

    def _begin(self, model: SpeechModel, *, because: str, only_beside: bool = False) -> bool:
        """Start the thread of a load; called with the state locked. False: not now."""
        recipe = Recipe.of(model)
        if self._load is not None or not self._may_try(recipe):
            return False
        self._seen[model.name] = model.generation
        load = self._load = Load(
            recipe=recipe,
            last_good=Recipe.last_good_of(model),
            because=because,
            only_beside=only_beside,
        )
        self.changed.set()
        threading.Thread(target=self._run, args=(load,), name="loader", daemon=True).start()
        return True

    def _may_try(self, recipe: Recipe) -> bool:
        """Whether a load makes sense, after what is known; called with the state locked."""
        failure = self._failed.get(recipe.name)
        if failure is None or failure.recipe.generation != recipe.generation:
            return True
        seconds = time.monotonic() - failure.at
        if failure.passing:
            return seconds >= TRY_AGAIN_SECONDS
        return seconds >= FILES_SETTLE_SECONDS and failure.files != files_in(weights_dir_of(recipe))

    def _run(self, load: Load) -> None:
        try:
            self._bring_in(load)
        except Exception:
            logger.exception("Loading %s went wrong in a way that nobody thought of.", load.recipe)
        finally:
            with self._state:
                self._load = None
                self._last_load_ended = time.monotonic()
                self._state.notify_all()
            self.changed.set()

    def _bring_in(self, load: Load) -> None:
        recipe = load.recipe
        with self._state:
            before = self._ready.get(recipe.name)
        try:
            self._before_load()
        except Exception as error:
            # The device is another worker's: nothing else could be loaded either.
            logger.exception("Nothing can be loaded at present.")
            self._fail(recipe, error)
            return
        try:
            if load.only_beside and not self._memory.fits_beside(recipe, self.loaded()):
                logger.info("%s is loaded anew at its next use: memory is full.", recipe.name)
                return
            fresh = self._load_engine(recipe, because=load.because)
        except Exception as error:
            # Whatever a library raises, a worker that cannot load a model lives on and says so.
            if isinstance(error, EngineError | OSError | MemoryError):
                logger.error("Model %s could not be loaded: %s", recipe.name, error)
            else:
                logger.exception("Model %s could not be loaded.", recipe.name)
            self._fail(recipe, error)
            if not self.has(recipe.name):
                self._fall_back(recipe, before.recipe if before else load.last_good)
            return
        self._put_in(fresh)

    def _fail(self, recipe: Recipe, error: Exception) -> None:
        failure = Failure(
            recipe=recipe,
            message=f"generation {recipe.generation} could not be loaded: {error or repr(error)}",
            passing=is_passing(error),
            files=files_in(weights_dir_of(recipe)),
        )
        with self._state:
            self._failed[recipe.name] = failure
            if recipe.name in self._ready:
                self._ready[recipe.name].stands_in_for = recipe.generation

    def _fall_back(self, recipe: Recipe, known: Recipe | None) -> None:
        """Bring back what worked before, since the wanted generation cannot be loaded."""
        if known is None or known.generation == recipe.generation:
            return
        if known.builds_the_same_as(recipe):
            return
        because = f"generation {recipe.generation} could not be loaded"
        try:
            fresh = self._load_engine(known, because=because)
        except Exception as error:
            logger.exception("Nor could %s, generation %d.", known.name, known.generation)
            self._fail(recipe, EngineError(f"{self.errors()} Nor could the one before: {error}"))
            return
        fresh.stands_in_for = recipe.generation
        logger.warning("%s: %s, so generation %d serves.", known.name, because, known.generation)
        self._put_in(fresh)

    def _load_engine(self, recipe: Recipe, *, because: str) -> Ready:
        engine = self._build(recipe.engine, config_of(recipe))
        needed = engine.estimate_memory_bytes()
        self._make_room(recipe.name, needed)
        try:
            loaded = engine.load()
        except (EngineMemoryError, MemoryError) as error:
            others = [one.name for one in self.loaded()]
            if not others:
                raise
            logger.warning("%s does not fit beside %s: %s", recipe.name, others, error)
            self._retire(others, because=f"out of memory while {recipe.name} was loaded")
            loaded = engine.load()
        logger.info(
            "Loaded %s, generation %d, on %s as %s in %.1f s, because %s.",
            recipe.name,
            recipe.generation,
            loaded.device,
            loaded.dtype,
            loaded.load_seconds,
            because,
        )
        return Ready(
            engine=engine,
            recipe=recipe,
            loaded=loaded,
            memory_bytes=needed if loaded.memory_bytes is None else loaded.memory_bytes,
            because=because,
        )

    def _put_in(self, fresh: Ready) -> None:
        with self._state:
            old = self._ready.get(fresh.name)
            self._ready[fresh.name] = fresh
            if fresh.stands_in_for is None:
                self._failed.pop(fresh.name, None)
            self._state.notify_all()
        if old is not None:
            self._unload(old)

    # --- memory

    def _make_room(self, name: str, needed_bytes: int) -> None:
        """Unload what must go for a model of that size; raises ``EngineMemoryError``."""
        going, figures = self._memory.who_must_go(name, needed_bytes, self.loaded())
        if going:
            self._retire(going, because=f"swapped for {name}: {figures}")

    def _retire(self, names: list[str], *, because: str) -> None:
        """Take models out of the memory, each when its batch is over."""
        with self._state:
            going = [self._ready[name] for name in names if name in self._ready]
            for ready in going:
                self._take_out(ready, because)
        for ready in going:
            self._unload(ready)

    def _take_out(self, ready: Ready, because: str) -> None:
        """Let no batch begin with it any more; called with the state locked."""
        del self._ready[ready.name]
        self._left_at[ready.name] = time.monotonic()
        self._unloaded.append(
            {
                "name": ready.name,
                "generation": ready.generation,
                "unloaded_because": because,
                "at": timezone.now().isoformat(timespec="seconds"),
            }
        )
        logger.info("%s leaves the memory: %s.", ready.name, because)
        self._state.notify_all()
        self.changed.set()

    def _unload(self, ready: Ready) -> None:
        """Give its memory back once its batch is over."""
        with self._state:
            self._state.wait_for(lambda: not ready.users)
        try:
            ready.engine.unload()
        except Exception:
            logger.exception("%s could not be unloaded in order.", ready.name)


def _why_go(ready: Ready, model: SpeechModel | None, has_work: Callable[[str], bool]) -> str:
    """Return why a model should leave the memory; "": it should not."""
    if model is None:
        return "its model was deleted"
    if not model.enabled and not has_work(model.name):
        return "its model was disabled"
    idle_seconds = time.monotonic() - ready.last_used
    if settings.IDLE_UNLOAD_SECONDS and idle_seconds >= settings.IDLE_UNLOAD_SECONDS:
        return f"idle for {settings.IDLE_UNLOAD_SECONDS / 60:g} minutes"
    return ""
