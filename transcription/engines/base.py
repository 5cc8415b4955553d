"""What an engine is: the border between the service and a speech-recognition library.

An engine is given clips (plain arrays with hints) and answers with results (plain text with
times). It knows no database, no file and no request, so that it can be tested, benchmarked and
swapped by itself. Whatever imports torch, transformers or ctranslate2 lives behind this border.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

#: Every array that crosses this border is mono at this rate.
SAMPLE_RATE_HZ = 16_000

#: Why the text of a clip ended. ``length`` and ``repetition`` mean that words may be missing.
FinishReason = Literal["eos", "length", "repetition"]


class EngineError(Exception):
    """The engine could not do what was asked."""


class WeightsError(EngineError):
    """The weights are missing, incomplete or of another layout; the message names what to do."""


class EngineMemoryError(EngineError):
    """Not even one clip fits into the memory of the device."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One stretch of audio to recognise, with what the caller knows of it."""

    #: float32, shape (samples,), mono, 16 kHz, within [-1, 1].
    samples: npt.NDArray[np.float32]
    #: Language that the caller insists on, as a code ("zh", "en", "yue"); None: detect it.
    language: str | None = None
    #: Language to assume where detection is unsure: what the rest of the file is in, say.
    likely_language: str | None = None
    #: Names and terms likely to occur, or the text before; never an instruction.
    context: str = ""
    #: Whether times of single words are wanted.
    words: bool = False

    @property
    def duration_seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, kw_only=True)
class Word:
    """One word with its times, in seconds from the start of its clip."""

    start_seconds: float
    end_seconds: float
    text: str
    #: 0 to 1 where the engine gives one.
    probability: float | None = None


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of a clip's text with its times, in seconds from the start of the clip."""

    start_seconds: float
    end_seconds: float
    text: str
    words: tuple[Word, ...] = ()
    #: Mean natural log-probability of the tokens, where the engine gives one.
    avg_logprob: float | None = None
    #: 0 to 1, where the engine gives one.
    no_speech_probability: float | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the engine heard in one clip."""

    #: The text as the engine wrote it, stripped; "" where it heard no speech.
    text: str
    #: Language code; None where no speech was heard.
    language: str | None
    #: 0 to 1 where the language was detected and the engine says how sure it is.
    language_probability: float | None = None
    #: In order, within the clip; empty exactly when the text is.
    segments: tuple[Segment, ...] = ()
    finish_reason: FinishReason = "eos"
    #: This clip's share of the time that the engine spent on the batch.
    engine_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What an engine reports of itself once it is loaded."""

    #: Digest over the weights and over every option that changes the text: two loads with the
    #: same digest write the same text for the same clip.
    digest: str
    #: "cpu", "cuda:0"…
    device: str
    #: "int8", "bfloat16"…
    dtype: str
    #: Bytes of memory that the weights take on the device; None where unknown.
    memory_bytes: int | None = None
    #: Seconds that loading took.
    load_seconds: float = 0.0
    #: Whether it tells the times of single words.
    words: bool = False
    #: Why it does not, in words for an operator; "" where there is nothing to say.
    no_words_because: str = ""


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """What an engine is built from: one row of the table of models, as plain values."""

    #: Where the weights lie; None for an engine without weights.
    weights_dir: Path | None = None
    #: "auto", "cpu", "cuda", "cuda:1"…
    device: str = "auto"
    #: Where the forced aligner lies, for an engine that tells times of words by one; None: none.
    aligner_dir: Path | None = None
    #: CPU threads for one batch; 0: the library's choice.
    threads: int = 0
    #: Options of that engine alone; an unknown one raises ``EngineError`` when it is built.
    options: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """One loaded speech-recognition model. Not thread-safe: one caller at a time."""

    #: Longest clip that the engine takes.
    max_clip_seconds: float
    #: Whether clips may ask for times of words, as far as is known now. Even so a clip may get
    #: none, where its language or its text does not allow it: then its segments have no words.
    gives_words: bool

    def estimate_memory_bytes(self) -> int:
        """Bytes that ``load`` is going to need at its peak, from the files; 0 without weights.

        Loads nothing. Raises ``WeightsError`` for what can be seen to be missing or wrong.
        """

    def load(self) -> Loaded:
        """Bring the weights into memory.

        Raises ``WeightsError`` naming what is missing or wrong; then nothing stays in memory.
        """

    def transcribe(self, clips: Sequence[Clip]) -> list[Result]:
        """Recognise the clips as one batch; one result per clip, in order.

        A clip's result never depends on what else is in the batch. Raises ``EngineError``.
        """

    def unload(self) -> None:
        """Give the memory back. ``load`` may be called again."""
