"""The catalogue of known models: what each consists of and where it can be had."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

#: The catalogue that comes with the project.
CATALOGUE_PATH = Path(__file__).resolve().parents[2] / "models_weights" / "catalogue.toml"

ROLES = ("recogniser", "aligner", "punctuation")

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+\Z")


class CatalogueError(Exception):
    """The catalogue cannot be read, or does not know the model; the message says which."""


@dataclass(frozen=True, kw_only=True)
class WheelMember:
    """A file, or a piece of one, inside a data package of the Python package registry."""

    #: Package and version for pip: ``name==1.0.0``.
    requirement: str
    #: Path inside the wheel.
    member: str


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """One file of a model."""

    #: Relative to the folder of the model.
    name: str
    #: None where the catalogue does not know it.
    size_bytes: int | None
    #: Hexadecimal, lower case; None where the catalogue does not know it.
    sha256: str | None
    #: The pieces to join, in order; empty where the registry does not carry the file.
    wheel_members: tuple[WheelMember, ...]
    #: SHA-1 of the file as a git blob, where a hub declared no more; never in the catalogue.
    git_sha1: str | None = None

    @property
    def is_digested(self) -> bool:
        """Whether any digest is known that the file must have."""
        return self.sha256 is not None or self.git_sha1 is not None


@dataclass(frozen=True, kw_only=True)
class HubEntry:
    """Where a model lies on a hub."""

    #: ``owner/name``.
    repo: str
    revision: str


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One model of the catalogue."""

    name: str
    title: str
    #: Name of the engine that loads it, as in ``transcription.engines.registry``.
    engine: str
    #: SPDX name.
    licence: str
    homepage: str
    #: Empty: which files there are, the hub or the folder that gives them says.
    files: tuple[FileEntry, ...]
    huggingface: HubEntry | None
    modelscope: HubEntry | None
    #: "recogniser": it writes text, and can be entered as a model. "aligner": it gives the
    #: recognisers of its engine the times of words. "punctuation": it adds marks to their text.
    role: str = "recogniser"

    @property
    def size_bytes(self) -> int:
        """Bytes of all files whose size is known."""
        return sum(file.size_bytes or 0 for file in self.files)


def read_catalogue(path: Path) -> dict[str, ModelEntry]:
    """All models of the catalogue file, by name. Raises ``CatalogueError``."""
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CatalogueError(f"The catalogue of models {path} cannot be read: {error}") from error
    try:
        return {name: _model(name, table) for name, table in tables.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CatalogueError(f"The catalogue of models {path} is wrong: {error!r}") from error


def find_model(catalogue: Mapping[str, ModelEntry], name: str) -> ModelEntry:
    """The entry of that name. Raises ``CatalogueError`` with the names that there are."""
    try:
        return catalogue[name]
    except KeyError:
        raise CatalogueError(
            f"The catalogue has no model named '{name}'. It has: {', '.join(sorted(catalogue))}."
        ) from None


def at_revision(entry: ModelEntry, revision: str) -> ModelEntry:
    """The model at another revision: which files it has then, its hub or a folder says."""
    return replace(
        entry,
        files=(),
        huggingface=entry.huggingface and replace(entry.huggingface, revision=revision),
        modelscope=entry.modelscope and replace(entry.modelscope, revision=revision),
    )


def _model(name: str, table: Mapping[str, Any]) -> ModelEntry:
    # The name becomes a folder, and the command line takes it from whoever types it.
    if not _NAME.match(name):
        raise ValueError(f"{name!r} cannot be the name of a folder")
    files = tuple(_file(entry) for entry in table.get("files", ()))
    if not files and not (table.get("huggingface") or table.get("modelscope")):
        raise ValueError(f"{name} has neither files nor a hub that lists them")
    role = str(table.get("role", "recogniser"))
    if role not in ROLES:
        raise ValueError(f"the role of {name} is {role!r}, which is none of {', '.join(ROLES)}")
    return ModelEntry(
        name=name,
        title=str(table["title"]),
        engine=str(table["engine"]),
        licence=str(table["licence"]),
        homepage=str(table.get("homepage", "")),
        files=files,
        huggingface=_hub(table.get("huggingface")),
        modelscope=_hub(table.get("modelscope")),
        role=role,
    )


def _hub(table: Mapping[str, Any] | None) -> HubEntry | None:
    if table is None:
        return None
    return HubEntry(repo=str(table["repo"]), revision=str(table["revision"]))


def _file(table: Mapping[str, Any]) -> FileEntry:
    name = PurePosixPath(table["name"])
    if name.is_absolute() or ".." in name.parts or name.name.startswith("."):
        raise ValueError(f"{table['name']!r} is not a file inside the model's folder")
    sha256 = table.get("sha256")
    if sha256 is not None and not _SHA256.match(sha256):
        raise ValueError(f"the sha256 of {name} is not 64 hexadecimal digits in lower case")
    size_bytes = table.get("size_bytes")
    members = tuple(
        WheelMember(requirement=requirement, member=member)
        for requirement, member in table.get("pypi", ())
    )
    for piece in members:
        if not _REQUIREMENT.match(piece.requirement):
            raise ValueError(f"{piece.requirement!r} is not of the form package==version")
    return FileEntry(
        name=str(name),
        size_bytes=None if size_bytes is None else int(size_bytes),
        sha256=sha256,
        wheel_members=members,
    )
