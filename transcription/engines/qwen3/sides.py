"""Our batches and transformers' own generation, to be measured against each other.

    python -m transcription.engines.qwen3.sides    (a job of ``management.benchmarks.batches``)

A comparison of speeds needs the same number of tokens from everybody. The engine has no way to
ask for that, and must not have: here its parts are driven directly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from transcription.engines.base import Clip
from transcription.engines.qwen3 import decisions
from transcription.engines.qwen3.checkpoint import Checkpoint, load_checkpoint
from transcription.engines.qwen3.int8 import cpu_has_int8
from transcription.engines.qwen3.options import Qwen3AsrOptions
from transcription.engines.qwen3.recognizer import Recognizer, Request, Writing
from transcription.engines.side import Work, serve


class FixedLengthWriting(Writing):
    """Writes as many tokens as are allowed, past ends and loops."""

    def write(self, row: int, token: int, logprob: float) -> bool:
        """Add the token to the answer; whether it has all its tokens."""
        answer = self.answers[row]
        answer.tokens.append(token)
        answer.logprob += logprob
        if len(answer.tokens) == self.requests[row].max_tokens:
            answer.finish_reason = "length"
        return answer.finish_reason is not None


class FixedLengthRecognizer(Recognizer):
    """A recogniser whose answers have exactly ``max_tokens`` tokens: for measuring alone."""

    def begin(self, prompts: Sequence[torch.Tensor], requests: Sequence[Request]) -> Writing:
        """Read the prompts; the rows are ready for their first token."""
        return FixedLengthWriting(self.checkpoint, prompts, requests)


def our_batches(
    recognizer: Recognizer, clips: Sequence[Clip], *, tokens: int, options: Qwen3AsrOptions
) -> Work:
    """Work through clips in the batches that the engine would make with these options."""

    def work(numbers: Sequence[int]) -> list[int]:
        written = dict.fromkeys(numbers, 0)
        for batch in decisions.plan_batches(
            [clips[number].duration_seconds for number in numbers],
            budget_seconds=options.max_batch_seconds,
            max_clips=options.max_batch_clips,
        ):
            places = [numbers[place] for place in batch]
            answers = recognizer.answer(
                [
                    Request(clip=clips[number], language_name=None, max_tokens=tokens)
                    for number in places
                ]
            )
            written |= {
                number: len(answer.tokens) for number, answer in zip(places, answers, strict=True)
            }
        return [written[number] for number in numbers]

    return work


def one_after_another(checkpoint: Checkpoint, clips: Sequence[Clip], *, tokens: int) -> Work:
    """Work through clips by transformers' own ``generate``, one at a time, as a pipeline does."""
    model = checkpoint.model

    def work(numbers: Sequence[int]) -> list[int]:
        written = []
        for number in numbers:
            inputs = checkpoint.processor.apply_transcription_request([clips[number].samples])
            inputs = inputs.to(model.device, model.dtype)
            with torch.inference_mode():
                made = model.generate(
                    **inputs, do_sample=False, min_new_tokens=tokens, max_new_tokens=tokens
                )
            written.append(made.shape[1] - inputs["input_ids"].shape[1])
        return written

    return work


def load(job: Mapping[str, Any]) -> tuple[Work, Mapping[str, Any]]:
    """What a job of the benchmark describes, and the device and dtype that it came to."""
    torch.set_num_threads(job["threads"])
    device = decisions.choose_device(job["device"], cuda_devices=torch.cuda.device_count())
    dtype = decisions.choose_dtype(
        job["dtype"],
        device=device,
        gpu_has_bfloat16=device != "cpu"
        and torch.cuda.is_bf16_supported(including_emulation=False),
        cpu_has_int8=cpu_has_int8(),
    )
    with np.load(job["clips"]) as stored:
        clips = [Clip(samples=stored[name]) for name in sorted(stored.files)]
    checkpoint = load_checkpoint(Path(job["weights"]), device=device, dtype=dtype, attention="sdpa")
    if job["side"] == "one_after_another":
        work = one_after_another(checkpoint, clips, tokens=job["tokens"])
    else:
        recognizer = FixedLengthRecognizer(
            checkpoint, device=device, dtype=dtype, max_context_tokens=1
        )
        options = Qwen3AsrOptions(**job["options"])
        work = our_batches(recognizer, clips, tokens=job["tokens"], options=options)
    return work, {"device": device, "dtype": dtype, "memory_bytes": checkpoint.memory_bytes}


if __name__ == "__main__":
    serve(load)
