"""Where the workers keep their files."""

from __future__ import annotations

# Deleting a recording needs to know it too.
from transcription.services.paths import work_file

__all__ = ["work_file"]
