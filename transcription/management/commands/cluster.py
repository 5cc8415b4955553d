"""``manage.py cluster NAME``: one cluster of workers; ``serve`` starts it."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from transcription.work.lifeline import Inherited, LifelineError
from transcription.work.programs import queue_of


class Command(BaseCommand):
    help = (
        "Run one cluster of workers in the foreground: engine-0, engine-1… or chores. "
        "`serve` starts all that are needed and watches them."
    )
    requires_system_checks: list[str] = []  # `serve` made them, and a restart must be quick

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="engine-N or chores")
        parser.add_argument("--tie", type=Inherited.parse, help="given by `serve`")

    def handle(self, *args: Any, name: str, tie: Inherited | None, **options: Any) -> None:
        try:
            queue = queue_of(name)
        except ValueError as error:
            raise CommandError(str(error)) from error
        if settings.QUEUE != queue or not settings.CLUSTER:
            # django-q2 and our settings read these when they are imported, which is over.
            os.environ.update(
                Q_CLUSTER_NAME=queue, ASR_PROCESS_ROLE=name, ASR_CLUSTER=f"{name}@{os.getpid()}"
            )
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
        from transcription.work.cluster import run_cluster

        try:
            status = run_cluster(tie)
        except LifelineError as error:
            raise CommandError(str(error)) from error
        sys.exit(status)
