"""What the engine decides, as functions of plain values: no torch, no weights, no device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transcription.engines.base import EngineError

#: A tail of the text is a loop if one unit of at most so many tokens…
LOOP_UNIT_TOKENS = 32
#: …came at least so many times…
LOOP_TIMES = 6
#: …and fills at least so many tokens: "no, no, no, no, no, no" is not a loop.
LOOP_TOKENS = 32
#: The penalty on going on with a loop grows up to this many repetitions.
LOOP_PENALTY_TIMES = 8

#: What the model writes between the language and the text.
TEXT_MARKER = "<asr_text>"


@dataclass(frozen=True, kw_only=True)
class Heard:
    """An answer of the model, taken apart."""

    #: The model's name of the language; None where it heard none, or did not say.
    language_name: str | None
    #: Stripped; "" where it heard no speech.
    text: str


def choose_device(wanted: str, *, cuda_devices: int) -> str:
    """ "cpu" or "cuda:N" for a wish ("auto", "cpu", "cuda", "cuda:1").

    Raises ``EngineError`` for a device that is not there, rather than taking another one.
    """
    if wanted == "cpu" or (wanted == "auto" and not cuda_devices):
        return "cpu"
    kind, _, number = wanted.partition(":")
    if wanted == "auto":
        kind = "cuda"
    if kind != "cuda" or not (number.isdecimal() or wanted in ("auto", "cuda")):
        raise EngineError(
            f"'{wanted}' is not a device of this engine: take auto, cpu, cuda or cuda:N."
        )
    index = int(number or 0)
    if index >= cuda_devices:
        raise EngineError(
            f"The device {wanted} is wanted, but torch sees {cuda_devices} CUDA device(s). "
            "Check the driver and CUDA_VISIBLE_DEVICES, or set the device to cpu."
        )
    return f"cuda:{index}"


def choose_dtype(wanted: str, *, device: str, gpu_has_bfloat16: bool, cpu_has_int8: bool) -> str:
    """The number format for a wish and what the machine has.

    Raises ``EngineError`` for a wish that the device cannot fulfil.
    """
    on_cpu = device == "cpu"
    if wanted == "auto":
        if on_cpu:
            return "int8" if cpu_has_int8 else "float32"
        return "bfloat16" if gpu_has_bfloat16 else "float16"
    if wanted == "int8" and not on_cpu:
        raise EngineError("int8 is for the CPU; on a GPU set dtype to auto, bfloat16 or float16.")
    if wanted == "int8" and not cpu_has_int8:
        raise EngineError(
            "This torch has no fast int8 layers for this processor (fbgemm, x86 with AVX2). "
            "Set dtype to auto or float32."
        )
    if wanted == "bfloat16" and not on_cpu and not gpu_has_bfloat16:
        raise EngineError("This GPU has no bfloat16; set dtype to auto or float16.")
    return wanted


def token_cap(duration_seconds: float, *, tokens_per_second: float, tokens_reserve: int) -> int:
    """Most tokens that a text of so much audio may have; at least 1."""
    return max(1, math.ceil(duration_seconds * tokens_per_second) + tokens_reserve)


def plan_batches(
    durations_seconds: Sequence[float], *, budget_seconds: float, max_clips: int
) -> list[list[int]]:
    """Indices of clips in batches: similar lengths together, the longest first.

    A batch's padded seconds (its longest clip times its clips) stay within the budget; a clip
    longer than the budget is a batch by itself.
    """
    order = sorted(range(len(durations_seconds)), key=lambda i: (-durations_seconds[i], i))
    batches: list[list[int]] = []
    for index in order:
        if batches and len(batches[-1]) < max_clips:
            longest_seconds = durations_seconds[batches[-1][0]]
            if longest_seconds * (len(batches[-1]) + 1) <= budget_seconds:
                batches[-1].append(index)
                continue
        batches.append([index])
    return batches


def prefill_groups(lengths_tokens: Sequence[int], *, together: bool) -> list[list[int]]:
    """Indices of prompts in the groups in which the model reads them.

    ``together``: all at once, the shorter ones padded, as a GPU wants it, which waits for its
    orders more than for its sums. Otherwise without any padding: a CPU would compute all of it.
    """
    if together:
        return [list(range(len(lengths_tokens)))]
    groups: dict[int, list[int]] = {}
    for index, length in enumerate(lengths_tokens):
        groups.setdefault(length, []).append(index)
    return list(groups.values())


def halve(batch: Sequence[int]) -> list[list[int]]:
    """The batch as two, in order; raises ``ValueError`` for a batch of one."""
    if len(batch) < 2:
        raise ValueError("a batch of one clip cannot be halved")
    middle = len(batch) // 2
    return [list(batch[:middle]), list(batch[middle:])]


def tail_repetitions(tokens: Sequence[int], unit: int) -> int:
    """How many times the last ``unit`` tokens stand at the end, one after the other."""
    if unit < 1 or len(tokens) < unit:
        return 0
    last = list(tokens[-unit:])
    times, end = 1, len(tokens) - unit
    while end >= unit and list(tokens[end - unit : end]) == last:
        times, end = times + 1, end - unit
    return times


def loop_unit(tokens: Sequence[int]) -> int | None:
    """Length of the unit that the text has got stuck on, None where it has not."""
    for unit in range(1, LOOP_UNIT_TOKENS + 1):
        needed = max(LOOP_TIMES, math.ceil(LOOP_TOKENS / unit))
        if len(tokens) < unit * needed:
            # A longer unit may still fit: a single token needs 32 of them, one of 8 tokens 48.
            continue
        # The cheap question first: a unit is a loop only if its last token stood there before.
        if tokens[-1] == tokens[-1 - unit] and tail_repetitions(tokens, unit) >= needed:
            return unit
    return None


def without_loop(tokens: Sequence[int]) -> list[int]:
    """The tokens with a loop at their end reduced to its first turn."""
    unit = loop_unit(tokens)
    if unit is None:
        return list(tokens)
    return list(tokens[: len(tokens) - unit * (tail_repetitions(tokens, unit) - 1)])


def loop_penalties(tokens: Sequence[int], *, penalty: float) -> dict[int, float]:
    """What to take from the logits of the tokens that would go on with a repetition.

    A unit that stands at the end twice or more costs its first token ``penalty`` for each
    repetition, up to ``LOOP_PENALTY_TIMES`` of them; nothing else is touched, so that a text
    without a repetition is written as ever.
    """
    penalties: dict[int, float] = {}
    for unit in range(1, min(LOOP_UNIT_TOKENS, len(tokens) // 2) + 1):
        if tokens[-1] != tokens[-1 - unit]:
            continue
        times = min(tail_repetitions(tokens, unit) - 1, LOOP_PENALTY_TIMES)
        if times > 0:
            token = tokens[-unit]
            penalties[token] = max(penalties.get(token, 0.0), penalty * times)
    return penalties


def take_apart(answer: str, *, forced_language_name: str | None) -> Heard:
    """The language and the text of an answer ``language X<asr_text>text``.

    With a forced language the answer is the text alone. "None" as the language is silence. An
    answer that was cut off before the text began has none.
    """
    head, marker, tail = answer.partition(TEXT_MARKER)
    if not marker:
        unfinished = forced_language_name is None and head.lower().lstrip().startswith("language")
        head, tail = "", "" if unfinished else head
    # A cut in the middle of a character of several bytes leaves a replacement mark.
    text = tail.rstrip("\ufffd").strip()
    if forced_language_name is not None:
        return Heard(language_name=forced_language_name, text=text)
    name = head.strip().splitlines()[0] if head.strip() else ""
    if name.lower().startswith("language "):
        name = name[len("language ") :].strip()
    return Heard(language_name=None if name.lower() in ("", "none") else name, text=text)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch or of Python says that memory ran out, on whatever device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        sign in message
        for sign in (
            "out of memory",
            "can't allocate memory",
            "not enough memory",
            "cublas_status_alloc_failed",
            "cudnn_status_alloc_failed",
        )
    )
