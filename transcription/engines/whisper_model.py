"""One batch of clips through a Whisper model of CTranslate2: languages, texts, times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt

from transcription.engines.base import (
    SAMPLE_RATE_HZ,
    Clip,
    EngineError,
    EngineMemoryError,
    WeightsError,
)
from transcription.engines.whisper_drafts import Attempt, Draft, Limits, fault_of
from transcription.engines.whisper_plan import Job, max_new_tokens
from transcription.engines.whisper_prompts import FRAMES_PER_SECOND, Vocabulary, features_of
from transcription.engines.whisper_times import TimedWord, time_words


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What one attempt gave for a clip."""

    draft: Draft
    language: str
    #: None where the language was given, or taken as likely.
    language_probability: float | None
    #: The words of the draft with their times; empty where nobody asked for them.
    words: tuple[TimedWord, ...]


class WhisperModel:
    """A model in memory. One caller at a time."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str,
        device_index: int,
        compute_type: str,
        threads: int,
        beam_size: int,
        limits: Limits,
    ) -> None:
        """Load what is in ``folder``. Raises ``WeightsError``, ``EngineMemoryError``."""
        self._beam_size = beam_size
        self._limits = limits
        try:
            self._model = ctranslate2.models.Whisper(
                str(folder),
                device=device,
                device_index=device_index,
                compute_type=compute_type,
                intra_threads=threads,
            )
        except (RuntimeError, ValueError, OSError) as error:
            if is_out_of_memory(error):
                raise EngineMemoryError(f"The weights do not fit on {device}: {error}") from error
            raise WeightsError(
                f"CTranslate2 cannot load the weights in {folder} as {compute_type} on {device}: "
                f"{error}. Fetch the model again with --verify, or convert it anew."
            ) from error
        self.vocabulary = Vocabulary(folder, multilingual=bool(self._model.is_multilingual))

    @property
    def compute_type(self) -> str:
        """The type that CTranslate2 computes in."""
        return str(self._model.compute_type)

    def unload(self) -> None:
        """Give the memory back."""
        self._model.unload_model()

    def hear(self, batch: Sequence[Job], clips: Sequence[Clip], attempt: Attempt) -> list[Heard]:
        """What the model hears in the clips of the jobs, in order.

        The jobs have the same window and the same number of context tokens. Raises what
        CTranslate2 raises: ``RuntimeError`` and ``MemoryError``.
        """
        vocabulary = self.vocabulary
        chosen = [clips[job.index] for job in batch]
        window = batch[0].window_seconds
        features = np.stack([features_of(clip.samples, window, vocabulary) for clip in chosen])
        encoded = self._model.encode(ctranslate2.StorageView.from_array(features))
        languages = self._languages(chosen, encoded)
        limit = max_new_tokens(window)
        prompts = [
            vocabulary.prompt(job.context_tokens, language)
            for job, (language, _) in zip(batch, languages, strict=True)
        ]
        answers = self._model.generate(
            encoded,
            prompts,
            beam_size=self._beam_size,
            # CTranslate2 lets the new tokens have at most half of this, and no more than what
            # the prompt leaves of it.
            max_length=max(2 * limit, limit + len(prompts[0])),
            return_scores=True,
            return_no_speech_prob=True,
            repetition_penalty=attempt.repetition_penalty,
            no_repeat_ngram_size=attempt.no_repeat_ngram_size,
        )
        drafts = []
        for clip, answer, (_, probability) in zip(chosen, answers, languages, strict=True):
            written = answer.sequences_ids[0]
            tokens = tuple(token for token in written if token < vocabulary.end_of_text)
            drafts.append(
                Draft(
                    attempt=attempt,
                    tokens=tokens,
                    text=vocabulary.decode(tokens),
                    # The score is the mean over the tokens; the end of the text is one more.
                    avg_logprob=answer.scores[0] * len(written) / (len(written) + 1),
                    no_speech_probability=answer.no_speech_prob,
                    capped=len(written) >= limit,
                    duration_seconds=clip.duration_seconds,
                    language_probability=1.0 if probability is None else probability,
                )
            )
        words = self._align(chosen, drafts, [language for language, _ in languages], encoded)
        return [
            Heard(draft=draft, language=language, language_probability=probability, words=timed)
            for draft, (language, probability), timed in zip(drafts, languages, words, strict=True)
        ]

    def _languages(self, clips: Sequence[Clip], encoded: Any) -> list[tuple[str, float | None]]:
        """The language of each clip, and how sure that is where it was detected."""
        if not self.vocabulary.multilingual:
            return [("en", None)] * len(clips)
        if all(clip.language for clip in clips):
            return [(clip.language or "", None) for clip in clips]
        found: list[tuple[str, float | None]] = []
        for clip, ranked in zip(clips, self._model.detect_language(encoded), strict=True):
            if clip.language:
                found.append((clip.language, None))
                continue
            shares = {token[2:-2]: share for token, share in ranked}
            language = ranked[0][0][2:-2]
            sure = shares[language] >= self._limits.language_probability
            if not sure and clip.likely_language in shares:
                # As good as given: there is nothing left to be unsure of.
                found.append((str(clip.likely_language), None))
            else:
                found.append((language, shares[language]))
        return found

    def _align(
        self,
        clips: Sequence[Clip],
        drafts: Sequence[Draft],
        languages: Sequence[str],
        encoded: Any,
    ) -> list[tuple[TimedWord, ...]]:
        """The times of each draft's words; () where nobody asked for them."""
        timed: list[tuple[TimedWord, ...]] = [()] * len(clips)
        # All texts of one call share the language in front of them.
        wanted: dict[str, list[int]] = {}
        for index, (clip, draft) in enumerate(zip(clips, drafts, strict=True)):
            if clip.words and draft.tokens and fault_of(draft, self._limits) != "loop":
                wanted.setdefault(languages[index], []).append(index)
        for language, indexes in wanted.items():
            alignments = self._model.align(
                encoded if len(indexes) == len(clips) else _rows(encoded, indexes),
                self.vocabulary.start_sequence(language),
                [list(drafts[index].tokens) for index in indexes],
                [_frames(clips[index]) for index in indexes],
            )
            for index, alignment in zip(indexes, alignments, strict=True):
                words, token_counts = self.vocabulary.words(drafts[index].tokens, language)
                timed[index] = tuple(
                    time_words(
                        words,
                        token_counts,
                        alignment.alignments,
                        alignment.text_token_probs,
                        duration_seconds=clips[index].duration_seconds,
                    )
                )
        return timed


def resolve_device(wanted: str) -> tuple[str, int]:
    """The device and its number: "auto" is the first GPU, or the CPU where there is none.

    Raises ``EngineError`` for a device that is not there.
    """
    kind, _, number = wanted.partition(":")
    gpus = ctranslate2.get_cuda_device_count() if kind in {"auto", "cuda"} else 0
    if kind == "auto":
        return ("cuda", 0) if gpus else ("cpu", 0)
    index = int(number) if number.isdecimal() else 0
    if kind == "cpu" or (kind == "cuda" and index < gpus):
        return kind, index
    raise EngineError(
        f"There is no device '{wanted}' here: CTranslate2 sees the CPU and {gpus} CUDA devices."
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that the memory of the device did not suffice."""
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()


def _frames(clip: Clip) -> int:
    """Frames of the clip without its padding; at least what one position of the encoder needs."""
    return max(2, len(clip.samples) * FRAMES_PER_SECOND // SAMPLE_RATE_HZ)


def _rows(encoded: Any, indexes: Sequence[int]) -> Any:
    """Some clips of the encoder's output."""
    on_cpu = encoded if encoded.device == "cpu" else encoded.to_device(ctranslate2.Device.cpu)
    chosen: npt.NDArray[Any] = np.ascontiguousarray(np.asarray(on_cpu)[list(indexes)])
    return ctranslate2.StorageView.from_array(chosen)
