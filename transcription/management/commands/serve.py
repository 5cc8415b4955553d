"""``manage.py serve``: the whole service in the foreground."""

from __future__ import annotations

import copy
import logging.config
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from transcription.work.lifeline import LifelineError, tie_to_parent
from transcription.work.locks import LockTakenError
from transcription.work.service import CannotListenError, serve

ROLE = "serve"


class Command(BaseCommand):
    help = (
        "Run the service: web, one engine cluster per GPU, one cluster for chores. "
        "What dies is started again. Ctrl-C or SIGTERM stops it in order, a second one at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="address to listen on")
        parser.add_argument("--port", type=int, default=settings.PORT, help="0: any free one")
        parser.add_argument(
            "--no-web", action="store_true", help="only work, on a host beside the one with the web"
        )
        parser.add_argument(
            "--parent", type=int, metavar="PID", help="die when this process does, our parent"
        )

    def handle(
        self,
        *args: Any,
        host: str,
        port: int,
        no_web: bool,
        parent: int | None,
        **options: Any,
    ) -> None:
        log_to_file(ROLE)
        try:
            if parent is not None:
                tie_to_parent(parent)
            status = serve(host=host, port=port, web=not no_web)
        except (LifelineError, LockTakenError, CannotListenError, ValueError) as error:
            raise CommandError(str(error)) from error
        sys.exit(status)


def log_to_file(role: str) -> None:
    """Let this process write its log lines to the file of that role as well.

    Settings give a file only to processes that were started under a role's name; this one is
    started by a person.
    """
    config = copy.deepcopy(settings.LOGGING)
    config["handlers"]["file"]["role"] = role
    config["root"]["handlers"] = ["console", "file"]
    logging.config.dictConfig(config)
