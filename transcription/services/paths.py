"""Where the files of a recording lie."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.conf import settings


def work_file(transcription_id: uuid.UUID) -> Path:
    """Return the place of the decoded audio of a recording in progress."""
    return Path(settings.WORK_DIR, f"{transcription_id}.pcm")


def peaks_file(transcription_id: uuid.UUID) -> Path:
    """Return the place of what the recording's waveform is drawn from."""
    name = str(transcription_id)
    # No folder holds them all.
    return Path(settings.MEDIA_ROOT, "peaks", name[:2], f"{name}.peaks")
