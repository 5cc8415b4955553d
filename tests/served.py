"""The service's web process as it is run, in a process of its own, on a free port."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What a busy machine may take for what is a matter of milliseconds.
PATIENCE_SECONDS = 30.0
ROOT = Path(__file__).resolve().parent.parent


def eventually(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds; fail when it does not come to."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"still not so after {PATIENCE_SECONDS:g} s"
        threading.Event().wait(0.01)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """A running web process; its rows are those of the test's own database."""

    def __init__(self, data_dir: Path, database_url: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.log_path = data_dir / "output.log"
        data_dir.mkdir(parents=True, exist_ok=True)
        listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = listening.getsockname()[1]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error::ResourceWarning", "manage.py", "web",
                 "--fd", str(listening.fileno())],
                cwd=ROOT,
                env={
                    "PATH": os.environ["PATH"],
                    "ASR_ENV_FILE": "",
                    "ASR_DATA_DIR": str(data_dir),
                    "ASR_DATABASE_URL": database_url,
                    "ASR_PROCESS_ROLE": "web",
                    **environment,
                },
                pass_fds=[listening.fileno()],
                stdout=log,
                stderr=log,
            )  # fmt: skip
        # It listens already: the first request waits in the socket until the process is up.
        listening.close()

    @property
    def incoming(self) -> list[str]:
        """What lies in the folder for bodies on their way in."""
        return sorted(path.name for path in (self.data_dir / "incoming").iterdir())

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    def rss_bytes(self) -> int:
        """Memory of the process that is in use now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def connect(self, timeout_seconds: float = 60.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        chunked: bool = False,
    ) -> Answer:
        """Send a request the way most libraries do: all of it, then read the answer."""
        connection = self.connect()
        try:
            connection.request(
                method, path, body=body, headers=dict(headers or {}), encode_chunked=chunked
            )
            response = connection.getresponse()
            return Answer(
                status=response.status,
                headers={name.lower(): value for name, value in response.getheaders()},
                body=response.read(),
            )
        finally:
            connection.close()

    def post_file(
        self,
        file_bytes: int,
        token: str = "",
        *,
        path: str = "/api/v1/transcribe",
        chunked: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Post a file of this size; chunked: without telling the size beforehand."""
        form = Form.of_size(file_bytes)
        sent = {"Content-Type": form.content_type, **(headers or {})}
        if token:
            sent["Authorization"] = f"Token {token}"
        if chunked:
            sent["Transfer-Encoding"] = "chunked"
        else:
            sent["Content-Length"] = str(len(form))
        return self.request("POST", path, body=iter(form), headers=sent, chunked=chunked)

    def open_spools(self) -> list[str]:
        """Nameless files of the folder for incoming bodies that the process holds open."""
        folder = str(self.data_dir / "incoming")
        links = []
        for handle in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed between the two calls
                links.append(str(handle.readlink()))
        return [link for link in links if link.startswith(folder)]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@dataclass(frozen=True, kw_only=True)
class Form:
    """A multipart body with one file, made piece by piece, as large as wanted."""

    boundary: str
    head: bytes
    file_bytes: int
    tail: bytes

    @classmethod
    def of_size(cls, file_bytes: int, *, field: str = "file", name: str = "a.wav") -> Form:
        boundary = uuid.uuid4().hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; '
            f'filename="{name}"\r\nContent-Type: audio/wav\r\n\r\n'
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        return cls(boundary=boundary, head=head, file_bytes=file_bytes, tail=tail)

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={self.boundary}"

    def __len__(self) -> int:
        return len(self.head) + self.file_bytes + len(self.tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        piece = bytes(range(256)) * 1024
        left = self.file_bytes
        while left:
            yield piece[:left]
            left -= min(left, len(piece))
        yield self.tail
