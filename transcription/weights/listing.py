"""What a hub itself says of the files of a repository: their names, sizes and digests.

Hugging Face: ``/api/models/<repo>/tree/<revision>?recursive=true``; a large file has its SHA-256
in ``lfs.oid``, a small one the SHA-1 of its git blob in ``oid``. ModelScope:
``/api/v1/models/<repo>/repo/files?Recursive=true&Revision=<revision>``, with ``Sha256`` for all.
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transcription.weights.catalogue import HubEntry

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_SHA1 = re.compile(r"[0-9a-f]{40}\Z")
_PIECE_BYTES = 1 << 20


class ListingError(Exception):
    """The hub's answer is no list of files."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a hub says of one file; None where it says nothing."""

    size_bytes: int | None
    #: Hexadecimal, lower case.
    sha256: str | None
    #: SHA-1 of the file as a git blob, hexadecimal in lower case.
    git_sha1: str | None


def huggingface_list_url(endpoint: str, hub: HubEntry) -> str:
    """Where Hugging Face, or a mirror of it, lists the repository at its revision."""
    revision = urllib.parse.quote(hub.revision, safe="")
    return f"{endpoint.rstrip('/')}/api/models/{hub.repo}/tree/{revision}?recursive=true"


def modelscope_list_url(endpoint: str, hub: HubEntry) -> str:
    """Where ModelScope lists the repository at its revision."""
    query = urllib.parse.urlencode({"Recursive": "true", "Revision": hub.revision})
    return f"{endpoint.rstrip('/')}/api/v1/models/{hub.repo}/repo/files?{query}"


def read_huggingface_list(path: Path) -> dict[str, Declared]:
    """The files in Hugging Face's answer, by name. Raises ``ListingError``."""
    entries = _read(path)
    if not isinstance(entries, list):
        raise ListingError(f"not a list of files: {_short(entries)}")
    declared = {}
    for entry in entries:
        if isinstance(entry, dict) and entry.get("type") == "file":
            large = entry.get("lfs") or {}
            declared[str(entry.get("path"))] = Declared(
                size_bytes=_size(large.get("size", entry.get("size"))),
                sha256=_matching(_SHA256, large.get("oid")),
                # Of a large file, the blob is only the pointer to it.
                git_sha1=None if large else _matching(_SHA1, entry.get("oid")),
            )
    return declared


def read_modelscope_list(path: Path) -> dict[str, Declared]:
    """The files in ModelScope's answer, by name. Raises ``ListingError``."""
    answer = _read(path)
    data = answer.get("Data") if isinstance(answer, dict) else None
    entries = data.get("Files") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise ListingError(f"not a list of files: {_short(answer)}")
    return {
        str(entry.get("Path")): Declared(
            size_bytes=_size(entry.get("Size")),
            sha256=_matching(_SHA256, entry.get("Sha256")),
            git_sha1=None,
        )
        for entry in entries
        if isinstance(entry, dict) and entry.get("Type") == "blob"
    }


def git_sha1_of_file(path: Path) -> str:
    """SHA-1 of the file as git names it: over its length and its bytes. Raises ``OSError``."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ListingError(f"not JSON: {error}") from error


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _matching(pattern: re.Pattern[str], value: Any) -> str | None:
    return value.lower() if isinstance(value, str) and pattern.match(value.lower()) else None


def _short(answer: Mapping[str, Any] | Any) -> str:
    text = json.dumps(answer, ensure_ascii=False)
    return text if len(text) <= 200 else text[:200] + "…"
