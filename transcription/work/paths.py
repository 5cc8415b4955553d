"""Where the workers keep their files."""

from __future__ import annotations

# Deleting a recording needs to know it too.
from transcription.services.paths import peaks_file, work_file

__all__ = ["peaks_file", "work_file"]
