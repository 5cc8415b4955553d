"""A PostgreSQL and a Redis of our own, on the loopback, for as long as a test runs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PATIENCE_SECONDS = 30.0


class NotInstalledError(Exception):
    """The server's program is not on this machine."""


def _program(name: str) -> str:
    # Debian keeps PostgreSQL's programs out of the path.
    folders = [
        str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    ]
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *folders]))
    if found is None:
        raise NotInstalledError(f"{name} is not installed.")
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start: {log.read_text()}") from None
            time.sleep(0.05)


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL; yields the URL of an empty database. Raises ``NotInstalledError``."""
    initdb, postgres = _program("initdb"), _program("postgres")
    # It refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="asr-postgresql-")))
        if user:
            shutil.chown(folder, user)
        log = folder / "log"
        subprocess.run(
            [initdb, "-D", folder / "data", "-U", "asr", "--auth=trust", "--encoding=UTF8"],
            check=True,
            capture_output=True,
            user=user,
            cwd=folder,
        )
        port = _free_port()
        with log.open("wb") as output:
            process = stack.enter_context(
                subprocess.Popen(
                    [
                        *(postgres, "-D", folder / "data", "-p", str(port), "-k", folder),
                        *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
                    ],
                    stdout=output,
                    stderr=output,
                    user=user,
                    cwd=folder,
                )
            )
        stack.callback(process.terminate)
        _wait_until_it_listens(process, port, log)
        yield f"postgresql://asr@127.0.0.1:{port}/postgres"


@contextmanager
def redis() -> Iterator[str]:
    """Run a Redis that keeps nothing; yields its URL. Raises ``NotInstalledError``."""
    server, port = _program("redis-server"), _free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="asr-redis-")))
        log = folder / "log"
        with log.open("wb") as output:
            process = stack.enter_context(
                subprocess.Popen(
                    [
                        *(server, "--port", str(port), "--bind", "127.0.0.1"),
                        *("--save", "", "--dir", folder),
                    ],
                    stdout=output,
                    stderr=output,
                )
            )
        stack.callback(process.terminate)
        _wait_until_it_listens(process, port, log)
        yield f"redis://127.0.0.1:{port}/0"
