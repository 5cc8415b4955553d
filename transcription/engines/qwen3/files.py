"""Is a folder a Qwen3-ASR checkpoint that can be loaded? Standard library only.

The question is asked before anything is loaded, because the library answers it badly: the
original layout (``thinker_config``, repositories without ``-hf``) loads without an exception
and with random weights, and a half-copied file fails with a message about a header.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from transcription.engines.base import WeightsError
from transcription.engines.weights import require_files

HOW_TO_GET = (
    "Fetch the model with `manage.py fetch_model`, or copy every file of the repository "
    "Qwen/Qwen3-ASR-1.7B-hf or Qwen/Qwen3-ASR-0.6B-hf into the folder."
)

#: What a folder needs beside its weights; ``a|b``: one of the two is enough.
NEEDED_FILES = (
    "config.json",
    "tokenizer.json|vocab.json",
    "tokenizer_config.json",
    "processor_config.json|preprocessor_config.json",
    "chat_template.jinja|chat_template.json",
)
_WEIGHTS_NAME = "model.safetensors"
_INDEX_NAME = "model.safetensors.index.json"
#: Files that may be there and change the text if they do.
_OPTIONAL_FILES = (
    "generation_config.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)


def checked_files(folder: Path | None) -> tuple[Path, tuple[str, ...]]:
    """The folder and the names of the files that make the text, once they are seen to be whole.

    Raises ``WeightsError`` that names what is missing, cut off, or of another layout.
    """
    # The layout first: for the wrong repository a list of missing files would mislead.
    if folder is not None and (folder / "config.json").is_file():
        refuse_other_layouts(folder, read_json(folder / "config.json"))
    folder = require_files(
        folder, (*NEEDED_FILES, f"{_WEIGHTS_NAME}|{_INDEX_NAME}"), how_to_get=HOW_TO_GET
    )
    weights = weight_files(folder)
    require_files(folder, weights, how_to_get=HOW_TO_GET)
    for name in weights:
        check_safetensors(folder / name)
    others = [
        choice
        for name in (*NEEDED_FILES, _INDEX_NAME, *_OPTIONAL_FILES)
        for choice in name.split("|")
        if (folder / choice).is_file()
    ]
    return folder, tuple(sorted({*others, *weights}))


def refuse_other_layouts(folder: Path, config: dict[str, Any]) -> None:
    """Raise ``WeightsError``, naming the right repository, if this is no ``-hf`` checkpoint."""
    thinker = config.get("thinker_config")
    if thinker is not None:
        wide = _number(thinker, "text_config", "hidden_size") >= 2048
        repository = f"Qwen/Qwen3-ASR-{'1.7B' if wide else '0.6B'}-hf"
        if isinstance(thinker, dict) and "classify_num" in thinker:
            repository = "Qwen/Qwen3-ForcedAligner-0.6B-hf (the aligner, which writes no text)"
        raise WeightsError(
            f"{folder} holds the original layout of Qwen3-ASR (config.json has thinker_config), "
            "which this engine cannot read: its weights would silently be random. Take the "
            f"repository {repository} instead."
        )
    if config.get("model_type") != "qwen3_asr":
        raise WeightsError(
            f"{folder} holds a model of the type {config.get('model_type')!r}, not a Qwen3-ASR. "
            f"{HOW_TO_GET}"
        )
    architectures = config.get("architectures") or ["Qwen3ASRForConditionalGeneration"]
    if "Qwen3ASRForConditionalGeneration" not in architectures:
        raise WeightsError(
            f"{folder} holds {', '.join(architectures)}, which writes no text (the forced "
            f"aligner, say). {HOW_TO_GET}"
        )


def weight_files(folder: Path) -> tuple[str, ...]:
    """Names of the files of weights, by the index where there is one. Raises ``WeightsError``."""
    if not (folder / _INDEX_NAME).is_file():
        return (_WEIGHTS_NAME,)
    try:
        names = set(read_json(folder / _INDEX_NAME)["weight_map"].values())
    except (KeyError, AttributeError) as error:
        raise WeightsError(
            f"{folder / _INDEX_NAME} lists no files of weights. {HOW_TO_GET}"
        ) from error
    return tuple(sorted(names))


def check_safetensors(path: Path) -> None:
    """Raise ``WeightsError`` if the file is shorter or longer than its own header says.

    Layout: 8 bytes little-endian length of the header, the header in JSON, then the tensors
    (https://github.com/huggingface/safetensors#format).
    """
    size_bytes = path.stat().st_size
    try:
        with path.open("rb") as file:
            header_bytes = int.from_bytes(file.read(8), "little")
            if header_bytes > size_bytes:
                raise ValueError("the header is longer than the file")
            header = json.loads(file.read(header_bytes))
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name[:2] != "__"]
        expected_bytes = 8 + header_bytes + max(ends, default=0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{path} is not a file of weights that can be read ({error}): it is damaged or only "
            f"partly copied. {HOW_TO_GET}"
        ) from error
    if size_bytes != expected_bytes:
        raise WeightsError(
            f"{path} has {size_bytes:,} bytes, but its header speaks of {expected_bytes:,}: it is "
            f"damaged or only partly copied. {HOW_TO_GET}"
        )


def weights_bytes(folder: Path, dtype: str) -> int:
    """Bytes of memory that loading the weights as ``dtype`` takes; the folder is whole.

    "auto" and "int8" are made from what is stored, so they count as that.
    """
    value_bytes = {"float32": 4, "float16": 2, "bfloat16": 2}.get(dtype)
    total = 0
    for name in weight_files(folder):
        if value_bytes is None:
            total += (folder / name).stat().st_size
            continue
        with (folder / name).open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        shapes = [tensor["shape"] for key, tensor in header.items() if key[:2] != "__"]
        total += value_bytes * sum(math.prod(shape) for shape in shapes)
    return total


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ``WeightsError`` for a file that holds none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path} cannot be read as JSON: {error}. {HOW_TO_GET}") from error
    if not isinstance(data, dict):
        raise WeightsError(f"{path} holds no JSON object. {HOW_TO_GET}")
    return data


def _number(value: Any, *path: str) -> float:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, (int, float)) else 0
