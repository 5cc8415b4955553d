"""The bare library, to measure ourselves against: faster-whisper's batched mode, file by file."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from faster_whisper import BatchedInferencePipeline, WhisperModel


@dataclass(frozen=True, kw_only=True)
class BareRun:
    """What the bare library did with the files."""

    #: From the first file to the last text, without loading the model.
    seconds: float
    #: One text per file, in order.
    texts: tuple[str, ...]


def bare_library(
    files: Sequence[npt.NDArray[np.float32]],
    *,
    weights_dir: Path,
    threads: int,
    beam_size: int,
    compute_type: str = "int8",
    batch_size: int = 8,
) -> BareRun:
    """Recognise the files one after the other, as anybody would with the library alone.

    Each file is float32, shape (samples,), mono, 16 kHz. Everything that is not named here is
    the library's default, voice detection and language detection included. The model and the
    voice detection are loaded and warmed up before the clock starts.
    """
    # It tells of every file at a level that others take for news.
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)
    model = WhisperModel(
        str(weights_dir),
        device="cpu",
        compute_type=compute_type,
        cpu_threads=threads,
        local_files_only=True,
    )
    pipeline = BatchedInferencePipeline(model=model)
    if files:
        # The voice detection is loaded at its first use.
        pipeline.transcribe(files[0][: 16_000 * 2], beam_size=1, language="en")
    texts = []
    started = time.perf_counter()
    for samples in files:
        segments, _ = pipeline.transcribe(samples, beam_size=beam_size, batch_size=batch_size)
        texts.append("".join(segment.text for segment in segments).strip())
    return BareRun(seconds=time.perf_counter() - started, texts=tuple(texts))
