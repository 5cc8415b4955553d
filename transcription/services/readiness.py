"""Whether the service could turn a recording into text at this moment, and what stands in the way.

For orchestrators and people. A paused queue is somebody's wish, and no fault.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from transcription.models import SpeechModel
from transcription.services import bell, engine_room, models

#: What is looked at, in this order.
Subject = Literal["database", "disk", "workers", "model"]

#: Code of what is wrong -> where it belongs, and its words.
REASONS: dict[str, tuple[Subject, object]] = {
    "database_unavailable": (
        "database",
        _("The database does not answer. Uploads are refused until it does."),
    ),
    "storage_full": (
        "disk",
        _(
            "The disk has less free space than ASR_MIN_FREE_DISK_MB. Uploads are refused until "
            "there is room."
        ),
    ),
    "no_chores_worker": (
        "workers",
        _("No worker prepares recordings. Is 'manage.py serve' running?"),
    ),
    "no_engine_worker": (
        "workers",
        _("No worker recognises speech. Is 'manage.py serve' running?"),
    ),
    "no_model": ("model", _("There is no enabled speech model. Enable one in the admin.")),
    "model_failed": (
        "model",
        _("No speech model could be loaded. The engine room in the admin says why."),
    ),
    "model_loading": ("model", _("The speech model is being loaded.")),
}
SUBJECTS: tuple[Subject, ...] = ("database", "disk", "workers", "model")


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One thing that stands in the way."""

    code: str

    @property
    def subject(self) -> Subject:
        return REASONS[self.code][0]

    @property
    def words(self) -> str:
        """In the reader's language."""
        return str(REASONS[self.code][1])


def reasons() -> tuple[Reason, ...]:
    """Return what stands in the way; empty: a recording that comes now becomes text.

    Three queries. Raises ``django.db.Error``.
    """
    return (*_of_the_disk(), *(Reason(code=code) for code in _obstacles()))


def reasons_without_database() -> tuple[Reason, ...]:
    """Return what is known to stand in the way where the database does not answer."""
    return (Reason(code="database_unavailable"), *_of_the_disk())


def _of_the_disk() -> Iterable[Reason]:
    if shutil.disk_usage(settings.DATA_DIR).free < settings.MIN_FREE_DISK_BYTES:
        yield Reason(code="storage_full")


def _obstacles() -> Iterable[str]:
    alive = list(models.alive_workers().values_list("cluster", flat=True))
    engines = sum(cluster.startswith(bell.ENGINE) for cluster in alive)
    standings = models.standings(list(SpeechModel.objects.filter(enabled=True)))
    return engine_room.obstacles(
        paused=False,
        chores_workers=len(alive) - engines,
        engine_workers=engines,
        statuses=[one.status for one in standings],
        any_serves=any(
            worker.generation_loaded is not None for one in standings for worker in one.workers
        ),
    )
