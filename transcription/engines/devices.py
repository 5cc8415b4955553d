"""How much memory a device has. Standard library only, unless a GPU is asked about."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

logger = logging.getLogger(__name__)

_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True)
class DeviceMemory:
    """The memory of a device at this moment, in bytes."""

    total_bytes: int
    #: What could be taken now, without anything being pushed out.
    free_bytes: int


def memory_of(device: str) -> DeviceMemory | None:
    """The memory of "cpu" (the machine's, or the container's if that is less) or "cuda:N".

    None where it cannot be known. For a GPU torch is imported: only in a worker's own process.
    """
    if device == "cpu":
        return cpu_memory()
    try:
        cuda = import_module("torch").cuda
    except ImportError:
        return None
    if not cuda.is_available():
        return None
    free_bytes, total_bytes = cuda.mem_get_info(device)
    # What torch keeps for later is as good as free to it.
    kept_bytes = cuda.memory_reserved(device) - cuda.memory_allocated(device)
    return DeviceMemory(total_bytes=total_bytes, free_bytes=free_bytes + kept_bytes)


def memory_in_use_of(device: str) -> DeviceMemory | None:
    """As ``memory_of``, for a report on a device that a model already lies on.

    Nothing is imported for it: None where an engine without torch holds the GPU. Nor does a
    driver that fails take the report with it.
    """
    if device != "cpu" and "torch" not in sys.modules:
        return None
    try:
        return memory_of(device)
    except RuntimeError as error:
        logger.warning("The memory of %s cannot be asked for: %s", device, error)
        return None


def cpu_memory(
    meminfo: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP
) -> DeviceMemory | None:
    """The memory of this machine, within the limit of its control group (version 2)."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    total_bytes, free_bytes = kib["MemTotal"] * 1024, kib["MemAvailable"] * 1024
    try:
        limit = (cgroup / "memory.max").read_text(encoding="ascii").strip()
        used_bytes = int((cgroup / "memory.current").read_text(encoding="ascii"))
        stat = (cgroup / "memory.stat").read_text(encoding="ascii").split()
    except OSError:
        # No control group of its own: the machine is all there is.
        return DeviceMemory(total_bytes=total_bytes, free_bytes=free_bytes)
    if limit != "max":
        # Pages of files that nobody has used lately are given up when memory is short.
        cached_bytes = int(stat[stat.index("inactive_file") + 1])
        total_bytes = min(total_bytes, int(limit))
        free_bytes = min(free_bytes, max(0, int(limit) - used_bytes + cached_bytes))
    return DeviceMemory(total_bytes=total_bytes, free_bytes=free_bytes)
