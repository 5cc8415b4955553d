"""Times of words for the clips that ask for them: the aligner fetched into memory when needed.

Most requests ask for no words, and beside the recogniser of 0.6B the aligner takes as much memory
again, at a reload twice. So its files are checked when the engine loads, and its weights come into
memory with the first clip that asks. Nothing here ever costs a text: a clip whose words cannot be
timed has none, and the log says why.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from transcription.engines.base import SAMPLE_RATE_HZ, EngineError, Segment, WeightsError
from transcription.engines.qwen3 import decisions
from transcription.engines.qwen3.files import checked_aligner_files
from transcription.engines.qwen3.languages import LANGUAGE_NAMES
from transcription.engines.qwen3.memory import forget_frames, give_back_memory
from transcription.engines.qwen3.words import (
    ALIGNED_LANGUAGES,
    segments_of_words,
    timed_words,
    word_spans,
)
from transcription.engines.weights import weights_digest

if TYPE_CHECKING:
    from transcription.engines.qwen3.aligner import Aligner, Question, Timed

logger = logging.getLogger(__name__)

#: How often a clip that is alone in its batch is tried when memory runs out.
_TRIES_ALONE = 3


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """A recognised clip whose words are to get their times."""

    #: float32, shape (samples,), mono, 16 kHz.
    samples: npt.NDArray[np.float32]
    #: As the recogniser wrote it; not empty.
    text: str
    #: Code; None or "und" where nobody knows.
    language: str | None
    avg_logprob: float | None

    @property
    def duration_seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


class Aligning:
    """The forced aligner of one loaded engine."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str,
        dtype: str,
        attention: str,
        max_batch_seconds: float,
        max_batch_clips: int,
    ) -> None:
        """Check the files of the aligner. Raises ``WeightsError`` naming what is wrong."""
        self.folder, names = checked_aligner_files(folder)
        #: Which weights these are; see ``weights_digest``.
        self.digest = weights_digest(self.folder, names)
        #: Why it can tell no times after all, in words; "" while nothing speaks against it.
        self.broken = ""
        self._device = device
        self._dtype = dtype
        self._attention = attention
        self._budget_seconds = max_batch_seconds
        self._max_batch_clips = max_batch_clips
        self._aligner: Aligner | None = None

    def segments(self, clips: Sequence[Spoken]) -> list[tuple[Segment, ...] | None]:
        """Segments with words for each clip; None for one whose words cannot be timed."""
        found: list[tuple[Segment, ...] | None] = [None] * len(clips)
        places = [place for place, clip in enumerate(clips) if _can_be_asked(clip)]
        aligner = self._loaded() if places else None
        if aligner is None:
            return found
        places = [place for place in places if _fits(clips[place], aligner.max_seconds)]
        durations = [clip.duration_seconds for clip in clips]
        waiting = [
            [places[index] for index in batch]
            for batch in decisions.plan_batches(
                [durations[place] for place in places],
                budget_seconds=self._budget_seconds,
                max_clips=self._max_batch_clips,
            )
        ]
        tries_alone = 0
        while waiting:
            batch = waiting.pop(0)
            timed = self._align(aligner, [clips[place] for place in batch])
            if timed is not None:
                tries_alone = 0
                for place, one in zip(batch, timed, strict=True):
                    found[place] = _segments_of(clips[place], one)
                continue
            give_back_memory()
            if len(batch) > 1:
                logger.warning("out of memory aligning %d clips: half as many", len(batch))
                waiting = [*decisions.halve(batch), *waiting]
                continue
            tries_alone += 1
            if tries_alone < _TRIES_ALONE:
                waiting.insert(0, batch)
                continue
            tries_alone = 0
            logger.error(
                "A clip of %.1f s has no times of words: not even alone does it fit into the "
                "memory of the aligner's device.",
                durations[batch[0]],
            )
        return found

    def _loaded(self) -> Aligner | None:
        """The aligner in memory; None, and the log says why, if it cannot be had now."""
        if self._aligner is not None or self.broken:
            return self._aligner
        from transcription.engines.qwen3.aligner import load_aligner

        try:
            self._aligner = load_aligner(
                self.folder, device=self._device, dtype=self._dtype, attention=self._attention
            )
        except Exception as error:
            if not isinstance(error, EngineError) and not decisions.is_out_of_memory(error):
                raise
            forget_frames(error)
            logger.error("The forced aligner %s cannot be loaded: %s", self.folder, error)
            if isinstance(error, EngineError):
                self.broken = str(error)
        if self._aligner is None:
            give_back_memory()
        return self._aligner

    def _align(self, aligner: Aligner, clips: Sequence[Spoken]) -> list[Timed | None] | None:
        """What the aligner says of each clip; None when memory ran out on the way."""
        from transcription.engines.qwen3.aligner import Question

        questions = []
        for clip in clips:
            assert clip.language is not None
            questions.append(
                Question(
                    samples=clip.samples,
                    text=clip.text,
                    language_name=LANGUAGE_NAMES[clip.language],
                )
            )
        try:
            return self._answers(aligner, questions)
        except Exception as error:
            if not decisions.is_out_of_memory(error):
                raise
            # Not handled here: while the error is, its traceback holds the batch in memory.
            return None

    def _answers(self, aligner: Aligner, questions: Sequence[Question]) -> list[Timed | None]:
        divided = [self._divided(aligner, question) for question in questions]
        asked = [question for question, ready in zip(questions, divided, strict=True) if ready]
        try:
            answers = iter(aligner.align(asked) if asked else [])
        except WeightsError as error:
            logger.error("%s", error)
            self.broken = str(error)
            return [None] * len(questions)
        return [next(answers) if ready else None for ready in divided]

    def _divided(self, aligner: Aligner, question: Question) -> bool:
        """Whether the text can be divided into words, for which some languages need a package."""
        try:
            return bool(aligner.units(question))
        except ImportError as error:
            logger.error(
                "A clip in %s has no times of words: %s, then restart the service.",
                question.language_name,
                error,
            )
            return False


def _can_be_asked(clip: Spoken) -> bool:
    if clip.language in ALIGNED_LANGUAGES:
        return True
    logger.warning("A clip has no times of words: the aligner knows no '%s'.", clip.language)
    return False


def _fits(clip: Spoken, max_seconds: float) -> bool:
    if clip.duration_seconds <= max_seconds:
        return True
    logger.warning(
        "A clip of %.1f s has no times of words: the aligner takes %g s. Set shorter chunks.",
        clip.duration_seconds,
        max_seconds,
    )
    return False


def _segments_of(clip: Spoken, timed: Timed | None) -> tuple[Segment, ...] | None:
    spans = word_spans(clip.text, timed.units) if timed is not None else None
    if timed is None or spans is None:
        return None
    words = timed_words(
        clip.text, spans, timed.times_seconds, duration_seconds=clip.duration_seconds
    )
    return segments_of_words(clip.text, spans, words, avg_logprob=clip.avg_logprob)
