"""Which models' chunks are looked at now, where not all models fit into memory at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping

#: A model whose chunks have waited for this long is swapped in, whoever is served now.
PATIENCE_SECONDS = 20.0


def held_back(
    waited_seconds: Mapping[str, float],
    *,
    in_memory: Collection[str],
    needing_a_swap: Collection[str],
    since_last_load_seconds: float,
) -> frozenset[str]:
    """Return the models that have to wait, so that models do not push each other out in turns.

    ``waited_seconds`` has every model whose chunks could be claimed: how long the oldest of them
    has waited since it was accepted, or since its model left the memory. While a model in memory
    has work, one that could only be loaded in its place waits until its chunks have waited for
    ``PATIENCE_SECONDS``, and until the last load was as long ago: so each is served for a while,
    and nobody starves. Without such work, the one that has waited longest goes first.
    """
    swaps = [name for name in waited_seconds if name in needing_a_swap and name not in in_memory]
    if any(name in in_memory for name in waited_seconds):
        due = [
            name
            for name in swaps
            if min(waited_seconds[name], since_last_load_seconds) >= PATIENCE_SECONDS
        ]
    else:
        due = swaps
    first = max(due, key=lambda name: waited_seconds[name], default=None)
    return frozenset(name for name in swaps if name != first)
