"""Is a folder a Qwen3-ASR checkpoint, or its aligner's, that can be loaded? Standard library only.

The question is asked before anything is loaded, because the library answers it badly: the
original layout (``thinker_config``, repositories without ``-hf``) loads without an exception
and with random weights, and a half-copied file fails with a message about a header.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from transcription.engines.base import WeightsError
from transcription.engines.weights import require_files

HOW_TO_GET = (
    "Fetch the model with `manage.py fetch_model qwen3-asr-1.7b` (or qwen3-asr-0.6b), or copy "
    "every file of the repository Qwen/Qwen3-ASR-1.7B-hf (or Qwen/Qwen3-ASR-0.6B-hf) into the "
    "folder."
)
HOW_TO_GET_ALIGNER = (
    "Fetch it with `manage.py fetch_model qwen3-forced-aligner`, or copy every file of the "
    "repository Qwen/Qwen3-ForcedAligner-0.6B-hf into the folder."
)

#: What a folder needs beside its weights; ``a|b``: one of the two is enough.
NEEDED_FILES = (
    "config.json",
    "tokenizer.json|vocab.json",
    "tokenizer_config.json",
    "processor_config.json|preprocessor_config.json",
    "chat_template.jinja|chat_template.json",
)
WEIGHTS_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"
#: Files that may be there and change the text if they do.
OPTIONAL_FILES = (
    "generation_config.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One of the two kinds of checkpoint of the type ``qwen3_asr``."""

    #: The class of transformers that loads it, as ``config.json`` names it.
    architecture: str
    #: In words, after "it is".
    words: str
    how_to_get: str


RECOGNISER = Kind(
    architecture="Qwen3ASRForConditionalGeneration",
    words="a Qwen3-ASR, which writes text and tells no times of words",
    how_to_get=HOW_TO_GET,
)
ALIGNER = Kind(
    architecture="Qwen3ASRForTokenClassification",
    words="the forced aligner, which writes no text",
    how_to_get=HOW_TO_GET_ALIGNER,
)


def checked_files(folder: Path | None) -> tuple[Path, tuple[str, ...]]:
    """The folder and the names of the files that make the text, once they are seen to be whole.

    Raises ``WeightsError`` that names what is missing, cut off, or of another layout.
    """
    return _checked(folder, RECOGNISER)


def checked_aligner_files(folder: Path | None) -> tuple[Path, tuple[str, ...]]:
    """The folder and the names of the files that make the times of words, seen to be whole.

    Raises ``WeightsError`` that names what is missing, cut off, or of another layout.
    """
    return _checked(folder, ALIGNER)


def _checked(folder: Path | None, kind: Kind) -> tuple[Path, tuple[str, ...]]:
    # The layout first: for the wrong repository a list of missing files would mislead.
    if folder is not None and (folder / "config.json").is_file():
        config = read_json(folder / "config.json", how_to_get=kind.how_to_get)
        refuse_other_layouts(folder, config, kind=kind)
    needed = [*NEEDED_FILES, f"{WEIGHTS_NAME}|{INDEX_NAME}"]
    if folder is not None:
        _refuse_pickles(folder, kind)
        # The tokenizer in two files: one is nothing without the other.
        if (folder / "vocab.json").is_file() and not (folder / "tokenizer.json").is_file():
            needed.append("merges.txt")
    folder = require_files(folder, needed, how_to_get=kind.how_to_get)
    tensors = weight_files(folder, how_to_get=kind.how_to_get)
    require_files(folder, tuple(tensors), how_to_get=kind.how_to_get)
    for name, wanted in tensors.items():
        found = check_safetensors(folder / name, how_to_get=kind.how_to_get)
        if missing := sorted(wanted - found):
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise WeightsError(
                f"{folder / name} lacks {', '.join(missing[:3])}{more}, which {INDEX_NAME} says "
                f"are in it: the two are not of one model. {kind.how_to_get}"
            )
    others = [
        choice
        for name in (*NEEDED_FILES, *OPTIONAL_FILES)
        for choice in name.split("|")
        if (folder / choice).is_file()
    ]
    if WEIGHTS_NAME not in tensors:
        others.append(INDEX_NAME)
    return folder, tuple(sorted({*others, *tensors}))


def refuse_other_layouts(folder: Path, config: dict[str, Any], *, kind: Kind = RECOGNISER) -> None:
    """Raise ``WeightsError``, naming the right repository, if this is no ``-hf`` checkpoint.

    ``config`` is the content of the folder's ``config.json``; ``kind`` is what it ought to be.
    """
    thinker = config.get("thinker_config")
    if thinker is not None:
        name, repository = _right_one(thinker)
        raise WeightsError(
            f"{folder} holds the original layout of Qwen3-ASR (config.json has thinker_config), "
            "which cannot be read here: its weights would silently be random. Take the "
            f"repository {repository} instead, or have these files converted: "
            f"`manage.py fetch_model {name} --convert {folder}`."
        )
    if config.get("model_type") != "qwen3_asr":
        raise WeightsError(
            f"{folder} holds a model of the type {config.get('model_type')!r}, not a Qwen3-ASR. "
            f"{kind.how_to_get}"
        )
    architectures = config.get("architectures") or [kind.architecture]
    if kind.architecture not in architectures:
        words = [
            other.words for other in (RECOGNISER, ALIGNER) if other.architecture in architectures
        ]
        raise WeightsError(
            f"{folder} holds {', '.join(words) or ', '.join(map(str, architectures))}. "
            f"{kind.how_to_get}"
        )


def _right_one(thinker: Any) -> tuple[str, str]:
    """Our name, and the repository, of what ``thinker_config`` describes."""
    if isinstance(thinker, dict) and "classify_num" in thinker:
        return "qwen3-forced-aligner", (
            "Qwen/Qwen3-ForcedAligner-0.6B-hf (the aligner, which writes no text)"
        )
    size = "1.7B" if _number(thinker, "text_config", "hidden_size") >= 2048 else "0.6B"
    return f"qwen3-asr-{size.lower()}", f"Qwen/Qwen3-ASR-{size}-hf"


def _refuse_pickles(folder: Path, kind: Kind) -> None:
    """Say it where weights lie there that are of the kind that runs code when it is opened."""
    if any((folder / name).is_file() for name in (WEIGHTS_NAME, INDEX_NAME)):
        return
    pickles = sorted(path.name for path in folder.glob("pytorch_model*.bin*"))
    if pickles:
        raise WeightsError(
            f"{folder} holds {', '.join(pickles)}, but only {WEIGHTS_NAME} is read here. "
            f"{kind.how_to_get}"
        )


def weight_files(folder: Path, *, how_to_get: str = HOW_TO_GET) -> dict[str, frozenset[str]]:
    """The files of weights, each with what has to be in it: one file, or the parts of an index.

    Names of files, relative to the folder -> names of tensors, as far as an index tells them.
    Raises ``WeightsError``.
    """
    # The library, too, looks at an index only where there is no single file.
    if (folder / WEIGHTS_NAME).is_file() or not (folder / INDEX_NAME).is_file():
        return {WEIGHTS_NAME: frozenset()}
    tensors: dict[str, set[str]] = {}
    try:
        weight_map = read_json(folder / INDEX_NAME, how_to_get=how_to_get)["weight_map"]
        for tensor, name in weight_map.items():
            # The name of a file is about to be opened, and comes from whoever made the index.
            if PurePosixPath(name).name != name:
                raise ValueError(f"{name!r} is not a file of this folder")
            tensors.setdefault(name, set()).add(tensor)
        if not tensors:
            raise ValueError("weight_map is empty")
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{folder / INDEX_NAME} lists no files of weights ({error}). {how_to_get}"
        ) from error
    return {name: frozenset(tensors[name]) for name in sorted(tensors)}


def check_safetensors(path: Path, *, how_to_get: str = HOW_TO_GET) -> frozenset[str]:
    """The names of the file's tensors.

    Raises ``WeightsError`` if the file is shorter or longer than its own header says. Layout:
    8 bytes little-endian length of the header, the header in JSON, then the tensors
    (https://github.com/huggingface/safetensors#format).
    """
    size_bytes = path.stat().st_size
    try:
        with path.open("rb") as file:
            header_bytes = int.from_bytes(file.read(8), "little")
            if header_bytes > size_bytes:
                raise ValueError("the header is longer than the file")
            header = json.loads(file.read(header_bytes))
        ends = {
            name: tensor["data_offsets"][1] for name, tensor in header.items() if name[:2] != "__"
        }
        expected_bytes = 8 + header_bytes + max(ends.values(), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(
            f"{path} is not a file of weights that can be read ({error}): it is damaged or only "
            f"partly copied. {how_to_get}"
        ) from error
    if size_bytes != expected_bytes:
        raise WeightsError(
            f"{path} has {size_bytes:,} bytes, but its header speaks of {expected_bytes:,}: it is "
            f"damaged or only partly copied. {how_to_get}"
        )
    return frozenset(ends)


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


def read_json(path: Path, *, how_to_get: str = HOW_TO_GET) -> dict[str, Any]:
    """The object in a JSON file. Raises ``WeightsError`` for a file that holds none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path} cannot be read as JSON: {error}. {how_to_get}") from error
    if not isinstance(data, dict):
        raise WeightsError(f"{path} holds no JSON object. {how_to_get}")
    return data


def _number(value: Any, *path: str) -> float:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, (int, float)) else 0
