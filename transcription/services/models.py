"""What staff may ask of the models."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import F

from transcription.models import SpeechModel
from transcription.services import bell

logger = logging.getLogger(__name__)


def ensure_default_models() -> None:
    """Enter the embedded model where there is no model at all: a first start must work."""
    if not SpeechModel.objects.exists():
        SpeechModel.objects.get_or_create(
            name="whisper-base",
            defaults={
                "title": "Whisper base",
                "engine": SpeechModel.Engine.WHISPER,
                "weights": "whisper-base",
                "chunk_seconds": 30.0,
            },
        )


def note_words(model: SpeechModel, gives_words: bool) -> None:
    """Write down whether this model gives times of words: web processes load none to find out."""
    if model.gives_words is not gives_words:
        SpeechModel.objects.filter(pk=model.pk).update(gives_words=gives_words)


def reload(model: SpeechModel) -> int:
    """Have every worker load the model anew; return the generation that they will report.

    Work goes on with what is loaded until the new load has succeeded.
    """
    with transaction.atomic():
        SpeechModel.objects.filter(pk=model.pk).update(generation=F("generation") + 1)
        bell.wake(bell.ENGINE)
    model.refresh_from_db(fields=["generation"])
    logger.info("Model %s is to be loaded anew, generation %d.", model.name, model.generation)
    return model.generation
