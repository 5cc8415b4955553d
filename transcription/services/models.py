"""What staff may ask of the models."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

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
    "whisper-base": Role(order=100, chunk_seconds=30.0),
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
