"""``manage.py web``: one web process; ``serve`` starts it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from transcription.work.lifeline import Inherited, LifelineError


class Command(BaseCommand):
    help = "Run one web process on a socket that `serve` opened. Not for calling by hand."
    requires_system_checks: list[str] = []  # `serve` made them, and a restart must be quick

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fd", type=int, required=True, help="the listening socket")
        parser.add_argument("--tie", type=Inherited.parse, help="given by `serve`")

    def handle(self, *args: Any, fd: int, tie: Inherited | None, **options: Any) -> None:
        from transcription.work.web_process import run_web

        try:
            run_web(listening_fd=fd, inherited=tie)
        except LifelineError as error:
            raise CommandError(str(error)) from error
        sys.exit(0)
