"""Notices when two processes do the same piece of work at once, however they may end.

Whoever works on a piece holds an flock of its name, which the system releases at his death. If
the lock is taken, somebody else works on the same piece at this moment: that is written down.
"""

from __future__ import annotations

import fcntl
import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import AppConfig
from django.conf import settings

#: What the clients of the torture write as the prompt of each upload.
UPLOAD = re.compile(r"upload \d+")


@contextmanager
def only_one_at_work_on(piece: str) -> Iterator[None]:
    """Write a violation down if another process is at work on the piece; log every start."""
    fd = os.open(settings.WATCH_DIR / f"{piece}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _append("violations", piece)
    _append("starts", piece)
    try:
        yield
    finally:
        os.close(fd)


def _append(name: str, line: str) -> None:
    fd = os.open(settings.WATCH_DIR / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f"{line}\n".encode())
    os.close(fd)


def _watch_preparation(**_details: Any) -> None:
    from transcription.work import chores

    prepare = chores.prepare

    @functools.wraps(prepare)
    def watched(row: Any, *args: Any, **kwargs: Any) -> None:
        with only_one_at_work_on(f"prepare {row.pk}"):
            prepare(row, *args, **kwargs)

    chores.prepare = watched


class WatchedConfig(AppConfig):
    name = "tests.torture"
    label = "torture"

    def ready(self) -> None:
        from django_q.signals import post_spawn

        from transcription.engines.registry import ADAPTERS

        ADAPTERS["fake"] = "tests.torture.watched_engine:WatchedEngine"
        post_spawn.connect(_watch_preparation, dispatch_uid="torture")
