"""Which chunks share the next batch: pure decisions on plain facts.

Three things are wanted at once: every owner gets a turn, short recordings do not wait behind long
ones, and a batch is full of clips of similar length, since padding costs as much as speech.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")

#: A second of waiting outweighs this many seconds of a recording's remaining length, so that a
#: long one moves up while short ones keep coming, and nobody starves.
SECONDS_FORGIVEN_PER_SECOND_WAITED = 10.0
#: Most padded seconds per second of speech that a batch may cost.
MAX_PADDING = 1.5
#: More clips than this in one batch gain nothing and lengthen what a crash costs.
MAX_BATCH_CLIPS = 64
#: Clips of a recording without any text yet that share a batch: a small one is done soon, and
#: its owner sees the first words.
FIRST_CLIPS = 2


@dataclass(frozen=True, kw_only=True)
class WaitingChunk:
    """What the choice of a batch knows of a chunk that could be claimed."""

    id: int
    transcription: Hashable
    owner: Hashable
    model_name: str
    start_sample: int
    seconds: float
    #: Seconds of the whole recording that are still to be recognised.
    remaining_seconds: float
    #: Seconds since the recording was accepted.
    waited_seconds: float
    #: Some of the recording is recognised already.
    begun: bool = True
    #: An earlier attempt ended without a word: it may have killed its worker.
    interrupted: bool = False


def rank(remaining_seconds: float, waited_seconds: float) -> float:
    """Return the place of a recording among its owner's: the smallest goes first."""
    return remaining_seconds - SECONDS_FORGIVEN_PER_SECOND_WAITED * waited_seconds


def in_turns(
    items: Iterable[Item],
    owner_of: Callable[[Item], Hashable],
    last_served: Mapping[Hashable, int],
) -> Iterator[Item]:
    """Yield the items owner by owner in turns, each owner's in the given order.

    The owner who was served longest ago (or never) begins.
    """
    queues: dict[Hashable, list[Item]] = defaultdict(list)
    for item in items:
        queues[owner_of(item)].append(item)
    turns = sorted(queues, key=lambda owner: last_served.get(owner, -1))
    position = 0
    while turns:
        turns = [owner for owner in turns if position < len(queues[owner])]
        for owner in turns:
            yield queues[owner][position]
        position += 1


def choose_batch(
    waiting: Sequence[WaitingChunk],
    *,
    budget_seconds: float,
    last_served: Mapping[Hashable, int],
) -> list[WaitingChunk]:
    """Return the chunks of the next batch; empty exactly when nothing waits.

    The first chunk is whoever's turn it is; it decides the model. Further ones, in turns, join
    as long as all of them padded to the longest stay within ``budget_seconds`` and the padding
    within ``MAX_PADDING``. A chunk that was interrupted before goes alone, so that a recording
    that kills workers takes nobody with it.
    """
    ranked = sorted(
        waiting,
        key=lambda one: (
            one.interrupted,
            rank(one.remaining_seconds, one.waited_seconds),
            str(one.transcription),
            one.start_sample,
        ),
    )
    batch: list[WaitingChunk] = []
    clips_of: Counter[Hashable] = Counter()
    longest = total = 0.0
    for one in in_turns(ranked, lambda chunk: chunk.owner, last_served):
        if not batch:
            batch, longest, total = [one], one.seconds, one.seconds
            clips_of[one.transcription] += 1
            if one.interrupted:
                break
            continue
        if one.interrupted or one.model_name != batch[0].model_name:
            continue
        if not one.begun and clips_of[one.transcription] >= FIRST_CLIPS:
            continue
        padded = max(longest, one.seconds) * (len(batch) + 1)
        if padded > budget_seconds or padded > MAX_PADDING * (total + one.seconds):
            continue
        batch.append(one)
        clips_of[one.transcription] += 1
        longest, total = max(longest, one.seconds), total + one.seconds
        if len(batch) == MAX_BATCH_CLIPS:
            break
    return batch
