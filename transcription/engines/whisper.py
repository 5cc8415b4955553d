"""Whisper through CTranslate2, many clips of many recordings at once.

faster-whisper's batched mode takes one file at a time, in windows of 30 s. CTranslate2 below it
takes more: clips of different files in one batch, each with a prompt and so a language of its
own, in windows as short as the clips. That is what this adapter is for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from transcription.engines.base import (
    Clip,
    EngineConfig,
    EngineError,
    EngineMemoryError,
    Loaded,
    Result,
    Segment,
)
from transcription.engines.options import TEXT_UNCHANGED, read_options, text_options
from transcription.engines.weights import load_digest, require_files, weights_digest
from transcription.engines.whisper_drafts import (
    ATTEMPTS,
    FIRST,
    Attempt,
    Limits,
    Verdict,
    judge,
)
from transcription.engines.whisper_model import (
    Heard,
    WhisperModel,
    is_out_of_memory,
    resolve_device,
)
from transcription.engines.whisper_pauses import time_sentences
from transcription.engines.whisper_plan import (
    FULL_WINDOW_SECONDS,
    Job,
    batches,
    window_seconds,
)
from transcription.engines.whisper_sentences import sentences_of, spoken_letters
from transcription.engines.whisper_times import segments_of

REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt|vocabulary.json")
#: What changes the text where it is there: the shape of the features.
OPTIONAL_FILES = ("preprocessor_config.json",)
HOW_TO_GET = "Run `manage.py fetch_model whisper-base`, or name the folder of a converted model."

_BATCH_SECONDS = {"cpu": 240.0, "cuda": 1200.0}


@dataclass(frozen=True, kw_only=True)
class WhisperOptions:
    """Options of the Whisper engine."""

    beam_size: int = 5
    #: "auto": int8 on the CPU, float16 on a GPU; else a type that CTranslate2 knows.
    compute_type: str = "auto"
    #: The shortest audio window, the step between windows, and the silence after each clip.
    #: 10 s take a fifth less time for short clips, and mishear a few more words: which, depends
    #: on the processor, since int8 is rounded in another order on each.
    window_min_seconds: float = 15.0
    window_step_seconds: float = 5.0
    window_tail_seconds: float = 1.0
    #: Most seconds of windows in one batch; more take more memory. 0: 240 on the CPU, 1200 on
    #: a GPU.
    batch_seconds: float = field(default=0.0, metadata=TEXT_UNCHANGED)
    #: Below this probability a detected language is a guess: the clip's likely one is taken, or
    #: it is heard again in the full window.
    language_probability: float = 0.5
    #: Where a text stops being believed; see ``whisper_drafts.Limits``.
    compression_ratio: float = 2.4
    avg_logprob: float = -1.0
    no_speech_probability: float = 0.6

    def __post_init__(self) -> None:
        if self.beam_size < 1:
            raise ValueError("beam_size must be 1 or more")
        if not 0 < self.window_step_seconds <= FULL_WINDOW_SECONDS:
            raise ValueError(f"window_step_seconds must be within 0 and {FULL_WINDOW_SECONDS:g}")
        if not (self.window_step_seconds * 50).is_integer():
            raise ValueError("window_step_seconds must be a multiple of 0.02, Whisper's own step")
        if min(self.window_tail_seconds, self.window_min_seconds, self.batch_seconds) < 0:
            raise ValueError("no window and no batch can be shorter than 0 s")


class WhisperEngine:
    """The engine named ``whisper``; see ``transcription.engines.base.Engine``."""

    max_clip_seconds = FULL_WINDOW_SECONDS
    #: By the attention of the model itself. A text that is a loop has no times of words.
    gives_words = True

    def __init__(self, config: EngineConfig) -> None:
        self.options = read_options(WhisperOptions, config.options, engine="whisper")
        self._config = config
        self._limits = Limits(
            compression_ratio=self.options.compression_ratio,
            avg_logprob=self.options.avg_logprob,
            no_speech_probability=self.options.no_speech_probability,
            language_probability=self.options.language_probability,
        )
        self._model: WhisperModel | None = None
        self._batch_seconds = self.options.batch_seconds

    def estimate_memory_bytes(self) -> int:
        """The size of the stored weights, from which other types are made; see ``Engine``."""
        folder = require_files(self._config.weights_dir, REQUIRED_FILES, how_to_get=HOW_TO_GET)
        stored_bytes = (folder / "model.bin").stat().st_size
        # Stored as float16.
        return stored_bytes * 2 if self.options.compute_type == "float32" else stored_bytes

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
        compute_type = self.options.compute_type
        if compute_type == "auto":
            compute_type = "float16" if device == "cuda" else "int8"
        model = WhisperModel(
            folder,
            device=device,
            device_index=index,
            compute_type=compute_type,
            threads=self._config.threads,
            beam_size=self.options.beam_size,
            limits=self._limits,
        )
        self._model = model
        self._batch_seconds = self.options.batch_seconds or _BATCH_SECONDS[device]
        size_bytes = (folder / "model.bin").stat().st_size
        return Loaded(
            digest=load_digest(
                engine="whisper",
                weights=digest,
                # As what it came out: int8 and float16 do not write the same text.
                options={**text_options(self.options), "compute_type": model.compute_type},
            ),
            device=f"{device}:{index}" if device == "cuda" else device,
            dtype=model.compute_type,
            # The file holds float16.
            memory_bytes=size_bytes // 2 if "int8" in model.compute_type else size_bytes,
            load_seconds=time.monotonic() - started,
            words=self.gives_words,
        )

    def unload(self) -> None:
        """Give the memory back. ``load`` may be called again."""
        if self._model is not None:
            self._model.unload()
        self._model = None

    def transcribe(self, clips: Sequence[Clip]) -> list[Result]:
        """Recognise the clips; see ``Engine.transcribe``.

        Any number of clips of up to 30 s: they are grouped here by window and prompt. A language
        that this model does not know raises ``EngineError`` before any work is done.
        """
        model = self._model
        if model is None:
            raise EngineError("The Whisper engine is not loaded. Call load() first.")
        for clip in clips:
            _check(clip)
            if clip.language is not None:
                model.vocabulary.language_token(clip.language)
        contexts = [model.vocabulary.context_tokens(clip.context) for clip in clips]
        windows = [self._window(clip) for clip in clips]
        heard: list[list[Heard]] = [[] for _ in clips]
        seconds = [0.0] * len(clips)
        results = [Result(text="", language=None)] * len(clips)
        attempts = {index: FIRST for index, clip in enumerate(clips) if len(clip.samples)}
        while attempts:
            for attempt in ATTEMPTS:
                jobs = [
                    Job(
                        index=index,
                        window_seconds=FULL_WINDOW_SECONDS
                        if wanted.full_window
                        else windows[index],
                        context_tokens=contexts[index] if wanted.with_context else (),
                    )
                    for index, wanted in attempts.items()
                    if wanted == attempt
                ]
                for batch in batches(jobs, budget_seconds=self._batch_seconds):
                    for index, found, spent_seconds in _run(model, batch, clips, attempt):
                        heard[index].append(found)
                        seconds[index] += spent_seconds
            following: dict[int, Attempt] = {}
            for index in attempts:
                verdict = judge(
                    [one.draft for one in heard[index]],
                    self._limits,
                    own_window_is_full=windows[index] == FULL_WINDOW_SECONDS,
                    has_context=bool(contexts[index]),
                )
                if isinstance(verdict, Attempt):
                    following[index] = verdict
                else:
                    results[index] = _result(clips[index], heard[index], verdict)
            attempts = following
        return [
            replace(result, engine_seconds=spent_seconds)
            for result, spent_seconds in zip(results, seconds, strict=True)
        ]

    def _window(self, clip: Clip) -> float:
        return window_seconds(
            clip.duration_seconds,
            min_seconds=self.options.window_min_seconds,
            step_seconds=self.options.window_step_seconds,
            tail_seconds=self.options.window_tail_seconds,
        )


def _run(
    model: WhisperModel, batch: Sequence[Job], clips: Sequence[Clip], attempt: Attempt
) -> list[tuple[int, Heard, float]]:
    """One batch through the model, halved as often as the memory of the device demands.

    Each clip's position, what was heard in it, and its share of the seconds. Raises
    ``EngineMemoryError`` where not even one clip fits, ``EngineError`` for what else fails.
    """
    started = time.monotonic()
    try:
        heard = model.hear(batch, clips, attempt)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise EngineError(f"CTranslate2 failed on a batch of clips: {error}") from error
        if len(batch) == 1:
            raise EngineMemoryError(
                f"The device has too little memory for one clip in a window of "
                f"{batch[0].window_seconds:g} s: {error}"
            ) from error
        half = len(batch) // 2
        return [
            *_run(model, batch[:half], clips, attempt),
            *_run(model, batch[half:], clips, attempt),
        ]
    # All windows of a batch are of one length, so the shares are equal.
    share_seconds = (time.monotonic() - started) / len(batch)
    return [(job.index, one, share_seconds) for job, one in zip(batch, heard, strict=True)]


def _result(clip: Clip, heard: Sequence[Heard], verdict: Verdict) -> Result:
    chosen = next((one for one in heard if one.draft is verdict.draft), None)
    text = chosen.draft.text.strip() if chosen else ""
    if chosen is None or not text:
        return Result(text="", language=None, finish_reason=verdict.finish_reason)
    draft = chosen.draft
    if chosen.words:
        segments = segments_of(
            chosen.words,
            avg_logprob=draft.avg_logprob,
            no_speech_probability=draft.no_speech_probability,
        )
    else:
        sentences = sentences_of(text)
        stretches = time_sentences([spoken_letters(one) for one in sentences], clip.samples)
        segments = tuple(
            Segment(
                start_seconds=round(stretch.start_seconds, 2),
                end_seconds=round(stretch.end_seconds, 2),
                text=sentence,
                avg_logprob=round(draft.avg_logprob, 4),
                no_speech_probability=round(draft.no_speech_probability, 4),
            )
            for sentence, stretch in zip(sentences, stretches, strict=True)
        )
    return Result(
        text=text,
        language=chosen.language,
        language_probability=chosen.language_probability,
        segments=segments,
        finish_reason=verdict.finish_reason,
    )


def _check(clip: Clip) -> None:
    """Raise ``EngineError`` for a clip that the model cannot take."""
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
    if not np.isfinite(samples).all():
        raise EngineError("A clip holds samples that are no finite numbers.")
