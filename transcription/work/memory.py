"""Which models must leave the memory for another one: pure decisions on plain facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transcription.engines.devices import DeviceMemory

#: Share of the device's memory that is left to the batches: activations, caches, audio.
KEPT_SHARE = 0.15


@dataclass(frozen=True, kw_only=True)
class Resident:
    """A model in memory."""

    name: str
    memory_bytes: int
    #: Monotonic seconds.
    last_used: float


def capacity_bytes(
    *, limit_bytes: int, loaded_bytes: int, device: DeviceMemory | None
) -> int | None:
    """Return how many bytes all models together may take; None: nobody knows.

    ``limit_bytes`` is what the operator set; 0: what the device has, less what batches need.
    """
    if limit_bytes:
        return limit_bytes
    if device is None:
        return None
    spare_bytes = device.free_bytes - int(KEPT_SHARE * device.total_bytes)
    return loaded_bytes + max(0, spare_bytes)


def fits_beside(needed_bytes: int, residents: Sequence[Resident], capacity: int | None) -> bool:
    """Return whether a model of that size can be loaded beside what is there."""
    if capacity is None or not needed_bytes:
        return True
    return needed_bytes + sum(one.memory_bytes for one in residents) <= capacity


def who_must_go(
    needed_bytes: int, *, residents: Sequence[Resident], own_name: str, capacity: int | None
) -> list[str]:
    """Return the models to unload so that one of ``needed_bytes`` fits, in this order.

    Where two copies of the same model do not fit, its own old one goes first: only its own
    recordings wait for that. Then those that were not used for longest. All of them may not be
    enough: whether to try it all the same is the caller's decision.
    """
    going: list[str] = []
    staying = sorted(residents, key=lambda one: (one.name != own_name, one.last_used))
    while staying and not fits_beside(needed_bytes, staying, capacity):
        going.append(staying.pop(0).name)
    return going


def in_words(size_bytes: int) -> str:
    """Return a size as people compare models: "3.4 GB"."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"


def share_in_words(size_bytes: int, of_bytes: int) -> str:
    """Return "3.4 of 4.0 GB"."""
    whole = in_words(of_bytes)
    part = in_words(size_bytes)
    return f"{part.split()[0] if part[-2:] == whole[-2:] else part} of {whole}"
