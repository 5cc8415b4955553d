"""What staff may ask of the models, and how far their workers have followed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from transcription.models import SpeechModel, Worker
from transcription.services import bell
from transcription.services.errors import ServiceError
from transcription.services.reasons import because_in_words

logger = logging.getLogger(__name__)

#: The model that every installation begins with.
EMBEDDED_MODEL = "whisper-base"

#: How far a worker, or all of them, are with the generation that a model's row asks for.
#: *unloaded*: nothing is wrong, and it will be loaded when it is next needed.
Standing = Literal["loaded", "reloading", "failed", "unloaded", "no_worker"]

#: A worker that has not reported for this many ticks, or seconds if that is longer, is gone.
SILENT_TICKS = 4
SILENT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class WorkerStanding:
    """How far one worker is with a model."""

    worker: str
    host: str
    pid: int
    state: Standing
    #: What serves at this moment; None: the model is not in memory.
    generation_loaded: int | None
    #: ISO 8601; None where nothing is being loaded.
    loading_since: str | None
    #: Why it was loaded, or left the memory; "" where nothing is known.
    because: str
    error: str


@dataclass(frozen=True, kw_only=True)
class ModelStanding:
    """How far the workers are with a model."""

    name: str
    generation: int
    status: Standing
    workers: tuple[WorkerStanding, ...]


def ensure_default_models() -> None:
    """Enter the embedded model where there is no model at all: a first start must work."""
    if not SpeechModel.objects.exists():
        SpeechModel.objects.get_or_create(
            name=EMBEDDED_MODEL,
            defaults={
                "title": "Whisper base",
                "engine": SpeechModel.Engine.WHISPER,
                "weights": EMBEDDED_MODEL,
                "chunk_seconds": 30.0,
            },
        )


@dataclass(frozen=True, kw_only=True)
class Role:
    """The place of a known model among the others."""

    #: Smaller comes first.
    order: int
    #: Longest stretch that it recognises in one go.
    chunk_seconds: float
    #: The model that recordings go to which take longer than ``short_seconds``, where both are
    #: entered: this one answers sooner, that one hears better.
    better: str = ""
    short_seconds: float | None = None


#: Somebody waits for a recording of up to a minute; a longer one deserves the better model.
ROLES = {
    "qwen3-asr-0.6b": Role(
        order=10, chunk_seconds=90.0, better="qwen3-asr-1.7b", short_seconds=60.0
    ),
    "qwen3-asr-1.7b": Role(order=20, chunk_seconds=90.0),
    EMBEDDED_MODEL: Role(order=100, chunk_seconds=30.0),
}
_UNKNOWN_ROLE = Role(order=50, chunk_seconds=30.0)


@dataclass(frozen=True, kw_only=True)
class Entered:
    """What ``enter_model`` did."""

    model: SpeechModel
    #: False: a model of that name was there already, and was left as it is.
    created: bool
    #: The model whose ``max_seconds`` was set so that the two share the recordings; else None.
    shortened: SpeechModel | None


def enter_model(
    name: str, *, engine: str, weights: str, title: str = "", languages: Sequence[str] = ()
) -> Entered:
    """Enter a model, enabled, at its place among the others; one that is there is left alone.

    ``weights`` is a name below the folder of the weights, or an absolute path; ``languages`` are
    the codes that the model knows, none for all. Of a fast model and a better one (``ROLES``)
    the fast one gets the short recordings, from when both are there; a limit that somebody set
    is kept. Raises ``ValidationError`` for a name or an engine that cannot be.
    """
    role = ROLES.get(name, _UNKNOWN_ROLE)
    with transaction.atomic():
        model = SpeechModel.objects.filter(name=name).first()
        if model is not None:
            return Entered(model=model, created=False, shortened=None)
        model = SpeechModel(
            name=name,
            title=title,
            engine=engine,
            weights=weights,
            order=role.order,
            languages=list(languages),
            chunk_seconds=role.chunk_seconds,
        )
        model.full_clean()
        model.save()
        shortened = _share_recordings(model)
        bell.wake(bell.ENGINE)
    logger.info("Model %s is entered.", name)
    if shortened is not None and shortened.pk == model.pk:
        model = shortened
    return Entered(model=model, created=True, shortened=shortened)


def _share_recordings(model: SpeechModel) -> SpeechModel | None:
    """Limit the faster of two models to short recordings, if ``model`` makes them two."""
    for fast, role in ROLES.items():
        if role.short_seconds is None or model.name not in (fast, role.better):
            continue
        better_is_there = SpeechModel.objects.filter(name=role.better, enabled=True).exists()
        if better_is_there and SpeechModel.objects.filter(
            name=fast, enabled=True, max_seconds=None
        ).update(max_seconds=role.short_seconds):
            return SpeechModel.objects.get(name=fast)
    return None


def note_words(model: SpeechModel, gives_words: bool) -> None:
    """Write down whether this model gives times of words: web processes load none to find out."""
    if model.gives_words is not gives_words:
        SpeechModel.objects.filter(pk=model.pk).update(gives_words=gives_words)


def enabled_model(name: str = "") -> SpeechModel:
    """Return the enabled model of this name; without one, the only one that there is.

    Raises ``ServiceError`` (unknown_model, model_not_named).
    """
    rows = list(SpeechModel.objects.filter(enabled=True))
    available = ", ".join(row.name for row in rows)
    if not name and len(rows) > 1:
        raise ServiceError("model_not_named", available=available)
    for row in rows:
        if name in ("", row.name):
            return row
    raise ServiceError("unknown_model", value=name, available=available or "-")


def reload(model: SpeechModel, *, weights: str = "") -> int:
    """Have every worker load the model anew; return the generation that they will report.

    With ``weights`` from another directory, below the weights directory or beside one that a
    model is loaded from; raises ``ServiceError`` (weights_not_allowed, weights_not_found). Work
    goes on with what is loaded until the new load has succeeded.
    """
    changes: dict[str, Any] = {"generation": F("generation") + 1, "updated_at": timezone.now()}
    if weights:
        changes["weights"] = checked_weights(weights)
    with transaction.atomic():
        SpeechModel.objects.filter(pk=model.pk).update(**changes)
        bell.wake(bell.ENGINE)
    model.refresh_from_db(fields=[*changes])
    logger.info(
        "Model %s is to be loaded anew from %s, generation %d.",
        model.name,
        model.weights or "no weights",
        model.generation,
    )
    return model.generation


def checked_weights(value: str) -> str:
    """Return the directory as a model's row names it: below the weights directory by its name.

    A link that somebody put below an allowed place is followed: who can put one there could have
    put the weights. Raises ``ServiceError``.
    """
    root = Path(settings.WEIGHTS_DIR)
    allowed = {root}
    for row in SpeechModel.objects.exclude(weights=""):
        allowed.add(Path(root, row.weights).parent)
    places = ", ".join(sorted(str(place) for place in allowed))
    if "\0" in value or ".." in Path(value).parts:
        raise ServiceError("weights_not_allowed", value=value, allowed=places)
    folder = Path(os.path.normpath(root / value))
    if not any(place in folder.parents for place in allowed):
        raise ServiceError("weights_not_allowed", value=value, allowed=places)
    try:
        is_there = folder.is_dir()
    except OSError:  # a name that the file system does not take
        is_there = False
    if not is_there:
        raise ServiceError("weights_not_found", value=value)
    return str(folder.relative_to(root)) if root in folder.parents else str(folder)


def note_loaded(model: SpeechModel, last_good: dict[str, Any]) -> None:
    """Write down what a worker has loaded for the row as it stands, for a worker after it."""
    if model.last_good == last_good:
        return
    SpeechModel.objects.filter(pk=model.pk, generation=last_good["generation"]).update(
        last_good=last_good
    )


def standing_of(model: SpeechModel) -> ModelStanding:
    """Return how far the living workers are with a model: two small queries at most."""
    return standings([model])[0]


def standings(models: Iterable[SpeechModel]) -> list[ModelStanding]:
    """Return how far the living workers are with each of the models; one query."""
    workers = list(alive_workers().filter(cluster__startswith=bell.ENGINE))
    found = []
    for model in models:
        each = tuple(_standing_in(worker, model) for worker in workers)
        found.append(
            ModelStanding(
                name=model.name,
                generation=model.generation,
                status=overall([one.state for one in each]),
                workers=each,
            )
        )
    return found


def alive_workers() -> QuerySet[Worker]:
    """Return the workers whose heartbeat is not too old."""
    return Worker.objects.filter(heartbeat_at__gte=timezone.now() - silence())


def silence() -> timedelta:
    """Return the age of a heartbeat from which on its worker counts as gone."""
    return timedelta(seconds=max(SILENT_SECONDS, SILENT_TICKS * settings.TICK_SECONDS))


def overall(states: Iterable[Standing]) -> Standing:
    """Return what the states of all workers come to: the one that somebody has to know first."""
    there = set(states)
    for state in ("failed", "reloading", "loaded", "unloaded"):
        if state in there:
            return state
    return "no_worker"


def _standing_in(worker: Worker, model: SpeechModel) -> WorkerStanding:
    loaded = _entry(worker.loaded, model.name)
    loading = _entry(worker.loading, model.name)
    failed = _entry(worker.failed, model.name)
    unloaded = _entry(reversed(worker.unloaded), model.name)
    if failed and failed.get("generation") != model.generation:
        failed = None  # of a generation that nobody wants any more
    state: Standing
    if loaded and loaded["generation"] == model.generation:
        state = "loaded"
    elif loading or worker.seen.get(model.name, 0) < model.generation:
        # On its way, or the worker has not looked yet.
        state = "reloading"
    elif failed:
        state = "failed"
    else:
        state = "reloading" if loaded else "unloaded"
    because = (loaded or {}).get("loaded_because") or (unloaded or {}).get("unloaded_because")
    return WorkerStanding(
        worker=worker.cluster.partition("@")[0],
        host=worker.host,
        pid=worker.pid,
        state=state,
        generation_loaded=loaded["generation"] if loaded else None,
        loading_since=loading["since"] if loading else None,
        because=because_in_words(because or ""),
        error=failed["message"] if failed else "",
    )


def _entry(entries: Iterable[dict[str, Any]], name: str) -> dict[str, Any] | None:
    return next((entry for entry in entries if entry.get("name") == name), None)
