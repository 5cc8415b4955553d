"""A client of our own HTTP API with nothing but the standard library, for commands and tests."""

from __future__ import annotations

import http.client
import json
import mimetypes
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class NoAnswerError(Exception):
    """The service could not be reached, or broke the connection off before it had answered."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of the service."""

    status: int
    #: The JSON body; empty if the body is none.
    body: Mapping[str, Any]
    #: From the first byte sent to the last byte received.
    seconds: float


class Client:
    """Talks to one service with one token; a connection for each request."""

    def __init__(self, url: str, token: str, *, timeout_seconds: float = 150.0) -> None:
        """``url`` as "http://127.0.0.1:8000"."""
        self._netloc = url.removeprefix("http://").rstrip("/")
        self._token = token
        self._timeout_seconds = timeout_seconds

    def use(self, token: str) -> None:
        """Ask with this token from now on."""
        self._token = token

    @property
    def authorization(self) -> str:
        """The header that proves who asks."""
        return f"Token {self._token}"

    def get(self, path: str) -> Answer:
        """GET a path. Raises ``NoAnswerError``."""
        return self._request("GET", path, body=None, headers={})

    def transcribe(
        self, name: str, content: bytes, fields: Mapping[str, str] | None = None
    ) -> Answer:
        """POST one recording to the transcribe route. Raises ``NoAnswerError``."""
        return self._post("/api/v1/transcribe", name, content, fields)

    def upload(self, name: str, content: bytes, fields: Mapping[str, str] | None = None) -> Answer:
        """POST one recording that is asked for later. Raises ``NoAnswerError``."""
        return self._post("/api/v1/transcriptions/", name, content, fields)

    def _post(
        self, path: str, name: str, content: bytes, fields: Mapping[str, str] | None
    ) -> Answer:
        boundary = secrets.token_hex(16)
        return self._request(
            "POST",
            path,
            body=multipart(boundary, name, content, fields or {}),
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )

    def transcribe_file(self, path: Path, fields: Mapping[str, str] | None = None) -> Answer:
        """POST a file to the transcribe route. Raises ``NoAnswerError`` and ``OSError``."""
        return self.transcribe(path.name, path.read_bytes(), fields)

    def _request(
        self, method: str, path: str, *, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        connection = http.client.HTTPConnection(self._netloc, timeout=self._timeout_seconds)
        started = time.monotonic()
        try:
            connection.request(
                method,
                path,
                body=body,
                headers={
                    "Authorization": self.authorization,
                    "Accept": "application/json",
                    **headers,
                },
            )
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(
                f"{method} {path} got no answer from {self._netloc}: {error!r}"
            ) from error
        finally:
            connection.close()
        try:
            parsed = json.loads(content)
        except ValueError:
            parsed = None
        return Answer(
            status=response.status,
            body=parsed if isinstance(parsed, dict) else {},
            seconds=time.monotonic() - started,
        )


def multipart(boundary: str, name: str, content: bytes, fields: Mapping[str, str]) -> bytes:
    """A multipart/form-data body (RFC 7578) of text fields and one file in ``file``."""
    lines = []
    for field, value in fields.items():
        lines.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        )
    quoted = name.replace("\\", "%5C").replace('"', "%22").replace("\r", "").replace("\n", "")
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    lines.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    return "".join(lines).encode() + content + f"\r\n--{boundary}--\r\n".encode()
