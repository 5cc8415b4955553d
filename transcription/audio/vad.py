"""How likely each 32 ms of a recording is speech: Silero VAD v6, streamed.

The model file comes inside the package faster-whisper, which requirements.txt pins; only its
location is asked for, the package itself (and CTranslate2 with it) is never imported. The network
looks at windows of 512 samples with the 64 samples before them, and hands an LSTM state from
window to window: https://github.com/snakers4/silero-vad.
"""

from __future__ import annotations

import importlib.util
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

WINDOW_SAMPLES = 512
CONTEXT_SAMPLES = 64
STATE_SHAPE = (1, 1, 128)
#: Windows per call of the network: 8 s; more saves nothing and takes memory.
BATCH_WINDOWS = 256
MODEL_PACKAGE = "faster_whisper"
MODEL_FILE = "assets/silero_vad_v6.onnx"

Probabilities = npt.NDArray[np.float32]


class VadModelError(Exception):
    """The voice detection model is missing: install the packages of requirements.txt again."""


class VoiceDetector(Protocol):
    """What Splitter needs: probabilities for the windows of a stream of samples."""

    def feed(self, windows: npt.NDArray[np.float32]) -> Probabilities:
        """float32 (windows, 512) within [-1, 1], in order -> float32 (windows,) within [0, 1]."""


class SileroVad:
    """One stream through the network. Any way of cutting it into calls gives the same result."""

    def __init__(self) -> None:
        self._hidden = np.zeros(STATE_SHAPE, dtype=np.float32)
        self._cell = np.zeros(STATE_SHAPE, dtype=np.float32)
        self._context = np.zeros(CONTEXT_SAMPLES, dtype=np.float32)

    def feed(self, windows: npt.NDArray[np.float32]) -> Probabilities:
        """See VoiceDetector. Raises VadModelError where the model cannot be found."""
        if windows.ndim != 2 or windows.shape[1] != WINDOW_SAMPLES:
            raise ValueError(f"windows of shape (n, {WINDOW_SAMPLES}) are needed: {windows.shape}")
        batches = [
            self._run(windows[start : start + BATCH_WINDOWS])
            for start in range(0, len(windows), BATCH_WINDOWS)
        ]
        return np.concatenate(batches) if batches else np.zeros(0, dtype=np.float32)

    def _run(self, windows: npt.NDArray[np.float32]) -> Probabilities:
        contexts = np.vstack([self._context, windows[:-1, -CONTEXT_SAMPLES:]])
        self._context = windows[-1, -CONTEXT_SAMPLES:].copy()
        probabilities, self._hidden, self._cell = _session(os.getpid()).run(
            None,
            {
                "input": np.hstack([contexts, windows]),
                "h": self._hidden,
                "c": self._cell,
            },
        )
        return np.asarray(probabilities, dtype=np.float32).reshape(-1)


def model_path() -> Path:
    """Where the model lies. Raises VadModelError."""
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    if spec is None or spec.origin is None:
        raise VadModelError(
            "The voice detection model comes with the package faster-whisper, which is not "
            "installed. Install requirements.txt."
        )
    path = Path(spec.origin).parent / MODEL_FILE
    if not path.is_file():
        raise VadModelError(
            f"The installed faster-whisper has no {MODEL_FILE}. Install the version that "
            f"requirements.txt names."
        )
    return path


@lru_cache(maxsize=1)
def _session(process_id: int) -> Any:
    """One session per process: it holds no state of a stream and may be shared by threads."""
    # It reports its use to its maker and writes below the home directory unless told not to.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # 0.1 s that only those who split have to spend

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    # The arena keeps the largest batch it ever saw, for good.
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(
        str(model_path()), providers=["CPUExecutionProvider"], sess_options=options
    )
