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

from dataclasses import dataclass, field

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


@dataclass(kw_only=True)
class _Chunk:
    """The chunk that is growing. Positions are window numbers of the recording."""

    start: int
    #: After the last window of speech so far.
    speech_end: int
    #: Whether the last window was speech.
    speaking: bool = False
    #: Pauses that are over: (first window, window of the speech after it).
    pauses: list[tuple[int, int]] = field(default_factory=list)
    #: (probability, level) of the windows from history_start on, for a hard cut.
    history: list[tuple[float, float]] = field(default_factory=list)
    history_start: int
    speech_windows: int = 0
    #: Whether it has enough speech to be recognised. What is cut off from such a chunk has, too.
    worth_it: bool = False


class Planner:
    """Takes windows as they come; gives every chunk as soon as nothing can change it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        #: The window that comes next.
        self._now = 0
        #: Where the last chunk ended: the next one begins no earlier.
        self._last_end = 0
        self._chunk: _Chunk | None = None

    def feed(
        self, probabilities: npt.NDArray[np.float32], levels: npt.NDArray[np.float32]
    ) -> list[WindowRange]:
        """Probability of speech and RMS level of the next windows, both of shape (windows,)."""
        done: list[WindowRange] = []
        for probability, level in zip(probabilities.tolist(), levels.tolist(), strict=True):
            done.extend(self._step(probability, level))
            self._now += 1
        return done

    def finish(self) -> list[WindowRange]:
        """The recording ends after the windows fed so far."""
        return self._close(self._chunk, self._now) if self._chunk is not None else []

    def _step(self, probability: float, level: float) -> list[WindowRange]:
        policy, chunk, now = self._policy, self._chunk, self._now
        if chunk is None:
            if probability < policy.speech_probability:
                return []
            start = max(self._last_end, now - policy.padding_windows)
            chunk = self._chunk = _Chunk(start=start, speech_end=now, history_start=now)
        done: list[WindowRange] = []
        chunk.speaking = probability >= policy.speech_probability or (
            chunk.speaking and probability >= policy.silence_probability
        )
        if chunk.speaking:
            if now - chunk.speech_end >= policy.min_pause_windows:
                chunk.pauses.append((chunk.speech_end, now))
            while now + 1 - chunk.start > policy.max_windows:
                done.extend(self._cut(chunk))
            chunk.speech_end = now + 1
            chunk.speech_windows += probability >= policy.speech_probability
            chunk.worth_it = (
                chunk.worth_it
                or probability >= policy.certain_probability
                or chunk.speech_windows >= policy.min_speech_windows
            )
        chunk.history.append((probability, level))
        if now + 1 - chunk.speech_end >= policy.separating_windows:
            done.extend(self._close(chunk, now + 1))
        return done

    def _close(self, chunk: _Chunk, known_windows: int) -> list[WindowRange]:
        self._chunk = None
        padded = chunk.speech_end + self._policy.padding_windows
        return self._emit(chunk, min(padded, chunk.start + self._policy.max_windows, known_windows))

    def _emit(self, chunk: _Chunk, end: int) -> list[WindowRange]:
        self._last_end = end
        if not chunk.worth_it:
            return []
        return [WindowRange(start_window=chunk.start, end_window=end)]

    def _cut(self, chunk: _Chunk) -> list[WindowRange]:
        """Take the part before the best cut off the chunk."""
        policy, limit = self._policy, chunk.start + self._policy.max_windows
        half, quarter = chunk.start + policy.max_windows // 2, chunk.start + policy.max_windows // 4
        pause = _longest_pause(chunk.pauses, half, limit) or _longest_pause(
            chunk.pauses, quarter, half
        )
        if pause is None:
            end = resume = self._hard_cut(chunk, limit)
        else:
            # A pause without room for the padding of both sides is shared in its middle.
            end = min(pause[0] + policy.padding_windows, (pause[0] + pause[1]) // 2, limit)
            resume = max(end, pause[1] - policy.padding_windows)
        done = self._emit(chunk, end)
        chunk.start = resume
        chunk.pauses = [later for later in chunk.pauses if later[0] >= resume]
        drop = max(resume - chunk.history_start, 0)
        chunk.history = chunk.history[drop:]
        chunk.history_start += drop
        return done

    def _hard_cut(self, chunk: _Chunk, limit: int) -> int:
        """The window to cut before: little speech, little sound, in the last third."""
        first = limit - self._policy.max_windows // 3
        recent = chunk.history[first - chunk.history_start : limit - chunk.history_start]
        values = np.array(recent, dtype=np.float64)
        loudest = values[:, 1].max()
        cost = values[:, 0] + (values[:, 1] / loudest if loudest > 0 else 0.0)
        # Padding with the edges' own values keeps a cut from being drawn to them.
        padded = np.pad(cost, SMOOTH_WINDOWS // 2, mode="edge")
        smooth = np.convolve(padded, np.ones(SMOOTH_WINDOWS) / SMOOTH_WINDOWS, mode="valid")
        return first + int(smooth.argmin())


def _longest_pause(pauses: list[tuple[int, int]], first: int, last: int) -> tuple[int, int] | None:
    """The longest of the pauses that begin between first and last; of equals the latest."""
    inside = [pause for pause in pauses if first <= pause[0] <= last]
    return max(inside, key=lambda pause: (pause[1] - pause[0], pause[0]), default=None)


def plan(
    probabilities: npt.NDArray[np.float32], levels: npt.NDArray[np.float32], policy: Policy
) -> list[WindowRange]:
    """All chunks of a recording whose windows are all known; both arrays of shape (windows,)."""
    planner = Planner(policy)
    return planner.feed(probabilities, levels) + planner.finish()
