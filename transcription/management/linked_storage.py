"""Recordings that are not copied: the storage holds links to where they lie."""

from __future__ import annotations

from pathlib import Path

from django.core.files.storage import FileSystemStorage


class LinkedStorage(FileSystemStorage):
    """A storage whose paths are those that its links lead to.

    The decoder opens no links, since in the service a link can only be somebody's trick. Here
    the links are the command's own.
    """

    def path(self, name: str) -> str:
        return str(Path(super().path(name)).resolve())
