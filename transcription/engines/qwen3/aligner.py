"""When each word was said: audio and text in, times out, by the forced aligner.

One pass and no loop: behind every word of the text stand two marks, and at each the model says in
which step of 80 ms it lies, the word's start and its end. As in ``recognizer``, a clip's features
and its encoding are computed for it alone. The decoder looks back only, so that padding on the
right is never seen, and a clip has the same times in any company.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from transformers import Qwen3ASRForTokenClassification

from transcription.engines.base import WeightsError
from transcription.engines.qwen3.checkpoint import (
    check_libraries,
    quiet_library,
    read_model,
    read_processor,
)
from transcription.engines.qwen3.files import HOW_TO_GET_ALIGNER
from transcription.engines.qwen3.int8 import memory_bytes

#: Longest clip that the aligner was trained for.
MAX_ALIGNED_SECONDS = 180.0
_MARK = "<timestamp>"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One clip whose words are to get their times."""

    #: float32, shape (samples,), mono, 16 kHz.
    samples: npt.NDArray[np.float32]
    text: str
    #: The model's name of the language, one that the aligner knows.
    language_name: str


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What the aligner says of one clip."""

    #: The words without their marks, as the aligner divides the text.
    units: tuple[str, ...]
    #: Start and end of each unit, in seconds, never going back.
    times_seconds: tuple[tuple[float, float], ...]


class Aligner:
    """A loaded aligner on its device."""

    def __init__(self, model: Any, processor: Any, *, device: str, dtype: str) -> None:
        self.model = model
        self.processor = processor
        self.device = torch.device(device)
        #: int8 layers take and give float32.
        self.dtype = torch.float32 if dtype == "int8" else getattr(torch, dtype)
        self.memory_bytes = memory_bytes(model)
        #: Beyond this there is no step to name.
        self.max_seconds = min(
            MAX_ALIGNED_SECONDS, model.config.num_labels * processor.timestamp_segment_time / 1000
        )

    def units(self, question: Question) -> list[str]:
        """The words of the text, without their marks, as the aligner is asked about them.

        Raises ``ImportError`` for Japanese without the package nagisa and for Korean without
        soynlp.
        """
        return list(self.processor.split_words_for_alignment(question.text, question.language_name))

    @torch.inference_mode()
    def align(self, questions: Sequence[Question]) -> list[Timed]:
        """Times for the words of all questions, in one pass of the decoder.

        Each question has a word at least, and is not longer than ``max_seconds``. Raises
        ``WeightsError`` for weights that compute no numbers, and what torch raises when memory
        runs out.
        """
        prepared = [self._prepared(question) for question in questions]
        rows = [embedded for embedded, _, _ in prepared]
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        inputs = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        places = torch.arange(inputs.shape[1], device=self.device)
        hidden = self.model.model.language_model(
            inputs_embeds=inputs,
            attention_mask=(places < lengths.unsqueeze(1)).long(),
            use_cache=False,
        ).last_hidden_state
        return [
            self._timed(hidden[row, : len(tokens)], tokens, units)
            for row, (_, tokens, units) in enumerate(prepared)
        ]

    def _prepared(self, question: Question) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
        """The embedded prompt with the heard audio in it, its tokens, and its units."""
        inputs, (units,) = self.processor.prepare_forced_aligner_inputs(
            [question.samples], [question.text], [question.language_name]
        )
        heard = self.model.model.get_audio_features(
            inputs["input_features"].to(self.device, self.dtype),
            inputs["input_features_mask"].to(self.device),
        ).pooler_output
        tokens = inputs["input_ids"][0].to(self.device)
        embedded: torch.Tensor = self.model.get_input_embeddings()(tokens)
        is_audio = (tokens == self.model.config.audio_token_id).unsqueeze(-1)
        return embedded.masked_scatter(is_audio, heard.to(embedded.dtype)), tokens, units

    def _timed(self, hidden: torch.Tensor, tokens: torch.Tensor, units: list[str]) -> Timed:
        """The times at the marks; those that go back are mended as the library mends them."""
        marks = tokens == self.model.config.timestamp_token_id
        # At the marks alone: 5,000 steps for each of 2,500 tokens would be 50 MB a clip.
        logits = self.model.score(hidden[marks])
        if not torch.isfinite(logits).all():
            raise WeightsError(
                f"The aligner in {self.model.name_or_path} computes no numbers (not a number, or "
                f"infinite): it is damaged, or needs another dtype. {HOW_TO_GET_ALIGNER}"
            )
        (words,) = self.processor.decode_forced_alignment(
            logits=logits.unsqueeze(0),
            input_ids=tokens[marks].unsqueeze(0),
            word_lists=[units],
            timestamp_token_id=self.model.config.timestamp_token_id,
        )
        return Timed(
            units=tuple(units),
            times_seconds=tuple((word["start_time"], word["end_time"]) for word in words),
        )


def load_aligner(folder: Path, *, device: str, dtype: str, attention: str) -> Aligner:
    """Read the aligner in ``folder``, which is known to be whole.

    Raises ``WeightsError`` for weights that do not fit the architecture to the last key, or that
    have another tokenizer, and ``EngineError`` for a library that is missing or too old.
    """
    check_libraries(transformers.__version__, attention=attention, device=device)
    with quiet_library():
        processor = read_processor(folder, how_to_get=HOW_TO_GET_ALIGNER)
        model = read_model(
            folder,
            Qwen3ASRForTokenClassification,
            device=device,
            dtype=dtype,
            attention=attention,
            how_to_get=HOW_TO_GET_ALIGNER,
        )
    config, tokenizer = model.config, processor.tokenizer
    agree = (
        tokenizer.convert_tokens_to_ids(_MARK) == config.timestamp_token_id
        and processor.audio_token_id == config.audio_token_id
        and len(tokenizer) <= config.text_config.vocab_size
    )
    if not agree:
        raise WeightsError(
            f"The tokenizer in {folder} does not belong to its model: their special tokens "
            f"differ. {HOW_TO_GET_ALIGNER}"
        )
    return Aligner(model, processor, device=device, dtype=dtype)
