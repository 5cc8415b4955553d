"""What a worker does while it has nothing to do yet."""

from __future__ import annotations

from django.db.models import Q
from django.db.models.functions import Now

from transcription.models import LeasedWork, SpeechModel, Transcription
from transcription.services.models import note_words
from transcription.work.runtime import Runtime

State, Step = LeasedWork.State, Transcription.Step


def warm_up(runtime: Runtime) -> None:
    """Load the first model before anybody waits for it."""
    if not runtime.engines.loaded() and not runtime.engines.errors():
        model = SpeechModel.objects.filter(enabled=True).first()
        if model is not None:
            ready = runtime.engines.ready(model)
            if ready is not None:
                note_words(model, ready.engine.gives_words)


def preparation_under_way() -> bool:
    """Return whether chunks may appear at any moment."""
    return (
        Transcription.objects.filter(step=Step.PREPARE)
        .filter(Q(state=State.LEASED) | Q(state=State.PENDING, not_before__lte=Now()))
        .exists()
    )
