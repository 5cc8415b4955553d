"""A copy of everything that an installation cannot get back: database, recordings, key.

The database is copied first, in one consistent state, while the service goes on; then the files.
A recording's file is never changed once its row is there, so that every row of the copied database
finds its file, unless it was deleted in between. Files of recordings that came in after the copy
of the database lie there unused and do no harm.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from transcription.models import Transcription

SQLITE_NAME = "db.sqlite3"
DUMP_NAME = "db.dump"


class BackupError(Exception):
    """The copy was not made, or is not whole; the words say why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What a backup holds."""

    #: File of the database in the backup.
    database: Path
    #: Recordings copied, and those that an earlier backup already had and that share its file.
    files: int
    shared: int
    bytes: int
    #: Recordings whose audio was deleted while the backup was made.
    deleted_meanwhile: int


def back_up(destination: Path, *, previous: Path | None = None) -> Copied:
    """Write a backup into a new directory.

    ``previous``: an earlier backup on the same file system; files that it has are linked, not
    copied. Raises ``BackupError``.
    """
    if destination.exists() and any(destination.iterdir()):
        raise BackupError(f"{destination} is not empty. Name a new directory.")
    if previous is not None and not (previous / "media").is_dir():
        raise BackupError(f"{previous} holds no backup of this service.")
    destination.mkdir(parents=True, exist_ok=True)
    # Recordings and keys: nobody else's business.
    destination.chmod(0o700)
    try:
        expected = _audio_names()
        database = _copy_database(destination)
        files = shared = size = 0
        for name in _files(settings.MEDIA_ROOT):
            source, copy = settings.MEDIA_ROOT / name, destination / "media" / name
            earlier = None if previous is None else previous / "media" / name
            try:
                linked = _copy(source, copy, earlier)
            except FileNotFoundError:
                continue  # deleted a moment ago; whether rightly is found out below
            files, shared = files + 1, shared + linked
            size += copy.stat().st_size
        key = settings.DATA_DIR / "secret_key"
        if key.is_file():
            _copy(key, destination / key.name, None)
    except OSError as error:
        raise BackupError(
            f"The backup is not whole and must not be relied on: {error}. "
            f"Make room, delete {destination} and start it again."
        ) from error
    missing = {name for name in expected if not (destination / "media" / name).is_file()}
    lost = missing & _audio_names() if missing else set()
    if lost:
        raise BackupError(
            f"{len(lost)} recordings have no file any more, the first is {min(lost)}. The rest is "
            f"in {destination}. Look for the files in an earlier backup."
        )
    return Copied(
        database=database,
        files=files,
        shared=shared,
        bytes=size,
        deleted_meanwhile=len(missing),
    )


def _audio_names() -> set[str]:
    """Return the names of all recordings that rows speak of, below the media directory."""
    return set(Transcription.objects.exclude(audio="").values_list("audio", flat=True).iterator())


def _copy_database(destination: Path) -> Path:
    if connection.vendor == "sqlite":
        return _copy_sqlite(Path(connection.settings_dict["NAME"]), destination / SQLITE_NAME)
    return _dump_postgresql(connection.settings_dict, destination / DUMP_NAME)


def _copy_sqlite(source: Path, copy: Path) -> Path:
    """Copy by SQLite's own way, which sees one state of a database that is being written to."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)) as read,
        closing(sqlite3.connect(copy)) as written,
    ):
        read.backup(written)
        [(found,)] = written.execute("PRAGMA quick_check(1)").fetchall()
    if found != "ok":
        raise BackupError(f"The copy of the database is damaged ({found}); so may be {source}.")
    copy.chmod(0o600)
    _write_through(copy)
    return copy


def _dump_postgresql(database: dict[str, Any], dump: Path) -> Path:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupError("pg_dump is not installed: apt install postgresql-client.")
    given = {
        "PGHOST": database["HOST"],
        "PGPORT": str(database["PORT"] or ""),
        "PGUSER": database["USER"],
        # Not as an argument, which everybody on the machine could read.
        "PGPASSWORD": database["PASSWORD"],
        "PGDATABASE": database["NAME"],
    }
    done = subprocess.run(
        [program, "--format=custom", f"--file={dump}"],
        env={**os.environ, **{name: value for name, value in given.items() if value}},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BackupError(f"pg_dump failed: {done.stderr.strip()}")
    dump.chmod(0o600)
    _write_through(dump)
    return dump


def _files(directory: Path) -> Iterator[Path]:
    """Yield the files below the directory, relative to it."""
    for folder, _folders, names in os.walk(directory):
        for name in sorted(names):
            yield Path(folder, name).relative_to(directory)


def _copy(source: Path, copy: Path, earlier: Path | None) -> bool:
    """Copy a file, written through; True: linked to the same file of an earlier backup."""
    copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    size = source.stat().st_size
    if earlier is not None and earlier.is_file() and earlier.stat().st_size == size:
        os.link(earlier, copy)
        return True
    shutil.copy2(source, copy)
    _write_through(copy)
    return False


def _write_through(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
