"""Which clips share a batch, and in a window of what length.

Pure decisions on plain numbers. Whatever a clip's text depends on (the length of its window, the
most tokens it may have) follows from the clip alone, never from the clips beside it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

#: Whisper was trained on windows of this length; none can be longer.
FULL_WINDOW_SECONDS = 30.0
#: Half the text context of 448 tokens; the other half belongs to the prompt.
MAX_NEW_TOKENS = 224
#: Languages far from English take up to about 20 tokens for a second of quick speech.
TOKENS_PER_SECOND = 20.0
TOKENS_BESIDES = 24


@dataclass(frozen=True, kw_only=True)
class Job:
    """One clip on its way through the model."""

    #: Position of the clip among those that the caller gave.
    index: int
    #: Length of the audio window that the encoder sees.
    window_seconds: float
    #: Tokens before the start of the transcript: the clip's context.
    context_tokens: tuple[int, ...]


def window_seconds(
    duration_seconds: float, *, min_seconds: float, step_seconds: float, tail_seconds: float
) -> float:
    """The window for a clip: the clip and a tail of silence, rounded up to a step.

    Few lengths, so that clips of different files share batches; a tail, because Whisper is used
    to hearing speech end; never more than the 30 s it knows.
    """
    needed = max(duration_seconds + tail_seconds, min_seconds)
    steps = math.ceil(needed / step_seconds - 1e-9)
    return min(FULL_WINDOW_SECONDS, steps * step_seconds)


def max_new_tokens(window: float) -> int:
    """The most tokens that a text for a window of so many seconds may have."""
    return min(MAX_NEW_TOKENS, math.ceil(window * TOKENS_PER_SECOND) + TOKENS_BESIDES)


def batches(jobs: Iterable[Job], *, budget_seconds: float) -> list[list[Job]]:
    """Group the jobs into batches of at most ``budget_seconds`` of windows, at least one each.

    The jobs of one batch have the same window, because the model takes a rectangle, and prompts
    of the same number of tokens, because it reads them position by position.
    """
    alike: dict[tuple[float, int], list[Job]] = defaultdict(list)
    for job in jobs:
        alike[job.window_seconds, len(job.context_tokens)].append(job)
    result = []
    for (window, _), group in sorted(alike.items()):
        per_batch = max(1, int(budget_seconds // window))
        # Batches of about equal size rather than full ones and a rest: a rest costs as many
        # steps of the decoder as a full batch.
        count = math.ceil(len(group) / per_batch)
        size = math.ceil(len(group) / count)
        result += [group[start : start + size] for start in range(0, len(group), size)]
    return result
