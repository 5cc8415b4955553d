"""Download one file over HTTP, going on where it stopped."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

#: Bytes done, bytes in all (None where unknown).
Progress = Callable[[int, int | None], None]

_PIECE_BYTES = 1 << 20
#: Answers after which asking again can help: timeout, too many requests, a tired server.
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class DownloadError(Exception):
    """The file could not be downloaded; the message says what the server did."""


def download(
    url: str,
    partial: Path,
    *,
    size_bytes: int | None,
    progress: Progress,
    timeout_seconds: float = 30.0,
    attempts: int = 4,
    pause_seconds: float = 1.0,
) -> None:
    """Download ``url`` into the file ``partial``, appending to what is already there.

    A broken connection is taken up again where it broke, ``attempts`` times in a row without a
    byte of progress, with a pause that doubles from ``pause_seconds``. ``size_bytes`` is what
    the file must have; None: as much as the server announces. The caller checks the digest,
    since the bytes that lay there before may be of anything. Raises ``DownloadError`` for what
    the server or the network does, ``OSError`` for what the disk does.
    """
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{url} is not an address that begins with https:// or http://")
    left = attempts
    while True:
        before_bytes = _size(partial)
        try:
            if _go_on(url, partial, size_bytes, progress, timeout_seconds):
                return
            trouble = "the connection ended before the file did"
        except urllib.error.HTTPError as error:
            if error.code not in _PASSING_STATUSES:
                raise DownloadError(f"{url} answers {error.code} {error.reason}") from error
            trouble = f"it answers {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
            # URLError wraps whatever the socket said; the disk's errors come unwrapped.
            trouble = str(getattr(error, "reason", "") or error or type(error).__name__)
        except ConnectionError as error:
            trouble = str(error)
        left = attempts if _size(partial) > before_bytes else left - 1
        if left <= 0:
            raise DownloadError(f"{url} cannot be downloaded: {trouble}")
        time.sleep(pause_seconds * 2 ** (attempts - left))


def _go_on(
    url: str,
    partial: Path,
    size_bytes: int | None,
    progress: Progress,
    timeout_seconds: float,
) -> bool:
    """One request; whether the file is whole now."""
    offset = _size(partial)
    if size_bytes is not None and offset >= size_bytes:
        if offset == size_bytes:
            return True
        partial.unlink()
        offset = 0
    headers = {"User-Agent": "asr-service", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=timeout_seconds)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # What lies here does not fit what lies there: begin again, unless nothing lies here.
        error.close()
        if not offset:
            raise
        partial.unlink()
        return False
    with response:
        if offset and not _continues_at(response, offset):
            offset = 0
        announced = response.headers.get("Content-Length", "")
        total = offset + int(announced) if announced.isdecimal() else None
        if size_bytes is not None and total not in (None, size_bytes):
            raise DownloadError(f"{url} has {total:,} bytes, but {size_bytes:,} are right")
        limit = size_bytes if size_bytes is not None else total
        with partial.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            while piece := response.read(_PIECE_BYTES):
                offset += len(piece)
                if limit is not None and offset > limit:
                    raise DownloadError(f"{url} sends more than its {limit:,} bytes")
                file.write(piece)
                progress(offset, limit)
    # Without any size, the end of the connection is all there is to go by.
    return limit is None or offset == limit


def _continues_at(response: http.client.HTTPResponse, offset: int) -> bool:
    """Whether the answer begins at the byte that was asked for (RFC 9110, 14.4)."""
    content_range = response.headers.get("Content-Range", "")
    return response.status == 206 and content_range.startswith(f"bytes {offset}-")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
