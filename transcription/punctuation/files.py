"""Is a folder a whole punctuation model? Standard library only: a web process asks too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["ModelFiles", "PunctuationModelError", "find_files"]

CONFIG_NAME = "config.yaml"
#: How a file begins that ``git clone`` left in place of a large one.
_POINTER = b"version https://git-lfs"


class PunctuationModelError(Exception):
    """The punctuation model is missing or not what it should be; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """The files of one model."""

    network: Path
    tokenizer: Path
    config: Path


def find_files(folder: Path) -> ModelFiles:
    """The files of the model in ``folder``: one ``.onnx``, one ``.model``, and config.yaml.

    Their names differ from model to model. Raises ``PunctuationModelError`` that names what is
    missing or there twice.
    """
    if not folder.is_dir():
        raise PunctuationModelError(f"The folder {folder} does not exist.{_how_to_get(folder)}")
    return ModelFiles(
        network=_only(folder, "*.onnx", "the network"),
        tokenizer=_only(folder, "*.model", "the tokenizer of SentencePiece"),
        config=_only(folder, CONFIG_NAME, "lengths, languages and marks"),
    )


def _only(folder: Path, pattern: str, what: str) -> Path:
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise PunctuationModelError(
            f"{folder} holds more than one punctuation model: {names}. Leave one of them."
        )
    if not found or found[0].stat().st_size == 0:
        raise PunctuationModelError(
            f"{pattern} ({what}) is missing or empty in {folder}.{_how_to_get(folder)}"
        )
    with found[0].open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise PunctuationModelError(
                f"{found[0]} is only a pointer of Git LFS, not the file.{_how_to_get(folder)}"
            )
    return found[0]


def _how_to_get(folder: Path) -> str:
    return f" Fetch it with: python manage.py fetch_model {folder.name}"
