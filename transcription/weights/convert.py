"""Weights of Qwen3-ASR in the original layout, written anew under the names that are read here.

The original repositories (without ``-hf``) and the ones that this service reads hold the same
tensors under other names. The table of names is the one of transformers' own conversion script
(src/transformers/models/qwen3_asr/convert_qwen3_asr_to_hf.py; Apache-2.0): prefixes only. So no
number is touched: the bytes of each tensor are copied, and what comes out is, byte for byte, the
file of the ``-hf`` repository, which the catalogue's digest then proves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from transcription.engines.base import WeightsError
from transcription.engines.qwen3.files import (
    INDEX_NAME,
    WEIGHTS_NAME,
    check_safetensors,
    read_json,
    weight_files,
)

_PIECE_BYTES = 1 << 20
#: Old prefix -> new prefix; the first that fits, the longer ones first.
_PREFIXES = (
    ("thinker.audio_tower.proj1.", "model.multi_modal_projector.linear_1."),
    ("thinker.audio_tower.proj2.", "model.multi_modal_projector.linear_2."),
    ("thinker.audio_tower.", "model.audio_tower."),
    ("thinker.model.", "model.language_model."),
)
_HEAD = "thinker.lm_head.weight"
_EMBEDDING = "thinker.model.embed_tokens.weight"
#: The aligner's head is a classifier of its own, not the embedding once more.
_ALIGNER_HEAD = "score.weight"


class ConvertError(Exception):
    """The folder does not hold the original layout, or not what it promises; in words."""


@dataclass(frozen=True, kw_only=True)
class _Tensor:
    """One tensor where it lies."""

    path: Path
    #: First byte, counted from the beginning of the file.
    offset: int
    size_bytes: int
    dtype: str
    shape: tuple[int, ...]


def convert_weights(folder: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """Write the weights of the original layout in ``folder`` into the one file ``target``.

    ``progress`` hears of bytes done and bytes in all. Raises ``ConvertError`` for a folder that
    holds something else, ``OSError`` for what the disk does.
    """
    try:
        aligner = _is_aligner(folder)
        old = _read_tensors(folder)
    except WeightsError as error:
        raise ConvertError(str(error)) from error
    new = {
        _new_name(name, aligner=aligner): tensor for name, tensor in old.items() if name != _HEAD
    }
    if _HEAD in old and aligner:
        new[_ALIGNER_HEAD] = old[_HEAD]
    elif _HEAD in old and not _same_bytes(old[_HEAD], old.get(_EMBEDDING)):
        # Left out, because the -hf layout ties the head to the embedding; so they must be one.
        raise ConvertError(
            f"In {folder} {_HEAD} differs from {_EMBEDDING}: this is no Qwen3-ASR as it was "
            "published, and its text would change. It cannot be converted."
        )
    _write(new, target, progress)


def _is_aligner(folder: Path) -> bool:
    if not (folder / "config.json").is_file():
        raise ConvertError(f"{folder} has no config.json: name the folder with the original files.")
    thinker = read_json(folder / "config.json").get("thinker_config")
    if not isinstance(thinker, dict):
        raise ConvertError(
            f"{folder} does not hold the original layout (config.json has no thinker_config). "
            "Files of the -hf repository need no conversion: give the folder as the source."
        )
    return "classify_num" in thinker


def _new_name(name: str, *, aligner: bool) -> str:
    for old, new in _PREFIXES:
        if name.startswith(old):
            return new + name.removeprefix(old)
    kind = "aligner" if aligner else "Qwen3-ASR"
    raise ConvertError(f"The original {kind} has no tensor named {name}: these are other weights.")


def _read_tensors(folder: Path) -> dict[str, _Tensor]:
    """Every tensor of the folder by its old name."""
    names = weight_files(folder)
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise ConvertError(f"{folder} lacks {', '.join(missing)}: copy every file of it.")
    tensors: dict[str, _Tensor] = {}
    for name in names:
        check_safetensors(folder / name)
        tensors |= _tensors_of(folder / name)
    wanted = {tensor for names_in_file in names.values() for tensor in names_in_file}
    if lacking := sorted(wanted - set(tensors)):
        raise ConvertError(f"{folder} lacks {lacking[0]}, which {INDEX_NAME} says is there.")
    if not tensors:
        raise ConvertError(f"{folder / WEIGHTS_NAME} holds no tensors.")
    return tensors


def _tensors_of(path: Path) -> dict[str, _Tensor]:
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(header_bytes))
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        found[name] = _Tensor(
            path=path,
            offset=8 + header_bytes + begin,
            size_bytes=end - begin,
            dtype=entry["dtype"],
            shape=tuple(entry["shape"]),
        )
    return found


def _same_bytes(first: _Tensor, second: _Tensor | None) -> bool:
    if second is None or (first.dtype, first.shape) != (second.dtype, second.shape):
        return False
    with first.path.open("rb") as one, second.path.open("rb") as other:
        one.seek(first.offset)
        other.seek(second.offset)
        left = first.size_bytes
        while left:
            piece = min(left, _PIECE_BYTES)
            if one.read(piece) != other.read(piece):
                return False
            left -= piece
    return True


def header_of(tensors: Sequence[tuple[str, str, tuple[int, ...], int]]) -> bytes:
    """The head of a safetensors file, its length included, as the library's writer makes it.

    ``tensors``: name, dtype, shape and size in bytes, in the order in which their bytes follow.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, dtype, shape, size_bytes in tensors:
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [end, end + size_bytes],
        }
        end += size_bytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _write(tensors: dict[str, _Tensor], target: Path, progress: Callable[[int, int], None]) -> None:
    dtypes = {tensor.dtype for tensor in tensors.values()}
    if len(dtypes) != 1:
        # The library sorts by number format first; the published weights have only one.
        raise ConvertError(f"The weights have several number formats: {', '.join(sorted(dtypes))}.")
    ordered = sorted(tensors.items())
    head = header_of([(name, t.dtype, t.shape, t.size_bytes) for name, t in ordered])
    total = len(head) + sum(tensor.size_bytes for _, tensor in ordered)
    opened: dict[Path, IO[bytes]] = {}
    try:
        with target.open("wb") as file:
            done = file.write(head)
            for _, tensor in ordered:
                if tensor.path not in opened:
                    opened[tensor.path] = tensor.path.open("rb")
                source = opened[tensor.path]
                source.seek(tensor.offset)
                left = tensor.size_bytes
                while left:
                    piece = source.read(min(left, _PIECE_BYTES))
                    if not piece:
                        raise ConvertError(f"{tensor.path} was changed while it was read.")
                    left -= len(piece)
                    done += file.write(piece)
                    progress(done, total)
    finally:
        for source in opened.values():
            source.close()
