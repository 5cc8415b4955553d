"""From a folder that was found whole to a model in memory, or an error in words."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import Qwen3ASRForConditionalGeneration, Qwen3ASRProcessor

from transcription.engines.base import EngineError, WeightsError
from transcription.engines.qwen3.decisions import TEXT_MARKER, is_out_of_memory
from transcription.engines.qwen3.files import HOW_TO_GET
from transcription.engines.qwen3.int8 import memory_bytes, to_int8

#: While the library builds a model it changes torch's default number format, which belongs to the
#: whole process. Held meanwhile, and by every batch: a service loads new weights while the old
#: ones serve, and numbers of another precision could come into their batch.
DEFAULT_DTYPE_LOCK = threading.RLock()

#: Before it, the language hint went into the wrong turn of the conversation.
OLDEST_TRANSFORMERS = (5, 15)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model that is ready to recognise, and the processor that belongs to it."""

    model: Any
    processor: Any
    #: Tokens that end a text.
    end_tokens: frozenset[int]
    #: Token that stands where a frame of audio comes in.
    audio_token: int
    #: Token between the language and the text.
    marker_token: int
    memory_bytes: int


@cache
def built_between_batches(kind: Any) -> Any:
    """The library's class ``kind``; what it changes for the whole process, between batches."""

    class Built(kind):
        @classmethod
        def get_init_context(cls, *args: Any, **kwargs: Any) -> list[Any]:
            return [DEFAULT_DTYPE_LOCK, *super().get_init_context(*args, **kwargs)]

    # The library knows its classes by their names.
    Built.__name__ = kind.__name__
    return Built


def load_checkpoint(folder: Path, *, device: str, dtype: str, attention: str) -> Checkpoint:
    """Read the model and the processor; ``device`` and ``dtype`` are decided already.

    Raises ``WeightsError`` for weights that do not fit the architecture to the last key, and
    ``EngineError`` for a library that is missing or too old.
    """
    check_libraries(transformers.__version__, attention=attention, device=device)
    with quiet_library():
        processor = read_processor(folder)
        model = read_model(
            folder,
            Qwen3ASRForConditionalGeneration,
            device=device,
            dtype=dtype,
            attention=attention,
        )
    tokens = _special_tokens(folder, model, processor)
    return Checkpoint(model=model, processor=processor, memory_bytes=memory_bytes(model), **tokens)


@contextmanager
def quiet_library() -> Iterator[None]:
    """No progress bars and tables in a service's log: what they tell, our errors say in words."""
    before = transformers.utils.logging.get_verbosity()
    bars = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.utils.logging.set_verbosity(before)
        if bars:
            transformers.utils.logging.enable_progress_bar()


def check_libraries(transformers_version: str, *, attention: str, device: str) -> None:
    """Raise ``EngineError`` if this transformers or the attention wanted cannot serve."""
    numbers = tuple(int(part) for part in transformers_version.split(".")[:2] if part.isdecimal())
    if numbers < OLDEST_TRANSFORMERS:
        raise EngineError(
            f"transformers {transformers_version} is too old for Qwen3-ASR: before 5.15 it put the "
            "language hint into the wrong place. Install what requirements.txt lists."
        )
    if attention == "flash_attention_2":
        if device == "cpu":
            raise EngineError("flash_attention_2 needs a GPU; set attention to sdpa.")
        if importlib.util.find_spec("flash_attn") is None:
            raise EngineError(
                "attention is flash_attention_2, but the package flash-attn is not installed. "
                "Install it, or set attention to sdpa."
            )


def read_processor(folder: Path, *, how_to_get: str = HOW_TO_GET) -> Any:
    """The processor in a folder. Raises ``WeightsError`` if it cannot be read."""
    try:
        return Qwen3ASRProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the library raises a dozen kinds for a damaged file
        raise WeightsError(
            f"The tokenizer or the processor in {folder} cannot be read: {error} {how_to_get}"
        ) from error


def read_model(
    folder: Path,
    kind: Any,
    *,
    device: str,
    dtype: str,
    attention: str,
    how_to_get: str = HOW_TO_GET,
) -> Any:
    """The model in a folder, of the class ``kind``, ready to compute.

    Raises ``WeightsError`` for weights that do not fit it to the last key.
    """
    # int8 is made from what is stored, one layer at a time.
    load_dtype = "auto" if dtype == "int8" else getattr(torch, dtype)
    loaded: Any
    try:
        loaded = built_between_batches(kind).from_pretrained(
            folder,
            dtype=load_dtype,
            attn_implementation=attention,
            device_map={"": device},
            local_files_only=True,
            use_safetensors=True,
            # Reported with the other misfits, by name, and refused below.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise WeightsError(
            f"The weights in {folder} cannot be loaded: {error} {how_to_get}"
        ) from error
    model, report = loaded
    complaint = misfits(report)
    if complaint:
        raise WeightsError(
            f"The weights in {folder} do not fit the architecture of Qwen3-ASR: {complaint}. "
            f"What is missing would be random, and so would what it says. {how_to_get}"
        )
    model.eval().requires_grad_(False)
    if dtype == "int8":
        to_int8(model)
    return model


def misfits(report: Mapping[str, Any]) -> str:
    """What transformers' loading report complains of, in words; "" if nothing."""
    kinds = (
        ("missing_keys", "missing"),
        ("unexpected_keys", "unknown"),
        ("mismatched_keys", "of another shape"),
        ("error_msgs", "wrong"),
    )
    parts = []
    for field, word in kinds:
        found = sorted(
            str(entry[0] if isinstance(entry, tuple) else entry) for entry in report.get(field, ())
        )
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            parts.append(f"{word}: {', '.join(found[:3])}{more}")
    return "; ".join(parts)


def _special_tokens(folder: Path, model: Any, processor: Any) -> dict[str, Any]:
    """The tokens that recognition needs, once the tokenizer and the model agree on them."""
    tokenizer, config = processor.tokenizer, model.config
    marker = tokenizer.convert_tokens_to_ids(TEXT_MARKER)
    agree = (
        isinstance(marker, int)
        and tokenizer.decode([marker]) == TEXT_MARKER
        and processor.audio_token_id == config.audio_token_id
        and len(tokenizer) <= config.text_config.vocab_size
    )
    if not agree:
        raise WeightsError(
            f"The tokenizer in {folder} does not belong to its model: their special tokens "
            f"differ. {HOW_TO_GET}"
        )
    ends = model.generation_config.eos_token_id or config.eos_token_id
    return {
        "end_tokens": frozenset([ends] if isinstance(ends, int) else ends),
        "audio_token": int(config.audio_token_id),
        "marker_token": marker,
    }
