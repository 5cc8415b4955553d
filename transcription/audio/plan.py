"""Where to cut a recording, decided from nothing but numbers: one per window of 32 ms.

The rules:
- speech that is followed by a long silence ends a chunk, and the silence belongs to none;
- shorter pauses stay inside;
- a chunk that would grow over the limit is cut at the longest pause in its second half; if there
  is none, in its second quarter; if there is none either, where it sounds least like speech in
  its last third;
- there is some padding before and after the speech where there is room, and never an overlap.

Losing a word is worse than recognising some noise, so what may be speech counts as speech.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Over how many windows the hard cut's measure is smoothed: a syllable.
SMOOTH_WINDOWS = 5


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The numbers behind the rules. Lengths are in windows of 512 samples (32 ms)."""

    #: No chunk is longer. At least MIN_LIMIT_WINDOWS.
    max_windows: int
    #: Speech begins at this probability…
    speech_probability: float = 0.3
    #: …and goes on down to this one. Steady noise stays below 0.1, loud music mostly too.
    silence_probability: float = 0.15
    #: One window as certain as this, or min_speech_windows of speech_probability, make a chunk
    #: worth recognising. Quiet single words reach 0.5; synthetic music does not.
    certain_probability: float = 0.5
    min_speech_windows: int = 3
    #: 1.5 s: so much silence ends a chunk.
    separating_windows: int = 47
    #: 0.1 s: the shortest pause to cut at.
    min_pause_windows: int = 3
    #: 0.32 s before and after speech: onsets and endings are softer than the detector likes.
    padding_windows: int = 10

    def __post_init__(self) -> None:
        if self.max_windows < self.separating_windows + 2 * self.padding_windows:
            raise ValueError("a chunk must hold more than a separating silence and its padding")


@dataclass(frozen=True, kw_only=True)
class WindowRange:
    """A chunk: from start_window up to, not including, end_window."""

    start_window: int
    end_window: int


class Planner:
    """Takes windows as they come; gives every chunk as soon as nothing can change it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._now = 0
        self._last_end = 0
        self._open = False

    def feed(
        self, probabilities: npt.NDArray[np.float32], levels: npt.NDArray[np.float32]
    ) -> list[WindowRange]:
        """Probability of speech and RMS level of the next windows, both of shape (windows,)."""
        chunks: list[WindowRange] = []
        for probability, level in zip(probabilities.tolist(), levels.tolist(), strict=True):
            chunks.extend(self._step(probability, level))
            self._now += 1
        return chunks

    def finish(self) -> list[WindowRange]:
        """The recording ends after the windows fed so far."""
        return self._close() if self._open else []

    def _step(self, probability: float, level: float) -> Iterable[WindowRange]:
        policy = self._policy
        if not self._open:
            if probability < policy.speech_probability:
                return []
            self._begin_group()
        speaking = probability >= policy.speech_probability or (
            self._speaking and probability >= policy.silence_probability
        )
        cuts: list[WindowRange] = []
        if speaking:
            if self._now - self._speech_end >= policy.min_pause_windows:
                self._pauses.append((self._speech_end, self._now))
            while self._now + 1 - self._start > policy.max_windows:
                cuts.extend(self._cut())
            self._speech_end = self._now + 1
            self._weigh(probability)
        self._speaking = speaking
        self._history.append((probability, level))
        if self._now + 1 - self._speech_end >= policy.separating_windows:
            cuts.extend(self._close())
        return cuts

    def _begin_group(self) -> None:
        self._open = True
        self._start = max(self._last_end, self._now - self._policy.padding_windows)
        self._speech_end = self._now
        self._speaking = False
        self._pauses: list[tuple[int, int]] = []
        #: Probability and level from _history_start on: the open chunk's, for a hard cut.
        self._history: list[tuple[float, float]] = []
        self._history_start = self._now
        self._speech_windows = 0
        self._worth_it = False

    def _weigh(self, probability: float) -> None:
        self._speech_windows += probability >= self._policy.speech_probability
        self._worth_it = (
            self._worth_it
            or probability >= self._policy.certain_probability
            or self._speech_windows >= self._policy.min_speech_windows
        )

    def _close(self) -> list[WindowRange]:
        self._open = False
        end = min(
            self._speech_end + self._policy.padding_windows,
            self._start + self._policy.max_windows,
            self._now + 1 if self._now else 0,
        )
        return self._emit(end)

    def _emit(self, end: int) -> list[WindowRange]:
        self._last_end = end
        if not self._worth_it:
            return []
        return [WindowRange(start_window=self._start, end_window=end)]

    def _cut(self) -> list[WindowRange]:
        policy, limit = self._policy, self._start + self._policy.max_windows
        half, quarter = policy.max_windows // 2, policy.max_windows // 4
        pause = _longest_pause(self._pauses, self._start + half, limit) or _longest_pause(
            self._pauses, self._start + quarter, self._start + half
        )
        if pause is None:
            end = resume = self._hard_cut(limit)
        else:
            middle = (pause[0] + pause[1]) // 2
            end = min(max(pause[0] + policy.padding_windows, 0), limit, middle)
            if pause[1] - pause[0] >= 2 * policy.padding_windows:
                end = min(pause[0] + policy.padding_windows, limit)
            resume = max(end, pause[1] - policy.padding_windows)
        chunks = self._emit(end)
        self._start = resume
        self._pauses = [later for later in self._pauses if later[0] >= resume]
        drop = max(resume - self._history_start, 0)
        self._history = self._history[drop:]
        self._history_start += drop
        return chunks

    def _hard_cut(self, limit: int) -> int:
        """The window to cut before: little speech, little sound, in the last third."""
        first = limit - self._policy.max_windows // 3
        offset = first - self._history_start
        window = np.array(self._history[offset : limit - self._history_start], dtype=np.float64)
        loudest = window[:, 1].max()
        cost = window[:, 0] + (window[:, 1] / loudest if loudest > 0 else 0.0)
        # Padding with the edges' own values keeps a cut from being drawn to them.
        padded = np.pad(cost, SMOOTH_WINDOWS // 2, mode="edge")
        smooth = np.convolve(padded, np.ones(SMOOTH_WINDOWS) / SMOOTH_WINDOWS, mode="valid")
        return first + int(smooth.argmin())


def _longest_pause(
    pauses: list[tuple[int, int]], first: int, last: int
) -> tuple[int, int] | None:
    """The longest of the pauses that begin between first and last; of equals the latest."""
    inside = [pause for pause in pauses if first <= pause[0] <= last]
    return max(inside, key=lambda pause: (pause[1] - pause[0], pause[0]), default=None)


def plan(
    probabilities: npt.NDArray[np.float32], levels: npt.NDArray[np.float32], policy: Policy
) -> list[WindowRange]:
    """All chunks of a recording whose windows are all known; both arrays of shape (windows,)."""
    planner = Planner(policy)
    return planner.feed(probabilities, levels) + planner.finish()
