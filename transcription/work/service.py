"""The service as a whole: its lock, its address, its programs."""

from __future__ import annotations

import http.client
import ipaddress
import logging
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.db import close_old_connections, connections

from transcription.work.devices import gpu_is_present
from transcription.work.launcher import Launcher, Timing
from transcription.work.locks import Holders, ServeLock
from transcription.work.programs import service_programs

logger = logging.getLogger(__name__)

_BACKLOG = 2048
_PROBE_SECONDS = 5.0


class CannotListenError(Exception):
    """The address cannot be had."""


def open_listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address. Raises ``CannotListenError``, in words.

    It is opened once and inherited by the web processes, so that a client who calls while they
    are started again waits in its queue instead of being refused.
    """
    if not 0 <= port <= 65_535:
        raise CannotListenError(f"{port} is no port: expected 0 to 65535.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListenError(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. "
            "Stop what uses it, or choose another by --port or ASR_PORT."
        ) from error


def url_of(listening: socket.socket) -> str:
    """Return the URL at which this machine reaches the socket, as "http://127.0.0.1:8000"."""
    host, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "::1" if address.version == 6 else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def allowed_host(allowed_hosts: Sequence[str]) -> str:
    """Return a host name that Django answers to."""
    for name in allowed_hosts:
        if name != "*":
            return name.removeprefix(".")
    return "localhost"


def answers(url: str, host: str) -> bool:
    """Whether the service at the URL says that it is well, asked under this host name."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/health", headers={"Host": host})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False  # not yet; the launcher asks again
    finally:
        connection.close()
    return status == http.HTTPStatus.OK


def release(holder: str) -> int:
    """Give back the work of a cluster that is gone, in a thread; return how many rows."""
    from transcription.work.upkeep import release_leases_of

    close_old_connections()
    try:
        return release_leases_of(holder)
    finally:
        connections.close_all()  # the launcher keeps none while nothing happens


def _empty_folder(path: Path) -> Path:
    """Make the folder anew; nothing of an earlier run is counted once more."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700)
    return path


def serve(*, host: str, port: int, web: bool) -> int:
    """Run the service until it is told to stop; return the exit status (see ``Launcher.run``).

    Raises ``LockTakenError`` if the data directory is served already, ``CannotListenError`` for
    an address that cannot be had, ``ValueError`` for settings that contradict each other, and
    ``LifelineError`` on a system that cannot do this.
    """
    lock = ServeLock(settings.RUN_DIR)
    lock.take()
    listening = open_listening_socket(host, port) if web else None
    url = url_of(listening) if listening else ""
    probed_host = allowed_host(settings.ALLOWED_HOSTS)
    programs = service_programs(
        manage=str(settings.BASE_DIR / "manage.py"),
        web_processes=settings.WEB_PROCESSES if listening else 0,
        listening_fd=listening.fileno() if listening else -1,
        engine_clusters=settings.ENGINE_CLUSTERS,
        chores_workers=settings.CHORES_WORKERS,
        device=settings.DEVICE,
        gpu_present=gpu_is_present(),
        metrics_dir=str(_empty_folder(settings.RUN_DIR / "metrics")),
    )

    def on_ready(seconds: float) -> None:
        lock.announce(url)
        if url:
            logger.info("Serving on %s (ready in %.1f s).", url, seconds)
        else:
            logger.info("Working (ready in %.1f s).", seconds)

    def on_stop() -> None:
        if listening:
            listening.close()  # from now on nobody new can connect

    launcher = Launcher(
        programs,
        holders=Holders(settings.RUN_DIR),
        release=release,
        answers=(lambda: answers(url, probed_host)) if web else (lambda: True),
        on_ready=on_ready,
        on_stop=on_stop,
        timing=Timing(
            stop_seconds=settings.STOP_SECONDS,
            restart_limit_seconds=settings.RESTART_LIMIT_SECONDS,
        ),
    )
    try:
        return launcher.run()
    finally:
        lock.release()
