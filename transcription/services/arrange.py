"""Which models are used, and which of them is preferred."""

from __future__ import annotations

import logging
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from transcription.models import SpeechModel
from transcription.services import bell
from transcription.services.errors import ServiceError

logger = logging.getLogger(__name__)

#: Engines that need no weights.
WITHOUT_WEIGHTS = frozenset({SpeechModel.Engine.FAKE})
#: Between two models, so that a person can put another one there.
ORDER_STEP = 10


def enable(model: SpeechModel) -> bool:
    """Let recordings be given to the model; False: they were already.

    Raises ``weights_not_found``: what cannot be loaded would keep them waiting.
    """
    if model.engine not in WITHOUT_WEIGHTS:
        folder = Path(settings.WEIGHTS_DIR, model.weights)
        if not model.weights or not folder.is_dir():
            raise ServiceError("weights_not_found", value=model.weights)
    return _switch(model, enabled=True)


def disable(model: SpeechModel) -> bool:
    """Give the model no more recordings; False: it got none already.

    Those that it has begun are finished, then it leaves the memory of the workers.
    """
    return _switch(model, enabled=False)


def _switch(model: SpeechModel, *, enabled: bool) -> bool:
    with transaction.atomic():
        changed = SpeechModel.objects.filter(pk=model.pk, enabled=not enabled).update(
            enabled=enabled, updated_at=timezone.now()
        )
        if changed:
            bell.wake(bell.ENGINE)
            # Recordings may wait for a model that fits them.
            bell.wake(bell.CHORES)
    if changed:
        logger.info("Model %s is switched %s.", model.name, "on" if enabled else "off")
    return bool(changed)


def move(model: SpeechModel, *, earlier: bool) -> bool:
    """Have the model change places with its neighbour in the order of choice.

    False: it has no neighbour on that side.
    """
    with transaction.atomic():
        rows = list(SpeechModel.objects.select_for_update().order_by("order", "name"))
        here = next((at for at, row in enumerate(rows) if row.pk == model.pk), None)
        if here is None:
            return False
        there = here - 1 if earlier else here + 1
        if not 0 <= there < len(rows):
            return False
        rows[here], rows[there] = rows[there], rows[here]
        for place, row in enumerate(rows, start=1):
            if row.order != place * ORDER_STEP:
                row.order = place * ORDER_STEP
                row.save(update_fields=["order", "updated_at"])
    logger.info("Model %s is number %d in the order of choice.", model.name, there + 1)
    return True
