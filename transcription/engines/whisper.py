"""Whisper through CTranslate2, many clips of many recordings at once.

faster-whisper's batched mode takes one file at a time, in windows of 30 s. CTranslate2 below it
takes more: clips of different files in one batch, each with a prompt and so a language of its
own, in windows as short as the clips. That is what this adapter is for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt

from transcription.engines import whisper_drafts as drafting
from transcription.engines.base import (
    SAMPLE_RATE_HZ,
    Clip,
    EngineConfig,
    EngineError,
    EngineMemoryError,
    Loaded,
    Result,
    Segment,
    WeightsError,
)
from transcription.engines.options import TEXT_UNCHANGED, read_options, text_options
from transcription.engines.weights import load_digest, require_files, weights_digest
from transcription.engines.whisper_plan import (
    FULL_WINDOW_SECONDS,
    Job,
    batches,
    max_new_tokens,
    window_seconds,
)
from transcription.engines.whisper_prompts import FRAMES_PER_SECOND, Vocabulary, features_of
from transcription.engines.whisper_times import TimedWord, segments_of, time_words

REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt|vocabulary.json")
#: What changes the text where it is there: the shape of the features, for one.
OPTIONAL_FILES = ("preprocessor_config.json",)
HOW_TO_GET = "Run `manage.py fetch_model whisper-base`, or set the folder of a converted model."


@dataclass(frozen=True, kw_only=True)
class WhisperOptions:
    """Options of the Whisper engine."""

    beam_size: int = 5
    #: "auto": int8 on the CPU, float16 on a GPU; else a type that CTranslate2 knows.
    compute_type: str = "auto"
    #: The shortest audio window, the step between windows, and the silence after each clip.
    window_min_seconds: float = 10.0
    window_step_seconds: float = 5.0
    window_tail_seconds: float = 1.0
    #: Most seconds of windows in one batch; more take more memory. 0: 240 on the CPU, 1200 on
    #: a GPU.
    batch_seconds: float = field(default=0.0, metadata=TEXT_UNCHANGED)
    #: Below this probability the language is a guess, and the clip's likely one is taken.
    language_probability: float = 0.5
    #: Where a text stops being believed; see ``whisper_drafts.Limits``.
    compression_ratio: float = 2.4
    avg_logprob: float = -1.0
    no_speech_probability: float = 0.6
    #: Whether segments get times of their own (a tenth more work); without, each clip is one
    #: segment unless times of words are asked for.
    segment_times: bool = True

    def __post_init__(self) -> None:
        if self.beam_size < 1:
            raise ValueError("beam_size must be 1 or more")
        if not 0 < self.window_step_seconds <= FULL_WINDOW_SECONDS:
            raise ValueError(f"window_step_seconds must be within 0 and {FULL_WINDOW_SECONDS:g}")
        if self.window_tail_seconds < 0 or self.window_min_seconds < 0 or self.batch_seconds < 0:
            raise ValueError("no window and no batch can be shorter than 0 s")
        if (self.window_step_seconds * FRAMES_PER_SECOND) % 2:
            # The encoder halves the frames.
            raise ValueError("window_step_seconds must be a multiple of 0.02")


@dataclass(frozen=True, kw_only=True)
class _Heard:
    """What one attempt gave for a clip."""

    draft: drafting.Draft
    language: str
    #: None where the language was given.
    language_probability: float | None
    words: tuple[TimedWord, ...]


class WhisperEngine:
    """The engine named ``whisper``; see ``transcription.engines.base.Engine``."""

    max_clip_seconds = FULL_WINDOW_SECONDS

    def __init__(self, config: EngineConfig) -> None:
        self.options = read_options(WhisperOptions, config.options, engine="whisper")
        self._config = config
        self._limits = drafting.Limits(
            compression_ratio=self.options.compression_ratio,
            avg_logprob=self.options.avg_logprob,
            no_speech_probability=self.options.no_speech_probability,
            language_probability=self.options.language_probability,
        )
        self._model: Any = None
        self._vocabulary: Vocabulary | None = None
        self._batch_seconds = self.options.batch_seconds

    def load(self) -> Loaded:
        """Bring the weights into memory; see ``Engine.load``. Nothing is fetched from anywhere."""
        started = time.monotonic()
        folder = require_files(self._config.weights_dir, REQUIRED_FILES, how_to_get=HOW_TO_GET)
        names = [
            name
            for names in (*REQUIRED_FILES, *OPTIONAL_FILES)
            for name in names.split("|")
            if (folder / name).is_file()
        ]
        digest = weights_digest(folder, names)
        device, index = resolve_device(self._config.device)
        wanted = self.options.compute_type
        if wanted == "auto":
            wanted = "float16" if device == "cuda" else "int8"
        try:
            vocabulary = Vocabulary(folder)
            model = ctranslate2.models.Whisper(
                str(folder),
                device=device,
                device_index=index,
                compute_type=wanted,
                intra_threads=self._config.threads,
            )
        except (RuntimeError, ValueError, OSError) as error:
            if _is_out_of_memory(error):
                raise EngineMemoryError(f"The weights do not fit on {device}: {error}") from error
            raise WeightsError(
                f"CTranslate2 cannot load the weights in {folder} as {wanted} on {device}: "
                f"{error}. {HOW_TO_GET}"
            ) from error
        self._model, self._vocabulary = model, vocabulary
        if not self.options.batch_seconds:
            self._batch_seconds = 1200.0 if device == "cuda" else 240.0
        return Loaded(
            digest=load_digest(
                engine="whisper",
                weights=digest,
                # By what it came out as: int8 and float16 do not write the same text.
                options={**text_options(self.options), "compute_type": str(model.compute_type)},
            ),
            device=f"{device}:{index}" if device == "cuda" else device,
            dtype=str(model.compute_type),
            memory_bytes=_memory_bytes(folder, str(model.compute_type)),
            load_seconds=time.monotonic() - started,
        )

    def unload(self) -> None:
        """Give the memory back. ``load`` may be called again."""
        if self._model is not None:
            self._model.unload_model()
        self._model = self._vocabulary = None

    def transcribe(self, clips: Sequence[Clip]) -> list[Result]:
        """Recognise the clips; see ``Engine.transcribe``.

        Any number of clips of up to 30 s: they are grouped here by window and prompt. A language
        that this model does not know raises ``EngineError`` before any work is done.
        """
        vocabulary = self._vocabulary
        if vocabulary is None:
            raise EngineError("The Whisper engine is not loaded. Call load() first.")
        for clip in clips:
            _check(clip)
            if clip.language is not None:
                vocabulary.language_token(clip.language)
        seconds = [0.0] * len(clips)
        heard: list[list[_Heard]] = [[] for _ in clips]
        results: list[Result | None] = [
            None if len(clip.samples) else Result(text="", language=None) for clip in clips
        ]
        attempts = {index: drafting.FIRST for index, result in enumerate(results) if result is None}
        while attempts:
            for attempt in drafting.ATTEMPTS:
                jobs = [
                    self._job(index, clips[index], attempt)
                    for index, wanted in attempts.items()
                    if wanted == attempt
                ]
                for batch in batches(jobs, budget_seconds=self._batch_seconds):
                    for index, found, spent in self._run(batch, clips, attempt):
                        heard[index].append(found)
                        seconds[index] += spent
            following: dict[int, drafting.Attempt] = {}
            for index in attempts:
                verdict = drafting.judge(
                    [one.draft for one in heard[index]],
                    self._limits,
                    own_window_is_full=self._own_window(clips[index]) == FULL_WINDOW_SECONDS,
                    has_context=bool(vocabulary.context_tokens(clips[index].context)),
                )
                if isinstance(verdict, drafting.Attempt):
                    following[index] = verdict
                else:
                    results[index] = self._result(clips[index], heard[index], verdict)
            attempts = following
        return [
            replace(result, engine_seconds=spent)
            for result, spent in zip(results, seconds, strict=True)
            if result is not None
        ]

    def _job(self, index: int, clip: Clip, attempt: drafting.Attempt) -> Job:
        return Job(
            index=index,
            window_seconds=FULL_WINDOW_SECONDS if attempt.full_window else self._own_window(clip),
            context_tokens=(
                self._known().context_tokens(clip.context) if attempt.with_context else ()
            ),
        )

    def _own_window(self, clip: Clip) -> float:
        return window_seconds(
            clip.duration_seconds,
            min_seconds=self.options.window_min_seconds,
            step_seconds=self.options.window_step_seconds,
            tail_seconds=self.options.window_tail_seconds,
        )

    def _known(self) -> Vocabulary:
        if self._vocabulary is None:
            raise EngineError("The Whisper engine is not loaded. Call load() first.")
        return self._vocabulary

    def _run(
        self, batch: Sequence[Job], clips: Sequence[Clip], attempt: drafting.Attempt
    ) -> Iterable[tuple[int, _Heard, float]]:
        """One batch through the model; halved as often as the memory of the device demands."""
        started = time.monotonic()
        try:
            heard = self._hear(batch, clips, attempt)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise EngineError(f"CTranslate2 failed on a batch of clips: {error}") from error
            if len(batch) == 1:
                raise EngineMemoryError(
                    f"The device has too little memory for one clip of "
                    f"{batch[0].window_seconds:g} s: {error}"
                ) from error
            half = len(batch) // 2
            return [
                *self._run(batch[:half], clips, attempt),
                *self._run(batch[half:], clips, attempt),
            ]
        # All windows of a batch are of one length, so the shares are equal.
        share = (time.monotonic() - started) / len(batch)
        return [(job.index, one, share) for job, one in zip(batch, heard, strict=True)]

    def _hear(
        self, batch: Sequence[Job], clips: Sequence[Clip], attempt: drafting.Attempt
    ) -> list[_Heard]:
        vocabulary = self._known()
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
            beam_size=self.options.beam_size,
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
            # The score is the mean over the tokens; the end of the text counts as one more.
            score = answer.scores[0] * len(written) / (len(written) + 1)
            drafts.append(
                drafting.Draft(
                    attempt=attempt,
                    tokens=tokens,
                    text=vocabulary.decode(tokens),
                    avg_logprob=score,
                    no_speech_probability=answer.no_speech_prob,
                    capped=len(written) >= limit,
                    duration_seconds=clip.duration_seconds,
                    language_probability=1.0 if probability is None else probability,
                )
            )
        words = self._align(chosen, drafts, [language for language, _ in languages], encoded)
        return [
            _Heard(draft=draft, language=language, language_probability=probability, words=timed)
            for draft, (language, probability), timed in zip(drafts, languages, words, strict=True)
        ]

    def _languages(self, clips: Sequence[Clip], encoded: Any) -> list[tuple[str, float | None]]:
        """The language of each clip, and how sure that is where it was detected."""
        vocabulary = self._known()
        if not vocabulary.multilingual:
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
            likely = clip.likely_language
            if shares[language] < self.options.language_probability and likely in shares:
                # As good as given: there is nothing left to be unsure of.
                found.append((likely, None))
            else:
                found.append((language, shares[language]))
        return found

    def _align(
        self,
        clips: Sequence[Clip],
        drafts: Sequence[drafting.Draft],
        languages: Sequence[str],
        encoded: Any,
    ) -> list[tuple[TimedWord, ...]]:
        """The times of each draft's words; () where nobody needs them."""
        vocabulary = self._known()
        timed: list[tuple[TimedWord, ...]] = [()] * len(clips)
        wanted: dict[str, list[int]] = {}
        for index, (clip, draft) in enumerate(zip(clips, drafts, strict=True)):
            needed = clip.words or self.options.segment_times
            if needed and draft.tokens and drafting.fault_of(draft, self._limits) != "loop":
                wanted.setdefault(languages[index], []).append(index)
        for language, indexes in wanted.items():
            part = encoded if len(indexes) == len(clips) else _rows(encoded, indexes)
            alignments = self._model.align(
                part,
                vocabulary.start_sequence(language),
                [list(drafts[index].tokens) for index in indexes],
                [_frames(clips[index]) for index in indexes],
            )
            for index, alignment in zip(indexes, alignments, strict=True):
                words, counts = vocabulary.words(drafts[index].tokens, language)
                timed[index] = tuple(
                    time_words(
                        words,
                        counts,
                        alignment.alignments,
                        alignment.text_token_probs,
                        duration_seconds=clips[index].duration_seconds,
                    )
                )
        return timed

    def _result(self, clip: Clip, heard: Sequence[_Heard], verdict: drafting.Verdict) -> Result:
        chosen = next((one for one in heard if one.draft is verdict.draft), None)
        text = chosen.draft.text.strip() if chosen else ""
        if chosen is None or not text:
            return Result(text="", language=None, finish_reason=verdict.finish_reason)
        draft = chosen.draft
        segments = segments_of(
            chosen.words,
            with_words=clip.words,
            avg_logprob=draft.avg_logprob,
            no_speech_probability=draft.no_speech_probability,
        ) or (
            Segment(
                start_seconds=0.0,
                end_seconds=round(clip.duration_seconds, 2),
                text=text,
                avg_logprob=draft.avg_logprob,
                no_speech_probability=draft.no_speech_probability,
            ),
        )
        return Result(
            text=text,
            language=chosen.language,
            language_probability=chosen.language_probability,
            segments=segments,
            finish_reason=verdict.finish_reason,
        )


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
        f"There is no device '{wanted}' here; CTranslate2 sees {gpus} GPUs and the CPU."
    )


def _check(clip: Clip) -> None:
    samples = clip.samples
    if samples.dtype != np.float32 or samples.ndim != 1:
        raise EngineError(
            f"A clip must be float32 of shape (samples,), not {samples.dtype} of {samples.shape}."
        )
    if clip.duration_seconds > FULL_WINDOW_SECONDS:
        raise EngineError(
            f"A clip of {clip.duration_seconds:.2f} s is longer than the "
            f"{FULL_WINDOW_SECONDS:g} s that Whisper takes. Cut it first."
        )


def _frames(clip: Clip) -> int:
    """Frames of the clip without its padding, one at least."""
    return max(2, len(clip.samples) * FRAMES_PER_SECOND // SAMPLE_RATE_HZ)


def _rows(encoded: Any, indexes: Sequence[int]) -> Any:
    """Some clips of the encoder's output."""
    on_cpu = encoded if encoded.device == "cpu" else encoded.to_device(ctranslate2.Device.cpu)
    chosen: npt.NDArray[Any] = np.ascontiguousarray(np.asarray(on_cpu)[list(indexes)])
    return ctranslate2.StorageView.from_array(chosen)


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()


def _memory_bytes(folder: Path, compute_type: str) -> int:
    """About what the weights take in memory: the file holds float16, int8 takes half of it."""
    size_bytes = (folder / "model.bin").stat().st_size
    return size_bytes // 2 if compute_type.startswith("int8") else size_bytes
