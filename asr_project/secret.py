"""The signing key that an installation makes for itself."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def read_or_make_secret_key(path: Path) -> str:
    """Return the key in ``path``; make one of 64 random characters if there is none.

    Two processes that start at once agree: the file appears complete, by link, and the one that
    comes second reads what the first wrote.
    """
    if not path.exists():
        mine = path.with_name(f".{path.name}.{os.getpid()}")
        mine.touch(mode=0o600, exist_ok=False)
        with mine.open("w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(mine, path)
        except FileExistsError:
            pass  # the other process's key is the installation's key
        finally:
            mine.unlink()
    return path.read_text(encoding="ascii").strip()
