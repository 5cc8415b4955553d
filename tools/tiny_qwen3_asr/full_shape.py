"""Write a checkpoint with the shape of a real Qwen3-ASR and random weights.

    python -m tools.tiny_qwen3_asr.full_shape FOLDER --size 0.6b

For what does not depend on what the model says: memory, speed, loading. The tokenizer is that of
the tiny models, within the vocabulary of the real one. 1.6 GB for 0.6b, 4.1 GB for 1.7b.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3ASRConfig, Qwen3ASRForConditionalGeneration

from tools.tiny_qwen3_asr.checkpoint import make_processor

#: Widths of the published checkpoints Qwen/Qwen3-ASR-0.6B-hf and -1.7B-hf.
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "0.6b": (
        {
            "d_model": 896,
            "encoder_layers": 18,
            "encoder_attention_heads": 14,
            "encoder_ffn_dim": 3584,
            "output_dim": 1024,
        },
        {"hidden_size": 1024, "intermediate_size": 3072},
    ),
    "1.7b": (
        {
            "d_model": 1024,
            "encoder_layers": 24,
            "encoder_attention_heads": 16,
            "encoder_ffn_dim": 4096,
            "output_dim": 2048,
        },
        {"hidden_size": 2048, "intermediate_size": 6144},
    ),
}


#: Layers of the text model, at both sizes.
TEXT_LAYERS = 28


def write_random_checkpoint(folder: Path, *, size: str, layers: int | None = None) -> int:
    """Write the folder, weights in bfloat16; the number of parameters.

    ``layers``: at most so many in the encoder and in the text model, all widths as they are.
    """
    audio, text = SHAPES[size]
    if layers is not None:
        audio = {**audio, "encoder_layers": min(layers, audio["encoder_layers"])}
    processor = make_processor()
    ids = processor.tokenizer.convert_tokens_to_ids
    config = Qwen3ASRConfig(
        audio_config={"model_type": "qwen3_asr_encoder", **audio},
        text_config={
            "model_type": "qwen3",
            "vocab_size": 151_936,
            "num_hidden_layers": TEXT_LAYERS if layers is None else min(layers, TEXT_LAYERS),
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 65_536,
            "tie_word_embeddings": True,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0},
            **text,
        },
        audio_token_id=ids("<|audio_pad|>"),
        timestamp_token_id=ids("<timestamp>"),
        pad_token_id=ids("<|im_end|>"),
        eos_token_id=[ids("<|endoftext|>"), ids("<|im_end|>")],
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        torch.manual_seed(1)
        model = Qwen3ASRForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return sum(weight.numel() for weight in model.parameters())


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one checkpoint."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=sorted(SHAPES), default="0.6b")
    parser.add_argument("--layers", type=int, help="At most so many, for a smaller file.")
    options = parser.parse_args(arguments)
    parameters = write_random_checkpoint(options.folder, size=options.size, layers=options.layers)
    sys.stdout.write(f"{parameters:,} parameters written to {options.folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
