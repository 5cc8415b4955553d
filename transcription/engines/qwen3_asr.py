"""Qwen3-ASR by transformers' own classes: checkpoints ``Qwen/Qwen3-ASR-*-hf``.

Nothing heavy is imported before ``load``: the process that forks the workers, and one that only
asks whether the options are right, stay without torch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from transcription.engines.base import (
    SAMPLE_RATE_HZ,
    Clip,
    EngineConfig,
    EngineError,
    EngineMemoryError,
    Loaded,
    Result,
    WeightsError,
)
from transcription.engines.options import read_options, text_options
from transcription.engines.qwen3 import decisions
from transcription.engines.qwen3.aligning import Aligning, Spoken
from transcription.engines.qwen3.files import HOW_TO_GET_ALIGNER, checked_files, weights_bytes
from transcription.engines.qwen3.languages import LANGUAGE_NAMES, code_of, known_code, name_of
from transcription.engines.qwen3.memory import forget_frames, give_back_memory
from transcription.engines.qwen3.options import Qwen3AsrOptions
from transcription.engines.qwen3.segments import timed_segments
from transcription.engines.weights import load_digest, weights_digest

if TYPE_CHECKING:
    from transcription.engines.qwen3.recognizer import Answer, Recognizer, Request

logger = logging.getLogger(__name__)

#: Raised by one whenever this engine writes another text for the same clip.
REVISION = 1
#: How often a clip that is alone in its batch is tried when memory runs out: what another
#: process took may be free again.
_TRIES_ALONE = 3
#: After running out of memory the budget is halved, and grows back with every batch that fits.
_BUDGET_GROWTH = 1.1


class Qwen3AsrEngine:
    """The engine named ``qwen3_asr``; see ``transcription.engines.base.Engine``."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.options = read_options(Qwen3AsrOptions, config.options, engine="qwen3_asr")
        self.max_clip_seconds = self.options.max_clip_seconds
        self._recognizer: Recognizer | None = None
        self._aligning: Aligning | None = None
        self._budget_seconds = self.options.max_batch_seconds

    @property
    def gives_words(self) -> bool:
        """Whether there is an aligner that nothing speaks against; see ``Engine``."""
        return self._aligning is not None and not self._aligning.broken

    def estimate_memory_bytes(self) -> int:
        """Bytes of the weights in the wanted number format; see ``Engine``."""
        folder, _names = checked_files(self.config.weights_dir)
        return weights_bytes(folder, self.options.dtype)

    def load(self) -> Loaded:
        """Bring the weights into memory and recognise one second of silence with them.

        The aligner's files are checked, and its weights are left for the first clip that asks for
        words. What is wrong with them is no reason not to recognise: then there are no words, and
        ``Loaded`` says why.

        Raises ``WeightsError`` naming what is missing, damaged or of another layout, and
        ``EngineError`` for a device or a number format that the machine has not.
        """
        started = time.monotonic()
        self.unload()
        folder, names = checked_files(self.config.weights_dir)
        weights = weights_digest(folder, names)

        import torch

        from transcription.engines.qwen3.checkpoint import load_checkpoint
        from transcription.engines.qwen3.int8 import cpu_has_int8
        from transcription.engines.qwen3.recognizer import Recognizer

        if self.config.threads:
            torch.set_num_threads(self.config.threads)
        cuda_devices = torch.cuda.device_count() if self.config.device != "cpu" else 0
        device = decisions.choose_device(self.config.device, cuda_devices=cuda_devices)
        on_gpu = device != "cpu"
        dtype = decisions.choose_dtype(
            self.options.dtype,
            device=device,
            gpu_has_bfloat16=on_gpu and torch.cuda.is_bf16_supported(including_emulation=False),
            cpu_has_int8=cpu_has_int8(),
        )
        try:
            checkpoint = load_checkpoint(
                folder, device=device, dtype=dtype, attention=self.options.attention
            )
            recognizer = Recognizer(
                checkpoint,
                device=device,
                dtype=dtype,
                max_context_tokens=self.options.max_context_tokens,
            )
            self._warm_up(recognizer)
        except Exception as error:
            checkpoint = recognizer = None  # type: ignore[assignment]
            forget_frames(error)
            give_back_memory()
            if not decisions.is_out_of_memory(error):
                raise
            raise EngineMemoryError(
                f"{folder.name} does not fit into the memory of {device} as {dtype}: {error} "
                "Free some, take a smaller model, or another dtype."
            ) from error
        self._recognizer = recognizer
        self._budget_seconds = self.options.max_batch_seconds
        self._aligning, no_words_because = self._look_for_aligner(device=device, dtype=dtype)
        options = {**text_options(self.options), "dtype": dtype, "revision": REVISION}
        if self._aligning is not None:
            options["aligner"] = self._aligning.digest
        return Loaded(
            digest=load_digest(engine="qwen3_asr", weights=weights, options=options),
            device=device,
            dtype=dtype,
            memory_bytes=checkpoint.memory_bytes,
            load_seconds=time.monotonic() - started,
            words=self.gives_words,
            no_words_because=no_words_because,
        )

    def _look_for_aligner(self, *, device: str, dtype: str) -> tuple[Aligning | None, str]:
        """The aligner, its files checked; None and the reason where there is none to use."""
        if self.config.aligner_dir is None:
            return None, f"There is no forced aligner. {HOW_TO_GET_ALIGNER}"
        try:
            aligning = Aligning(
                self.config.aligner_dir,
                device=device,
                dtype=dtype,
                attention=self.options.attention,
                max_batch_seconds=self.options.max_batch_seconds,
                max_batch_clips=self.options.max_batch_clips,
            )
        except WeightsError as error:
            logger.error("There are no times of words: %s", error)
            return None, str(error)
        return aligning, ""

    def transcribe(self, clips: Sequence[Clip]) -> list[Result]:
        """Write a text for each clip; see ``Engine.transcribe``.

        However many clips: they go through the model in batches of similar length, within
        ``max_batch_seconds``, and in smaller ones when memory runs out. Raises ``EngineError``
        for a clip that is too long, asks for words where ``gives_words`` is false, or insists on
        an unknown language, before anything is recognised; ``EngineMemoryError`` when not even
        one clip fits.
        """
        if self._recognizer is None:
            raise EngineError("The engine qwen3_asr is not loaded. Call load() first.")
        for clip in clips:
            self._check(clip)
        first_answers = self._answer([self._first_request(clip) for clip in clips])
        again = {
            place: second_request
            for place, (request, answer, _) in enumerate(first_answers)
            if (second_request := self._second_request(request, answer)) is not None
        }
        second_answers = dict(zip(again, self._answer(list(again.values())), strict=True))
        results = []
        for place, (request, answer, spent_seconds) in enumerate(first_answers):
            if place in second_answers:
                asked_again, second_answer, more_seconds = second_answers[place]
                spent_seconds += more_seconds
                if _is_better(answer, second_answer):
                    request, answer = asked_again, second_answer
            results.append(self._result(request, answer, spent_seconds))
        return self._with_words(clips, results)

    def _with_words(self, clips: Sequence[Clip], results: list[Result]) -> list[Result]:
        """The results, with times of words for the clips that ask for them."""
        places = [place for place, clip in enumerate(clips) if clip.words and results[place].text]
        if self._aligning is None or not places:
            return results
        started = time.monotonic()
        found = self._aligning.segments(
            [
                Spoken(
                    samples=clips[place].samples,
                    text=results[place].text,
                    language=results[place].language,
                    avg_logprob=results[place].segments[0].avg_logprob,
                )
                for place in places
            ]
        )
        spent_seconds = time.monotonic() - started
        weights = {place: clips[place].duration_seconds + 0.1 for place in places}
        for place, segments in zip(places, found, strict=True):
            result = results[place]
            share = weights[place] / sum(weights.values())
            results[place] = replace(
                result,
                segments=segments or result.segments,
                engine_seconds=result.engine_seconds + spent_seconds * share,
            )
        return results

    def unload(self) -> None:
        """Give the memory back; ``load`` may be called again."""
        if self._recognizer is not None:
            self._recognizer = self._aligning = None
            give_back_memory()

    def _check(self, clip: Clip) -> None:
        """Raise ``EngineError`` for a clip that cannot be served as it is asked."""
        if clip.duration_seconds > self.max_clip_seconds:
            raise EngineError(
                f"A clip of {clip.duration_seconds:.1f} s is longer than the "
                f"{self.max_clip_seconds:g} s that this engine takes. Cut it first."
            )
        if clip.words and not self.gives_words:
            because = self._aligning.broken if self._aligning else HOW_TO_GET_ALIGNER
            raise EngineError(
                "Qwen3-ASR gives no times of single words without the weights of the forced "
                f"aligner, and this engine has none that it can use. {because} Or ask for "
                "segments alone, or use another model."
            )
        if clip.language is not None:
            name_of(clip.language)

    def _first_request(self, clip: Clip) -> Request:
        from transcription.engines.qwen3.recognizer import Request

        return Request(
            clip=clip,
            language_name=None if clip.language is None else name_of(clip.language),
            max_tokens=decisions.token_cap(
                clip.duration_seconds,
                tokens_per_second=self.options.tokens_per_second,
                tokens_reserve=self.options.tokens_reserve,
            ),
        )

    def _second_request(self, request: Request, answer: Answer) -> Request | None:
        """What to ask once more about a clip, None where the first answer stands."""
        if answer.finish_reason == "repetition" and self.options.loop_penalty:
            return replace(request, loop_penalty=self.options.loop_penalty)
        likely = known_code(request.clip.likely_language)
        probability = answer.language_probability
        if request.language_name is None and likely and probability is not None:
            detected = self._heard(request, answer).language_name
            if (
                detected is not None
                and detected != LANGUAGE_NAMES[likely]
                and probability < self.options.language_threshold
            ):
                return replace(request, language_name=LANGUAGE_NAMES[likely])
        return None

    def _answer(self, requests: Sequence[Request]) -> list[tuple[Request, Answer, float]]:
        """Answers in the order of the requests, each with its share of the seconds spent."""
        durations = [request.clip.duration_seconds for request in requests]
        answers: dict[int, tuple[Answer, float]] = {}
        waiting = self._plan(range(len(requests)), durations)
        tries_alone = 0
        started = time.monotonic()
        while waiting:
            batch = waiting.pop(0)
            done = self._answer_batch([requests[index] for index in batch])
            if done is None:
                give_back_memory()
                if len(batch) == 1:
                    tries_alone += 1
                    if tries_alone == _TRIES_ALONE:
                        raise EngineMemoryError(
                            f"Not even one clip of {durations[batch[0]]:.1f} s fits into the "
                            "memory of the device. Free some, or cut shorter clips."
                        )
                    waiting.insert(0, batch)
                    continue
                padded_seconds = max(durations[index] for index in batch) * len(batch)
                self._budget_seconds = min(self._budget_seconds, padded_seconds) / 2
                logger.warning(
                    "out of memory with %d clips of up to %.1f s: going on with half as many",
                    len(batch),
                    max(durations[index] for index in batch),
                )
                halves = decisions.halve(batch)
                rest = [index for other in waiting for index in other]
                waiting = [*halves, *self._plan(rest, durations)]
                continue
            tries_alone = 0
            self._budget_seconds = min(
                self._budget_seconds * _BUDGET_GROWTH, self.options.max_batch_seconds
            )
            # What was tried in vain on the way is on the bill of the batch that came through.
            spent_seconds = time.monotonic() - started
            started += spent_seconds
            # A clip without samples costs something too.
            weights = [durations[index] + 0.1 for index in batch]
            for index, answer, weight in zip(batch, done, weights, strict=True):
                answers[index] = answer, spent_seconds * weight / sum(weights)
        return [(request, *answers[index]) for index, request in enumerate(requests)]

    def _answer_batch(self, requests: Sequence[Request]) -> list[Answer] | None:
        """The answers, or None when memory ran out on the way."""
        assert self._recognizer is not None
        try:
            return self._recognizer.answer(requests)
        except Exception as error:
            if not decisions.is_out_of_memory(error):
                raise
            # Not handled here: while the error is, its traceback holds the batch in memory.
            return None

    def _plan(self, indices: Sequence[int], durations: Sequence[float]) -> list[list[int]]:
        batches = decisions.plan_batches(
            [durations[index] for index in indices],
            budget_seconds=self._budget_seconds,
            max_clips=self.options.max_batch_clips,
        )
        return [[indices[place] for place in batch] for batch in batches]

    def _heard(self, request: Request, answer: Answer) -> decisions.Heard:
        assert self._recognizer is not None
        return decisions.take_apart(
            self._recognizer.text_of(decisions.without_loop(answer.tokens)),
            forced_language_name=request.language_name,
        )

    def _result(self, request: Request, answer: Answer, engine_seconds: float) -> Result:
        assert answer.finish_reason is not None
        heard = self._heard(request, answer)
        language = None
        if heard.text:
            language = code_of(heard.language_name or "")
        detected = heard.text and request.language_name is None
        return Result(
            text=heard.text,
            language=language,
            language_probability=answer.language_probability if detected else None,
            segments=timed_segments(
                heard.text, request.clip.samples, avg_logprob=answer.mean_logprob
            ),
            finish_reason=answer.finish_reason,
            engine_seconds=engine_seconds,
        )

    def _warm_up(self, recognizer: Recognizer) -> None:
        """Recognise a second of silence: what cannot work fails now, not at the first upload.

        Raises ``WeightsError`` for weights that compute no numbers.
        """
        clip = Clip(samples=np.zeros(SAMPLE_RATE_HZ, np.float32))
        (answer,) = recognizer.answer([self._first_request(clip)])
        if not np.isfinite(answer.logprob):
            raise WeightsError(
                f"The weights in {self.config.weights_dir} compute no numbers (not a number, or "
                "infinite): they are damaged, or need another dtype than "
                f"{str(recognizer.dtype).removeprefix('torch.')}."
            )


def _is_better(first: Answer, second: Answer) -> bool:
    """Whether a second answer replaces the first: not if it ended no better than a loop did."""
    return first.finish_reason != "repetition" or second.finish_reason == "eos"
