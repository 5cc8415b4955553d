"""Is a folder of weights complete, and which weights are they?

Standard library only, so that a web process or a system check can ask without importing a
speech-recognition library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transcription.engines.base import WeightsError

#: Written into a folder of weights by whoever checked its files against the catalogue.
STAMPS_NAME = ".weights.json"


@dataclass(frozen=True, kw_only=True)
class FileStamp:
    """What a file was when it was last hashed."""

    size_bytes: int
    #: Modification time in nanoseconds: with the size it tells, without reading 145 MB, that
    #: nobody has written to the file since.
    mtime_ns: int
    #: Hexadecimal, lower case.
    sha256: str


def sha256_of_file(path: Path) -> str:
    """SHA-256 of the file's bytes, hexadecimal in lower case. Raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp_of_file(path: Path) -> FileStamp:
    """Hash the file and say what it is now. Raises ``OSError``."""
    # The time is taken before the bytes are read: a write in between makes the stamp stale,
    # never wrong.
    status = path.stat()
    return FileStamp(
        size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, sha256=sha256_of_file(path)
    )


def is_unchanged(path: Path, stamp: FileStamp) -> bool:
    """Whether the file has still the size and the time of its stamp; a missing one has not."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return (status.st_size, status.st_mtime_ns) == (stamp.size_bytes, stamp.mtime_ns)


def read_stamps(folder: Path) -> dict[str, FileStamp]:
    """The stamps that lie in the folder, by file name; empty where there are none.

    A damaged file of stamps counts as none: its only use is to save time.
    """
    try:
        data = json.loads((folder / STAMPS_NAME).read_text(encoding="utf-8"))
        return {
            str(name): FileStamp(
                size_bytes=int(entry["size_bytes"]),
                mtime_ns=int(entry["mtime_ns"]),
                sha256=str(entry["sha256"]),
            )
            for name, entry in data["files"].items()
        }
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def require_files(folder: Path | None, names: Sequence[str], *, how_to_get: str) -> Path:
    """The folder, once every file of ``names`` is seen to be in it and not empty.

    ``a|b`` in ``names`` means that one of the two is enough. Raises ``WeightsError`` that names
    each missing file and ends with ``how_to_get``.
    """
    if folder is None:
        raise WeightsError(f"No folder of weights is set for this model. {how_to_get}")
    if not folder.is_dir():
        raise WeightsError(f"The folder of weights {folder} does not exist. {how_to_get}")
    missing = [
        " or ".join(name.split("|"))
        for name in names
        if not any(_has_bytes(folder / choice) for choice in name.split("|"))
    ]
    if missing:
        raise WeightsError(
            f"The weights in {folder} are not complete: {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing or empty. {how_to_get}"
        )
    return folder


def weights_digest(folder: Path, names: Sequence[str], *, trust_stamps: bool = False) -> str:
    """SHA-256 over the names and the bytes of the files: which weights these are.

    The bytes are read (a second or so for a gigabyte). With ``trust_stamps`` a file that has
    not been touched since it was stamped is not read again. Raises ``WeightsError`` when a file
    no longer is what was checked when it was fetched: a damaged disk or an interrupted copy
    gives a model that writes nonsense, without any other sign.
    """
    stamps = read_stamps(folder)
    whole = hashlib.sha256()
    for name in sorted(names):
        path, stamp = folder / name, stamps.get(name)
        if trust_stamps and stamp is not None and is_unchanged(path, stamp):
            digest = stamp.sha256
        else:
            digest = sha256_of_file(path)
        if stamp is not None and digest != stamp.sha256:
            raise WeightsError(
                f"{path} is not the file that was checked when it was fetched (sha256 {digest}, "
                f"it was {stamp.sha256}). Fetch the model again with --verify; if the change is "
                f"meant, delete {folder / STAMPS_NAME}."
            )
        whole.update(f"{name}\0{digest}\n".encode())
    return whole.hexdigest()


def load_digest(*, engine: str, weights: str, options: Mapping[str, Any]) -> str:
    """Digest of a load: the engine, its weights, and every option that changes the text.

    ``weights`` comes from ``weights_digest`` ("" for an engine without); the values of
    ``options`` are plain JSON values or tuples of them.
    """
    facts = {"engine": engine, "weights": weights, "options": dict(options)}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _has_bytes(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
