"""The package's batch on random weights of a checkpoint's shape: a side of the benchmark.

…/python -m tools.qwen_asr.side    (in the environment of ``venv.sh``, in the project's folder)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Qwen2TokenizerFast, WhisperFeatureExtractor

from qwen_asr import Qwen3ASRModel
from qwen_asr.core.transformers_backend import (
    Qwen3ASRConfig,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRProcessor,
)
from transcription.engines.side import Work, serve

SAMPLE_RATE_HZ = 16_000
NAMED_TOKENS = ("audio_token", "audio_bos_token", "audio_eos_token")


def random_model(shape: Mapping[str, Any], *, dtype: torch.dtype) -> Any:
    """A model of the shape in a ``config.json`` of the ``-hf`` layout."""
    text = {key: value for key, value in shape["text_config"].items() if key != "rope_parameters"}
    text["rope_theta"] = shape["text_config"]["rope_parameters"]["rope_theta"]
    # As the published checkpoints of the package's layout have it.
    text["rope_scaling"] = {
        "rope_type": "default",
        "mrope_interleaved": True,
        "mrope_section": [24, 20, 20],
    }
    audio = {
        key: value
        for key, value in shape["audio_config"].items()
        if key not in ("max_position_embeddings", "model_type", "initializer_range")
    }
    config = Qwen3ASRConfig(
        thinker_config={
            "audio_config": audio,
            "text_config": text,
            "audio_token_id": shape["audio_token_id"],
            "tie_word_embeddings": True,
            "pad_token_id": shape["pad_token_id"],
        }
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        torch.manual_seed(1)
        return Qwen3ASRForConditionalGeneration._from_config(
            config, attn_implementation="sdpa"
        ).eval()
    finally:
        torch.set_default_dtype(before)


def processor_of(folder: Path) -> Qwen3ASRProcessor:
    """The package's processor on the tokenizer of a checkpoint."""
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    tokenizer = Qwen2TokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        pad_token=settings["pad_token"],
        extra_special_tokens={name: settings[name] for name in NAMED_TOKENS},
    )
    return Qwen3ASRProcessor(
        feature_extractor=WhisperFeatureExtractor(feature_size=128),
        tokenizer=tokenizer,
        chat_template=(folder / "chat_template.jinja").read_text(encoding="utf-8"),
    )


def load(job: Mapping[str, Any]) -> tuple[Work, Mapping[str, Any]]:
    """The package's own ``transcribe`` with all of its defaults but the number of tokens."""
    torch.set_num_threads(job["threads"])
    folder = Path(job["weights"])
    shape = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = random_model(shape, dtype=getattr(torch, job["dtype"])).to(job["device"])
    with np.load(job["clips"]) as stored:
        clips = [stored[name] for name in sorted(stored.files)]
    package = Qwen3ASRModel(
        backend="transformers",
        model=model,
        processor=processor_of(folder),
        max_inference_batch_size=32,
        max_new_tokens=job["tokens"],
    )
    written: list[int] = []
    generate = model.generate

    def counted(**inputs: Any) -> Any:
        made = generate(**inputs)
        rows, length = made.sequences.shape
        written.extend([length - inputs["input_ids"].shape[1]] * rows)
        return made

    model.generate = counted

    def work(numbers: Sequence[int]) -> list[int]:
        written.clear()
        package.transcribe([(clips[number], SAMPLE_RATE_HZ) for number in numbers])
        return list(written)

    parameters = sum(weight.numel() for weight in model.parameters())
    return work, {"device": job["device"], "dtype": job["dtype"], "parameters": parameters}


if __name__ == "__main__":
    serve(load)
