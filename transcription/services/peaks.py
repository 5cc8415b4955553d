"""The waveform of a recording: a small file of its own, which outlives the decoded audio."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass

from transcription.services.errors import ServiceError
from transcription.services.paths import peaks_file

#: As ``audio.peaks`` makes them; that module loads numpy, which a web process must not.
PEAKS_PER_SECOND = 20
#: No screen shows more.
MOST_PEAKS = 20_000
#: What a byte of the file means, of full scale.
_LEVELS = tuple(round(level / 255, 2) for level in range(256))


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """What a waveform is drawn from."""

    duration_seconds: float
    peaks_per_second: float
    #: Within [0, 1], rounded to two digits.
    peaks: list[float]


def store_peaks(transcription_id: uuid.UUID, peaks: bytes) -> None:
    """Keep the peaks of a recording; a reader sees the former ones or these. Raises OSError."""
    path = peaks_file(transcription_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Of this process alone: a worker that lost its lease may be writing the same.
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    unfinished.write_bytes(peaks)
    unfinished.replace(path)


def remove_peaks(transcription_id: uuid.UUID) -> None:
    """Delete the peaks of a recording, if there are any."""
    peaks_file(transcription_id).unlink(missing_ok=True)


def read_peaks(transcription_id: uuid.UUID, duration_seconds: float | None) -> Peaks:
    """Return at most ``MOST_PEAKS`` peaks; raises ``peaks_missing`` where there is no file."""
    try:
        content = peaks_file(transcription_id).read_bytes()
    except FileNotFoundError as error:
        raise ServiceError("peaks_missing") from error
    together = max(1, -(-len(content) // MOST_PEAKS))
    return Peaks(
        duration_seconds=(
            len(content) / PEAKS_PER_SECOND if duration_seconds is None else duration_seconds
        ),
        peaks_per_second=PEAKS_PER_SECOND / together,
        peaks=[
            _LEVELS[max(content[start : start + together])]
            for start in range(0, len(content), together)
        ],
    )
