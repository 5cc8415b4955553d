"""A folder of weights is found whole, or refused in words that name what is wrong with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from transcription.engines.base import WeightsError
from transcription.engines.qwen3 import files

TINY = Path(__file__).parent / "tiny-qwen3-asr"
NAMES = (
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


@pytest.fixture
def recogniser(tmp_path: Path) -> Path:
    """A whole checkpoint."""
    folder = tmp_path / "recogniser"
    shutil.copytree(TINY, folder)
    return folder


@pytest.fixture
def aligner(recogniser: Path) -> Path:
    """What the forced aligner's repository holds: the same layout with another head."""
    change_config(recogniser, architectures=["Qwen3ASRForTokenClassification"])
    return recogniser


def change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def split_in_two(folder: Path) -> dict[str, str]:
    """Write the weights anew as two files with an index, as the big checkpoints come."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    weight_map = {}
    for number, part in enumerate((names[:10], names[10:]), start=1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file)
        weight_map |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return weight_map


def complaint(folder: Path | None, check: Callable[..., object] = files.checked_files) -> str:
    with pytest.raises(WeightsError) as caught:
        check(folder)
    return str(caught.value)


def test_a_whole_folder_gives_the_names_of_its_files(recogniser: Path) -> None:
    assert files.checked_files(recogniser) == (recogniser, NAMES)


def test_the_aligner_is_checked_like_the_recogniser(aligner: Path) -> None:
    assert files.checked_aligner_files(aligner) == (aligner, NAMES)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"generation_config.json"}))
def test_a_missing_file_is_named(recogniser: Path, name: str) -> None:
    (recogniser / name).unlink()
    message = complaint(recogniser)
    assert name in message
    assert "missing or empty" in message
    assert "manage.py fetch_model" in message


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"generation_config.json"}))
def test_a_file_that_the_aligner_misses_is_named(aligner: Path, name: str) -> None:
    (aligner / name).write_bytes(b"")
    if name == "config.json":
        (aligner / name).unlink()
    message = complaint(aligner, files.checked_aligner_files)
    assert name in message
    assert "fetch_model qwen3-forced-aligner" in message


def test_each_of_the_two_is_refused_in_the_place_of_the_other(recogniser: Path) -> None:
    message = complaint(recogniser, files.checked_aligner_files)
    assert "tells no times of words" in message
    assert "Qwen/Qwen3-ForcedAligner-0.6B-hf" in message
    change_config(recogniser, architectures=["Qwen3ASRForTokenClassification"])
    message = complaint(recogniser)
    assert "the forced aligner, which writes no text" in message
    assert "Qwen/Qwen3-ASR-1.7B-hf" in message


def test_the_aligner_in_the_original_layout_is_refused_naming_the_right_one(
    aligner: Path,
) -> None:
    change_config(aligner, thinker_config={"classify_num": 5000})
    message = complaint(aligner, files.checked_aligner_files)
    assert "original layout" in message
    assert "Qwen/Qwen3-ForcedAligner-0.6B-hf" in message


@pytest.mark.parametrize("check", [files.checked_files, files.checked_aligner_files])
def test_no_folder_is_refused(tmp_path: Path, check: Callable[..., object]) -> None:
    assert "No folder of weights is set" in complaint(None, check)
    assert "does not exist" in complaint(tmp_path / "nowhere", check)


def test_weights_that_are_cut_off_are_refused(recogniser: Path) -> None:
    path = recogniser / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "damaged or only partly copied" in complaint(recogniser)


@pytest.mark.parametrize(
    "content", [b"x", b"\xff" * 100, b"\x02\0\0\0\0\0\0\0[]", b"<html></html>"]
)
def test_a_file_of_something_else_is_refused(recogniser: Path, content: bytes) -> None:
    (recogniser / "model.safetensors").write_bytes(content)
    assert "damaged or only partly copied" in complaint(recogniser)


def test_weights_in_several_files_are_found_by_their_index(recogniser: Path) -> None:
    split_in_two(recogniser)
    _, names = files.checked_files(recogniser)
    assert {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} < set(names)
    assert "model.safetensors.index.json" in names
    assert "model.safetensors" not in names


def test_where_one_file_has_all_weights_an_index_that_was_left_is_not_looked_at(
    recogniser: Path,
) -> None:
    (recogniser / "model.safetensors.index.json").write_text('{"weight_map": {"a": "gone"}}')
    assert files.checked_files(recogniser)[1] == NAMES


def test_a_missing_part_of_the_weights_is_named(recogniser: Path) -> None:
    split_in_two(recogniser)
    (recogniser / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors is missing" in complaint(recogniser)


def test_a_part_of_another_model_is_refused_naming_what_it_lacks(recogniser: Path) -> None:
    weight_map = split_in_two(recogniser)
    first, second = sorted(set(weight_map.values()))
    shutil.copyfile(recogniser / second, recogniser / first)
    message = complaint(recogniser)
    assert f"{first} lacks " in message
    assert sorted(weight_map)[0] in message


@pytest.mark.parametrize(
    "index",
    [
        {},
        {"weight_map": {}},
        {"weight_map": []},
        {"weight_map": {"a": "../../other/model.safetensors"}},
        {"weight_map": {"a": 7}},
    ],
)
def test_an_index_of_nothing_or_of_files_elsewhere_is_refused(
    recogniser: Path, index: dict[str, Any]
) -> None:
    (recogniser / "model.safetensors").unlink()
    (recogniser / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "lists no files of weights" in complaint(recogniser)


def test_a_tokenizer_in_two_files_needs_both(recogniser: Path) -> None:
    (recogniser / "tokenizer.json").rename(recogniser / "vocab.json")
    assert "merges.txt is missing" in complaint(recogniser)
    (recogniser / "merges.txt").write_text("#version: 0.2\n")
    assert "merges.txt" in files.checked_files(recogniser)[1]


def test_weights_of_the_kind_that_runs_code_are_refused_by_name(recogniser: Path) -> None:
    (recogniser / "model.safetensors").rename(recogniser / "pytorch_model.bin")
    message = complaint(recogniser)
    assert "holds pytorch_model.bin, but only model.safetensors is read" in message
