"""What a folder of weights consists of, for each kind of model, and whether it is whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path

from transcription.engines.base import WeightsError
from transcription.engines.qwen3 import files as qwen3
from transcription.engines.weights import require_files
from transcription.weights.catalogue import ModelEntry

_WHISPER_FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt|vocabulary.json")
_WHISPER_OPTIONAL_FILES = ("preprocessor_config.json",)


#: A part of the weights. Whoever makes the list may not name files elsewhere.
_PART = re.compile(r"model-\d{5}-of-\d{5}\.safetensors\Z")


class LayoutError(Exception):
    """What is offered is not a whole model of its kind; the message names what is wrong."""


def other_layout(entry: ModelEntry, folder: Path) -> str | None:
    """What the folder holds instead of the model, and what to do, in words; None: nothing other."""
    if entry.engine != "qwen3_asr" or not (folder / "config.json").is_file():
        return None
    kind = qwen3.ALIGNER if entry.role == "aligner" else qwen3.RECOGNISER
    try:
        qwen3.refuse_other_layouts(folder, qwen3.read_json(folder / "config.json"), kind=kind)
    except WeightsError as error:
        return str(error)
    return None


def names_in_folder(entry: ModelEntry, folder: Path) -> tuple[str, ...]:
    """Names of the files that the model consists of, once the folder is seen to be whole.

    Raises ``LayoutError`` that names what is missing, damaged, or of another kind.
    """
    try:
        if entry.engine == "qwen3_asr":
            aligner = entry.role == "aligner"
            check = qwen3.checked_aligner_files if aligner else qwen3.checked_files
            return check(folder)[1]
        if entry.engine == "whisper":
            require_files(folder, _WHISPER_FILES, how_to_get="")
            choices = (*_WHISPER_FILES, *_WHISPER_OPTIONAL_FILES)
            return tuple(sorted(_chosen(choices, lambda name: (folder / name).is_file())))
        names = [file.name for file in entry.files]
        require_files(folder, names, how_to_get="")
        return tuple(sorted(names))
    except WeightsError as error:
        raise LayoutError(str(error).strip()) from error


def names_in_list(entry: ModelEntry, offered: Collection[str]) -> tuple[str, ...]:
    """Which of the files of a repository the model consists of.

    Raises ``LayoutError`` that names what the repository lacks.
    """
    if entry.engine == "qwen3_asr":
        needed: tuple[str, ...] = qwen3.NEEDED_FILES
        names = _chosen((*needed, *qwen3.OPTIONAL_FILES), offered.__contains__)
        # As the library chooses: the parts only where there is no single file.
        if qwen3.WEIGHTS_NAME in offered:
            weights = [qwen3.WEIGHTS_NAME]
        else:
            needed = (*needed, qwen3.INDEX_NAME)
            weights = [qwen3.INDEX_NAME, *filter(_PART.match, offered)]
    elif entry.engine == "whisper":
        needed = _WHISPER_FILES
        names = _chosen((*needed, *_WHISPER_OPTIONAL_FILES), offered.__contains__)
        weights = []
    else:
        raise LayoutError(f"nothing is known of the files of a model of the engine {entry.engine}")
    lacking = [
        " or ".join(name.split("|"))
        for name in needed
        if not any(choice in offered for choice in name.split("|"))
    ]
    if lacking:
        raise LayoutError(f"{', '.join(lacking)} not there")
    return tuple(sorted({*names, *weights}))


def _chosen(names: Collection[str], there: Callable[[str], bool]) -> list[str]:
    return [choice for name in names for choice in name.split("|") if there(choice)]
