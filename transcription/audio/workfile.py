"""The work file: 16 kHz mono s16le samples and nothing else, so that any chunk of a file of
hours is one seek and one read away, also while the rest is still being decoded.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

BYTES_PER_SAMPLE = 2


class WorkFileError(Exception):
    """The work file does not hold the samples that were asked for."""


class WorkFileWriter:
    """Writes a new work file block by block; what is written can be read at once by others.

    A file that is already there is replaced: preparing a recording again starts over. Samples
    are handed to the operating system with every block (no buffer of ours), so a reader in
    another process sees them; they are forced to the disk by ``close`` only, because a work file
    that is lost to a power cut is simply decoded again.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError where the file cannot be created."""
        self._file = path.open("wb", buffering=0)
        self.path = path
        self.sample_count = 0
        """Samples written so far."""

    def append(self, samples: npt.NDArray[np.int16]) -> None:
        """Add int16 samples of shape (samples,). Raises OSError, for a full disk say."""
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise ValueError(
                f"a work file takes int16 of shape (samples,), not {samples.dtype} {samples.shape}"
            )
        view = memoryview(samples.astype("<i2", copy=False).tobytes())
        while view:
            view = view[self._file.write(view) :]
        self.sample_count += len(samples)

    def close(self) -> None:
        """Force the samples to the disk and close. May be called twice."""
        if not self._file.closed:
            try:
                os.fsync(self._file.fileno())
            finally:
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def count_samples(path: Path) -> int:
    """How many whole samples the work file holds now. Raises OSError if there is no such file."""
    return path.stat().st_size // BYTES_PER_SAMPLE


def read_span(path: Path, start_sample: int, end_sample: int) -> npt.NDArray[np.float32]:
    """The samples from start_sample up to, not including, end_sample.

    Returns float32 of shape (end_sample - start_sample,) within [-1, 1). Raises what
    ``read_samples`` raises.
    """
    samples = read_samples(path, start_sample, end_sample)
    return samples.astype(np.float32) / np.float32(32768)


def read_samples(path: Path, start_sample: int, end_sample: int) -> npt.NDArray[np.int16]:
    """The same samples as they were written: int16 of shape (end_sample - start_sample,).

    Raises ValueError for an impossible range, WorkFileError when the file ends before
    end_sample, OSError when it cannot be read (FileNotFoundError: it was cleared away; decode
    the recording again).
    """
    if not 0 <= start_sample <= end_sample:
        raise ValueError(f"no range of samples: {start_sample} to {end_sample}")
    samples = np.empty(end_sample - start_sample, dtype="<i2")
    with path.open("rb", buffering=0) as file:
        file.seek(start_sample * BYTES_PER_SAMPLE)
        view = samples.view(np.uint8).data
        filled = 0
        while filled < len(view):
            count = file.readinto(view[filled:])
            if not count:
                raise WorkFileError(
                    f"{path.name} was to be read up to sample {end_sample} but ends at "
                    f"{count_samples(path)}; decode the recording again."
                )
            filled += count
    return samples.astype(np.int16, copy=False)
