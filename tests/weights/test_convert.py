"""Weights in the original layout become, byte for byte, the file that is published converted."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from safetensors.numpy import load_file, save_file

from tests.weights.hub import running_hub
from tests.weights.tiny import TINY, tiny_entry
from transcription.engines.base import WeightsError
from transcription.engines.qwen3.files import checked_files
from transcription.weights.catalogue import CATALOGUE_PATH, read_catalogue
from transcription.weights.convert import ConvertError, convert_weights, header_of
from transcription.weights.fetch import FetchError, choose_sources, fetch_model

#: The names of the original layout, as the package qwen-asr 0.0.6 gives them to its modules
#: (qwen_asr/core/transformers_backend/modeling_qwen3_asr.py): the class that is loaded holds
#: "thinker", that one "audio_tower", "model" and "lm_head", the audio tower "proj1" and "proj2".
ORIGINAL_PLACES = (
    ("model.multi_modal_projector.linear_1.", "thinker.audio_tower.proj1."),
    ("model.multi_modal_projector.linear_2.", "thinker.audio_tower.proj2."),
    ("model.audio_tower.", "thinker.audio_tower."),
    ("model.language_model.", "thinker.model."),
)


def original_name(name: str) -> str:
    (found,) = (
        place + name.removeprefix(ours) for ours, place in ORIGINAL_PLACES if name.startswith(ours)
    )
    return found


def original_tensors() -> dict[str, np.ndarray]:
    """The tiny checkpoint as it would have been published: its head beside its embedding."""
    tensors = {
        original_name(name): tensor
        for name, tensor in load_file(TINY / "model.safetensors").items()
    }
    tensors["thinker.lm_head.weight"] = tensors["thinker.model.embed_tokens.weight"].copy()
    return tensors


def write_original(
    folder: Path, tensors: dict[str, np.ndarray], *, parts: int, **thinker: Any
) -> None:
    folder.mkdir()
    if parts == 1:
        save_file(tensors, folder / "model.safetensors")
    else:
        weight_map = {}
        for number in range(parts):
            file = f"model-{number + 1:05d}-of-{parts:05d}.safetensors"
            part = {name: tensors[name] for name in sorted(tensors)[number::parts]}
            save_file(part, folder / file, metadata={"format": "pt"})
            weight_map |= dict.fromkeys(part, file)
        index = {"metadata": {}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = {"model_type": "qwen3_asr", "thinker_config": {"text_config": {}, **thinker}}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.fixture(params=[1, 2, 3])
def original(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path / "original"
    write_original(folder, original_tensors(), parts=request.param)
    return folder


def convert(folder: Path, target: Path) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    convert_weights(folder, target, lambda done, total: seen.append((done, total)))
    return seen


def test_the_converted_file_is_the_published_one_byte_for_byte(
    original: Path, tmp_path: Path
) -> None:
    seen = convert(original, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (TINY / "model.safetensors").read_bytes()
    size = (TINY / "model.safetensors").stat().st_size
    assert seen[-1] == (size, size)


def test_the_aligners_classifier_is_kept_under_its_new_name(tmp_path: Path) -> None:
    tensors = original_tensors()
    head = np.arange(5 * 128, dtype=np.float16).reshape(5, 128)
    tensors["thinker.lm_head.weight"] = head
    write_original(tmp_path / "original", tensors, parts=2, classify_num=5)
    convert(tmp_path / "original", tmp_path / "out")
    expected = {**load_file(TINY / "model.safetensors"), "score.weight": head}
    save_file(expected, tmp_path / "expected", metadata={"format": "pt"})
    assert (tmp_path / "out").read_bytes() == (tmp_path / "expected").read_bytes()


def test_a_head_that_is_not_the_embedding_is_not_dropped_in_silence(tmp_path: Path) -> None:
    tensors = original_tensors()
    tensors["thinker.lm_head.weight"][0, 0] += 1
    write_original(tmp_path / "original", tensors, parts=1)
    with pytest.raises(ConvertError, match="cannot be converted"):
        convert(tmp_path / "original", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_tensor_of_another_model_is_refused_by_name(tmp_path: Path) -> None:
    tensors = {**original_tensors(), "talker.model.norm.weight": np.zeros(3, np.float16)}
    write_original(tmp_path / "original", tensors, parts=1)
    with pytest.raises(ConvertError, match=r"no tensor named talker\.model\.norm\.weight"):
        convert(tmp_path / "original", tmp_path / "out")


def test_several_number_formats_are_refused(tmp_path: Path) -> None:
    tensors = original_tensors()
    tensors["thinker.model.norm.weight"] = tensors["thinker.model.norm.weight"].astype(np.float32)
    write_original(tmp_path / "original", tensors, parts=1)
    with pytest.raises(ConvertError, match="F16, F32"):
        convert(tmp_path / "original", tmp_path / "out")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "model-00002-of-00002.safetensors").unlink(), "lacks model-00002-of-00002"),
        (
            lambda f: (f / "model-00002-of-00002.safetensors").write_bytes(b"x" * 100),
            "damaged or only partly copied",
        ),
        (lambda f: (f / "config.json").unlink(), "no config.json"),
        (lambda f: (f / "config.json").write_text("{}"), "no thinker_config"),
        (
            lambda f: shutil.copyfile(
                f / "model-00001-of-00002.safetensors", f / "model-00002-of-00002.safetensors"
            ),
            "which model.safetensors.index.json says is there",
        ),
    ],
)
def test_an_incomplete_original_is_refused_in_words(tmp_path: Path, spoil: Any, words: str) -> None:
    folder = tmp_path / "original"
    write_original(folder, original_tensors(), parts=2)
    spoil(folder)
    with pytest.raises(ConvertError, match=words):
        convert(folder, tmp_path / "out")


def test_the_refusal_of_the_original_layout_says_how_to_convert_it(original: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        checked_files(original)
    assert f"manage.py fetch_model qwen3-asr-0.6b --convert {original}" in str(caught.value)


# --- the published checkpoints -----------------------------------------------------------------

TEXT = {
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151_936,
}
SMALL = {**TEXT, "hidden_size": 1024, "intermediate_size": 3072}
LARGE = {**TEXT, "hidden_size": 2048, "intermediate_size": 6144}


def encoder(layers: int, width: int, heads: int, output: int) -> dict[str, int]:
    return {
        "encoder_layers": layers,
        "d_model": width,
        "encoder_attention_heads": heads,
        "encoder_ffn_dim": 4 * width,
        "output_dim": output,
    }


@pytest.mark.parametrize(
    ("name", "text", "audio", "more"),
    [
        ("qwen3-asr-0.6b", SMALL, encoder(18, 896, 14, 1024), {}),
        ("qwen3-asr-1.7b", LARGE, encoder(24, 1024, 16, 2048), {}),
        (
            "qwen3-forced-aligner",
            {**SMALL, "vocab_size": 152_064},
            encoder(24, 1024, 16, 1024),
            {"num_labels": 5000},
        ),
    ],
)
def test_a_converted_file_has_the_size_that_the_catalogue_gives(
    name: str, text: dict[str, int], audio: dict[str, int], more: dict[str, int]
) -> None:
    """To the byte, for the real architectures: so the head is written as the library writes it."""
    import torch
    from transformers import (
        Qwen3ASRConfig,
        Qwen3ASRForConditionalGeneration,
        Qwen3ASRForTokenClassification,
    )

    config = Qwen3ASRConfig(
        text_config={"model_type": "qwen3", **text},
        audio_config={"model_type": "qwen3_asr_encoder", **audio},
        **more,
    )
    kind = Qwen3ASRForTokenClassification if more else Qwen3ASRForConditionalGeneration
    with torch.device("meta"):
        model = kind(config)
    # The head of a recogniser is its embedding, and not stored a second time.
    tensors = [
        (key, "BF16", tuple(tensor.shape), 2 * tensor.numel())
        for key, tensor in sorted(model.state_dict().items())
        if key != "lm_head.weight"
    ]
    entry = read_catalogue(CATALOGUE_PATH)[name]
    (weights,) = (file for file in entry.files if file.name == "model.safetensors")
    size_bytes = len(header_of(tensors)) + sum(size for *_, size in tensors)
    assert size_bytes == weights.size_bytes


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def tiny_catalogue(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(
        "transcription.management.commands.fetch_model.read_catalogue",
        lambda path: {"tiny": tiny_entry()},
    )
    settings.WEIGHTS_DIR = tmp_path / "weights"


@pytest.mark.usefixtures("tiny_catalogue")
def test_the_command_converts_the_weights_and_fetches_only_the_rest(
    original: Path, tmp_path: Path, settings: Any
) -> None:
    small = {
        f"/owner/tiny-hf/resolve/abc/{path.name}": path.read_bytes()
        for path in TINY.iterdir()
        if path.suffix != ".safetensors"
    }
    with running_hub(small) as hub:
        settings.HF_ENDPOINT = hub.url
        call_command("fetch_model", "tiny", convert=original, stdout=StringIO(), stderr=StringIO())
    folder = tmp_path / "weights" / "tiny"
    assert checked_files(folder)[0] == folder
    for path in TINY.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert all(not path.endswith(".safetensors") for path, _ in hub.asked)


@pytest.mark.usefixtures("tiny_catalogue")
def test_files_can_be_converted_where_they_lie(
    original: Path, tmp_path: Path, settings: Any
) -> None:
    """The handbook's way put the original files where the converted ones are looked for."""
    folder = tmp_path / "weights" / "tiny"
    folder.parent.mkdir()
    original.rename(folder)
    stick = tmp_path / "stick"
    stick.mkdir()
    for path in TINY.iterdir():
        if path.suffix != ".safetensors":
            shutil.copyfile(path, stick / path.name)
    call_command(
        "fetch_model",
        "tiny",
        convert=folder,
        source=str(stick),
        stdout=StringIO(),
        stderr=StringIO(),
    )
    checked_files(folder)
    assert (folder / "model.safetensors").read_bytes() == (TINY / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("tiny_catalogue")
def test_the_command_says_why_a_folder_cannot_be_converted(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="does not hold the original layout"):
        call_command("fetch_model", "tiny", convert=TINY, stdout=StringIO(), stderr=StringIO())
    assert not (tmp_path / "weights" / "tiny" / "model.safetensors").exists()


def test_weights_that_come_out_otherwise_than_published_are_not_let_in(
    tmp_path: Path,
) -> None:
    tensors = original_tensors()
    tensors["thinker.model.norm.weight"] += 1
    write_original(tmp_path / "original", tensors, parts=1)
    entry = tiny_entry()
    with pytest.raises(FetchError, match=r"model\.safetensors has the sha256"):
        fetch_model(
            entry,
            tmp_path / "out",
            sources=choose_sources(str(TINY), entry),
            convert_from=tmp_path / "original",
        )
    assert not (tmp_path / "out" / "model.safetensors").exists()
