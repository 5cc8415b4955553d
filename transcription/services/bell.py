"""Wakes the workers. The bell names no row: it only says that there is something to look for."""

from __future__ import annotations

import logging

from django.db import transaction
from django_q.brokers import get_broker
from django_q.tasks import async_task

logger = logging.getLogger(__name__)

ENGINE = "engine"
CHORES = "chores"
_TASKS = {
    ENGINE: "transcription.work.tasks.look_for_speech",
    CHORES: "transcription.work.tasks.look_for_chores",
}


def wake(cluster: str) -> None:
    """Ring the bell of a cluster once the running transaction is committed.

    A bell that nobody has taken yet says the same, so a second one is not rung. If the bell
    cannot be rung (the broker is down), that is logged and no more: the row is safe, and the
    ticker of every worker rings for rows that wait.
    """
    transaction.on_commit(lambda: _ring(cluster), robust=True)


def _ring(cluster: str) -> None:
    try:
        # Outside a transaction the ORM broker would close the connection before every query.
        with transaction.atomic():
            if get_broker(cluster).queue_size() == 0:
                async_task(_TASKS[cluster], cluster=cluster)
    except Exception:
        logger.exception("The bell of %s could not be rung; the ticker will.", cluster)
