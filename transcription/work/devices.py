"""Which GPU belongs to which worker, decided without loading torch."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from transcription.work.locks import LockTakenError, open_and_lock

_POLL_SECONDS = 0.05


def gpu_is_present() -> bool:
    """Whether the system has a device of an NVIDIA GPU."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def device_of_cluster(number: int, *, clusters: int, device: str, gpu_present: bool) -> str:
    """Return the ``ASR_DEVICE`` of the engine cluster with this number.

    With one cluster, what the operator set. With several, one GPU each where there are GPUs.
    Raises ``ValueError`` where that would put several onto one GPU.
    """
    if clusters == 1 or device == "cpu" or (device == "auto" and not gpu_present):
        return device
    if device in {"auto", "cuda"}:
        return f"cuda:{number}"
    raise ValueError(
        f"ASR_DEVICE={device} names one device, and ASR_ENGINE_CLUSTERS={clusters} engine "
        "clusters cannot share it. Set ASR_DEVICE=cuda for one GPU each, or one cluster."
    )


#: Descriptors that hold the locks of this process's GPUs, until it ends.
_held: dict[str, int] = {}


def device_lock(
    device: str,
    *,
    run_dir: Path,
    wait_seconds: float = 60.0,
    give_up: Callable[[], bool] = lambda: False,
) -> None:
    """Take this installation's one right to use a GPU, until this process ends.

    To be called before a model is loaded: the memory of this worker's predecessor must be free
    first. ``device`` is "auto", "cuda", which is "cuda:0", or "cuda:1"; "cpu" needs no lock, nor
    does "auto" without a GPU. Another call in the same process costs nothing. Waits for the
    lock, and raises ``LockTakenError`` after ``wait_seconds`` or when ``give_up()`` says so.

    The lock lies in the data directory. Two installations on one GPU are their operator's
    decision; two workers of *one* installation are the old one and its successor.
    """
    if device == "auto":
        device = "cuda" if gpu_is_present() else "cpu"
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if match is None:
        return
    name = f"cuda-{match.group(1) or 0}"
    deadline = time.monotonic() + wait_seconds
    while name not in _held:
        fd = open_and_lock(run_dir / f"{name}.lock")
        if fd is not None:
            _held[name] = fd
        elif give_up():
            raise LockTakenError(f"Told to stop while another worker still kept {device}.")
        elif time.monotonic() >= deadline:
            raise LockTakenError(
                f"Another worker of this service has kept {device} for {wait_seconds:g} s. "
                "Start as many engine clusters as there are GPUs (ASR_ENGINE_CLUSTERS)."
            )
        else:
            time.sleep(_POLL_SECONDS)
