"""What the catalogue does not know, the hub declares; and what it declares is held to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.weights.hub import Hub, running_hub
from tests.weights.tiny import REPO, TINY, huggingface, modelscope, tiny_entry, tiny_files
from transcription.engines.qwen3.files import checked_files
from transcription.weights.catalogue import ModelEntry, at_revision
from transcription.weights.fetch import (
    Fetched,
    FetchError,
    choose_sources,
    fetch_model,
    is_in_place,
)

REPOSITORY = Path(__file__).resolve().parents[2]
HUBS = ("huggingface", "modelscope")


def serve(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**huggingface(files), **modelscope(files)}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub(serve(tiny_files())) as running:
        yield running


def fetch(entry: ModelEntry, folder: Path, hub: Hub, wanted: str, **more: Any) -> Fetched:
    sources = choose_sources(
        wanted,
        entry,
        huggingface_endpoint=hub.url,
        modelscope_endpoint=hub.url,
        pause_seconds=0,
    )
    return fetch_model(entry, folder, sources=sources, **more)


def without_digests(*names: str) -> ModelEntry:
    """The tiny entry with files of which the catalogue knows only the name."""
    entry = tiny_entry()
    return replace(
        entry,
        files=tuple(
            replace(file, size_bytes=None, sha256=None) if file.name in names else file
            for file in entry.files
        ),
    )


#: A model whose files the hub lists.
UNLISTED = tiny_entry(files=())


def split(files: dict[str, bytes], tmp_path: Path) -> dict[str, bytes]:
    """The same files with the weights in two parts and an index."""
    tensors = load_file(TINY / "model.safetensors")
    names = sorted(tensors)
    weight_map, parts = {}, {}
    for number, part in enumerate((names[:10], names[10:]), start=1):
        name = f"model-0000{number}-of-00002.safetensors"
        save_file({key: tensors[key] for key in part}, tmp_path / name)
        parts[name] = (tmp_path / name).read_bytes()
        weight_map |= dict.fromkeys(part, name)
    index = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
    rest = {name: content for name, content in files.items() if name != "model.safetensors"}
    return {**rest, **parts, "model.safetensors.index.json": index}


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("wanted", HUBS)
def test_a_listed_model_is_fetched_without_asking_for_the_list(
    hub: Hub, tmp_path: Path, wanted: str
) -> None:
    fetched = fetch(tiny_entry(), tmp_path / "tiny", hub, wanted)
    assert fetched.unchecked == ()
    assert visible(tmp_path / "tiny") == sorted(tiny_files())
    assert not any("/api/" in path for path, _ in hub.asked)


@pytest.mark.parametrize("wanted", HUBS)
@pytest.mark.parametrize("name", ["chat_template.jinja", "model.safetensors"])
def test_a_file_without_a_digest_is_held_to_what_the_hub_declares(
    hub: Hub, tmp_path: Path, wanted: str, name: str
) -> None:
    entry = without_digests(name)
    assert fetch(entry, tmp_path / "tiny", hub, wanted).unchecked == ()
    prefix, revision = {"huggingface": ("", "abc"), "modelscope": ("/models", "master")}[wanted]
    path = f"{prefix}/{REPO}/resolve/{revision}/{name}"
    content = bytearray(hub.files[path])
    content[-1] ^= 1
    hub.files[path] = bytes(content)
    with pytest.raises(FetchError, match=rf"{name} has the (git sha1|sha256) "):
        fetch(entry, tmp_path / "again", hub, wanted)
    assert name not in visible(tmp_path / "again")


@pytest.mark.parametrize("wanted", HUBS)
def test_a_file_of_another_size_than_the_hub_declares_is_refused(
    hub: Hub, tmp_path: Path, wanted: str
) -> None:
    for path in hub.files:
        if path.endswith("/tokenizer.json"):
            hub.files[path] += b" "
    with pytest.raises(FetchError, match=r"bytes, but .* are right"):
        fetch(without_digests("tokenizer.json"), tmp_path / "tiny", hub, wanted)


def test_a_mirror_without_a_list_still_gives_the_files_and_names_what_it_cannot_check(
    hub: Hub, tmp_path: Path
) -> None:
    hub.files = {path: content for path, content in hub.files.items() if "/api/" not in path}
    fetched = fetch(without_digests("chat_template.jinja"), tmp_path / "tiny", hub, "huggingface")
    assert fetched.unchecked == ("chat_template.jinja",)


@pytest.mark.parametrize("wanted", HUBS)
def test_the_hub_lists_the_files_of_a_model_that_the_catalogue_does_not(
    hub: Hub, tmp_path: Path, wanted: str
) -> None:
    files = {**tiny_files(), "README.md": b"# Tiny", ".gitattributes": b"x", "notes.bin": b"x"}
    hub.files = serve(files)
    fetched = fetch(UNLISTED, tmp_path / "tiny", hub, wanted)
    assert fetched.brought == tuple(sorted(tiny_files()))
    assert fetched.unchecked == ()
    checked_files(tmp_path / "tiny")
    hub.asked.clear()
    assert is_in_place(UNLISTED, tmp_path / "tiny")
    assert fetch(UNLISTED, tmp_path / "tiny", hub, wanted).source is None
    assert hub.asked == []


@pytest.mark.parametrize("wanted", [*HUBS, "folder"])
def test_weights_in_several_parts_are_fetched_by_the_list(
    hub: Hub, tmp_path: Path, wanted: str
) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    files = split(tiny_files(), parts)
    hub.files = serve(files)
    for name, content in files.items():
        (parts / name).write_bytes(content)
    source = str(parts) if wanted == "folder" else wanted
    fetched = fetch(UNLISTED, tmp_path / "tiny", hub, source)
    assert set(fetched.brought) == set(files)
    assert visible(tmp_path / "tiny") == sorted(files)
    _, names = checked_files(tmp_path / "tiny")
    loaded: dict[str, np.ndarray] = {}
    for name in names:
        if name.endswith(".safetensors"):
            loaded |= load_file(tmp_path / "tiny" / name)
    assert loaded.keys() == load_file(TINY / "model.safetensors").keys()


def test_where_both_are_offered_the_single_file_is_taken(hub: Hub, tmp_path: Path) -> None:
    hub.files = serve({**split(tiny_files(), tmp_path), **tiny_files()})
    fetch(UNLISTED, tmp_path / "tiny", hub, "huggingface")
    assert visible(tmp_path / "tiny") == sorted(tiny_files())


def test_a_part_that_the_repository_lacks_is_named(hub: Hub, tmp_path: Path) -> None:
    files = split(tiny_files(), tmp_path)
    del files["model-00002-of-00002.safetensors"]
    hub.files = serve(files)
    with pytest.raises(FetchError, match=r"model-00002-of-00002\.safetensors is missing"):
        fetch(UNLISTED, tmp_path / "tiny", hub, "huggingface")


def test_a_repository_that_is_no_whole_model_is_refused_naming_what_it_lacks(
    hub: Hub, tmp_path: Path
) -> None:
    files = {name: data for name, data in tiny_files().items() if "token" not in name}
    hub.files = serve(files)
    with pytest.raises(
        FetchError, match=r"tokenizer\.json or vocab\.json, tokenizer_config\.json not there"
    ):
        fetch(UNLISTED, tmp_path / "tiny", hub, "huggingface")


def test_a_list_cannot_name_files_elsewhere(hub: Hub, tmp_path: Path) -> None:
    files = split(tiny_files(), tmp_path)
    hub.files = serve({**files, "model-/../../../evil.safetensors": b"x"})
    fetch(UNLISTED, tmp_path / "tiny", hub, "huggingface")
    assert visible(tmp_path / "tiny") == sorted(files)
    assert not any("evil" in path for path, _ in hub.asked)


@pytest.mark.parametrize("answer", [b"<html>", b'{"error": "Repository not found"}', b"7"])
@pytest.mark.parametrize("wanted", HUBS)
def test_an_answer_that_is_no_list_is_an_error_that_says_so(
    hub: Hub, tmp_path: Path, wanted: str, answer: bytes
) -> None:
    for path in hub.files:
        if "/api/" in path:
            hub.files[path] = answer
    with pytest.raises(FetchError, match="gives no list of files"):
        fetch(UNLISTED, tmp_path / "tiny", hub, wanted)


def test_another_revision_is_taken_as_its_hub_lists_it(tmp_path: Path) -> None:
    files = {**tiny_files(), "generation_config.json": b'{"max_new_tokens": 7}'}
    entry = at_revision(tiny_entry(), "main")
    with running_hub(huggingface(files, revision="main")) as hub:
        assert fetch(entry, tmp_path / "tiny", hub, "huggingface").unchecked == ()
    assert (tmp_path / "tiny" / "generation_config.json").read_bytes() == files[
        "generation_config.json"
    ]


# --- files that a person copied ----------------------------------------------------------------


def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "copied"
    folder.mkdir()
    for name, content in tiny_files().items():
        (folder / name).write_bytes(content)
    return folder


def test_a_folder_that_was_copied_by_hand_gives_the_files(hub: Hub, tmp_path: Path) -> None:
    fetched = fetch(tiny_entry(), tmp_path / "tiny", hub, str(copied(tmp_path)))
    assert fetched.brought == tuple(sorted(tiny_files()))
    assert hub.asked == []


def test_files_copied_into_place_are_checked_and_used(hub: Hub, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    checked_files(folder)
    assert fetch(tiny_entry(), folder, hub, "huggingface").source is None
    assert hub.asked == []


def test_everything_wrong_with_a_copied_folder_is_named_before_anything_is_copied(
    hub: Hub, tmp_path: Path
) -> None:
    folder = copied(tmp_path)
    (folder / "chat_template.jinja").unlink()
    (folder / "processor_config.json").unlink()
    (folder / "model.safetensors").write_bytes(b"half")
    with pytest.raises(FetchError) as caught:
        fetch(tiny_entry(), tmp_path / "tiny", hub, str(folder))
    message = str(caught.value)
    assert f"chat_template.jinja, processor_config.json not found in {folder}" in message
    assert "model.safetensors has 4 bytes there" in message
    assert "revision abc" in message
    assert visible(tmp_path / "tiny") == []


def test_a_copied_folder_of_the_original_layout_is_told_from_one_with_missing_files(
    hub: Hub, tmp_path: Path
) -> None:
    folder = copied(tmp_path)
    (folder / "config.json").write_text('{"thinker_config": {"text_config": {}}}')
    with pytest.raises(FetchError, match=rf"original layout .* --convert {folder}"):
        fetch(tiny_entry(), tmp_path / "tiny", hub, str(folder))


def test_a_recogniser_where_the_aligner_was_wanted_is_told(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="tells no times of words"):
        fetch(tiny_entry(role="aligner"), tmp_path / "tiny", hub, str(copied(tmp_path)))


# --- a real cut --------------------------------------------------------------------------------


def start_fetch(hub: Hub, folder: Path) -> subprocess.Popen[bytes]:
    """The whole fetch in a process of its own, which can be killed."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.weights.tiny import tiny_entry\n"
        "from transcription.weights.fetch import choose_sources, fetch_model\n"
        "entry = tiny_entry()\n"
        f"sources = choose_sources('huggingface', entry, huggingface_endpoint={hub.url!r})\n"
        f"fetched = fetch_model(entry, Path({str(folder)!r}), sources=sources,\n"
        "    say=lambda line: print(line, flush=True))\n"
        "print('from', fetched.source)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, env=os.environ
    )


def test_a_fetch_that_was_killed_goes_on_at_the_byte_where_it_was(hub: Hub, tmp_path: Path) -> None:
    # The file is written by the megabyte: so much has to come before anything is on the disk.
    folder, cut = tmp_path / "tiny", 1_200_000
    hub.stalls = [cut]
    first = start_fetch(hub, folder)
    assert hub.stalled.wait(60)
    partial = folder / ".model.safetensors.part"
    while not (partial.exists() and partial.stat().st_size):
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    left = partial.stat().st_size
    assert 0 < left <= cut
    assert "model.safetensors" not in visible(folder)
    hub.asked.clear()
    second = start_fetch(hub, folder)
    output, _ = second.communicate(timeout=120)
    assert output.decode().splitlines()[-1] == "from huggingface"
    weights = f"/{REPO}/resolve/abc/model.safetensors"
    assert (weights, f"bytes={left}-") in hub.asked
    # What had come whole is not asked for again.
    assert f"/{REPO}/resolve/abc/config.json" not in [path for path, _ in hub.asked]
    assert {name: (folder / name).read_bytes() for name in tiny_files()} == tiny_files()


def test_of_two_processes_that_fetch_one_model_the_second_waits(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    hub.stalls = [1000]
    first = start_fetch(hub, folder)
    assert hub.stalled.wait(60)
    second = start_fetch(hub, folder)
    assert second.stdout is not None
    assert b"Another fetch into" in second.stdout.readline()
    # The connection ends in the middle; the first fetch takes it up again by itself.
    hub.over.set()
    first_output, _ = first.communicate(timeout=120)
    second_output, _ = second.communicate(timeout=120)
    assert first_output.decode().splitlines()[-1] == "from huggingface"
    assert second_output.decode().splitlines()[-1] == "from None"
    assert {name: (folder / name).read_bytes() for name in tiny_files()} == tiny_files()


def test_what_an_interrupted_fetch_left_counts_as_room(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tiny_files()["model.safetensors"]
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / ".model.safetensors.part").write_bytes(content[:-1000])
    small = sum(len(data) for name, data in tiny_files().items() if name != "model.safetensors")
    spare = 64 * 1024 * 1024
    monkeypatch.setattr("transcription.weights.fetch.free_bytes", lambda _: spare + small + 999)
    with pytest.raises(FetchError, match="disk space"):
        fetch(tiny_entry(), folder, hub, "huggingface")
    monkeypatch.setattr("transcription.weights.fetch.free_bytes", lambda _: spare + small + 1000)
    assert fetch(tiny_entry(), folder, hub, "huggingface").source == "huggingface"
