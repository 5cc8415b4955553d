"""Runs one web process on the launcher's listening socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from types import FrameType

import uvicorn
from django.conf import settings

from transcription.work import stopping
from transcription.work.lifeline import Inherited, Tie

#: Seconds that an idle connection of a client is kept; more than what proxies in front keep
#: (nginx 60 s), or they would now and then send a request into a closing connection.
_KEEP_ALIVE_SECONDS = 75


class _Server(uvicorn.Server):
    """Lets every view know that the end has begun."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        stopping.request_stop()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but end by returning: it would send itself the signal once more."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def run_web(*, listening_fd: int, inherited: Inherited | None) -> None:
    """Serve the ASGI application on an inherited listening socket until SIGTERM.

    Running requests get most of ``settings.STOP_SECONDS`` to come to their end. Raises
    ``lifeline.LifelineError``.
    """
    Tie.hold(inherited)
    listening = socket.socket(fileno=listening_fd)
    config = uvicorn.Config(
        "asr_project.asgi:application",
        http="h11",
        ws="none",
        # Ours are in settings.LOGGING.
        log_config=None,
        log_level="warning",
        access_log=False,
        # Which headers of which proxies count is Django's setting (ASR_PROXY_COUNT).
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        # Shorter than the launcher's patience, which ends with SIGKILL.
        timeout_graceful_shutdown=max(1, int(settings.STOP_SECONDS * 0.8)),
    )
    _Server(config).run(sockets=[listening])
