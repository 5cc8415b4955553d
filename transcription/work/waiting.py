"""What a worker does while it has nothing to do yet."""

from __future__ import annotations

from django.db.models import Q
from django.db.models.functions import Now

from transcription.models import Chunk, LeasedWork, SpeechModel, Transcription
from transcription.services.models import note_loaded, note_words
from transcription.services.queue import is_paused
from transcription.work.runtime import Runtime

State, Step = LeasedWork.State, Transcription.Step


def warm_up(runtime: Runtime) -> None:
    """Begin to load the first model before anybody waits for it."""
    if not runtime.engines.loaded() and not runtime.engines.errors():
        model = SpeechModel.objects.filter(enabled=True).first()
        if model is not None:
            runtime.engines.begin(model, because="it is the first in order")


def look_after_models(runtime: Runtime) -> dict[str, SpeechModel]:
    """Have the engines follow the rows of the models; return the rows by name.

    Called between batches, and by the ticker while the worker is idle.
    """
    models = {model.name: model for model in SpeechModel.objects.all()}
    runtime.engines.tend(models.values(), has_work=_has_unfinished_chunks)
    for ready in runtime.engines.loaded():
        model = models.get(ready.name)
        if model is not None and model.generation == ready.generation:
            note_loaded(model, ready.recipe.as_last_good())
            note_words(model, ready.engine.gives_words)
    return models


def _has_unfinished_chunks(name: str) -> bool:
    return Chunk.objects.filter(model_name=name, state__in=[State.PENDING, State.LEASED]).exists()


def preparation_under_way() -> bool:
    """Return whether chunks may appear at any moment."""
    begun = Q(state=State.LEASED)
    if not is_paused():
        begun |= Q(state=State.PENDING, not_before__lte=Now())
    return Transcription.objects.filter(step=Step.PREPARE).filter(begun).exists()
