"""A folder of weights: is it complete, and which weights are they?"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from transcription.engines.base import WeightsError
from transcription.engines.weights import (
    STAMPS_NAME,
    load_digest,
    read_stamps,
    require_files,
    stamp_of_file,
    weights_digest,
)

HOW = "Fetch it."
NAMES = ("model.bin", "config.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / "config.json").write_bytes(b"{}")
    return tmp_path


def write_stamps(folder: Path) -> None:
    stamps = {name: asdict(stamp_of_file(folder / name)) for name in NAMES}
    (folder / STAMPS_NAME).write_text(json.dumps({"files": stamps}))


def change_behind_the_back(path: Path) -> None:
    """Other bytes, with the size and the time of before."""
    before = path.stat()
    path.write_bytes(b"W" + path.read_bytes()[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_complete_folder_is_taken(folder: Path) -> None:
    assert require_files(folder, (*NAMES, "a.txt|model.bin"), how_to_get=HOW) == folder


def test_each_missing_file_is_named_with_what_to_do(folder: Path) -> None:
    (folder / "config.json").write_bytes(b"")
    with pytest.raises(WeightsError) as caught:
        require_files(folder, (*NAMES, "a.txt|a.json"), how_to_get=HOW)
    assert "config.json, a.txt or a.json are missing or empty. Fetch it." in str(caught.value)


@pytest.mark.parametrize("there", [False, None])
def test_no_folder_is_an_error_with_what_to_do(tmp_path: Path, there: bool | None) -> None:
    with pytest.raises(WeightsError, match="Fetch it"):
        require_files(None if there is None else tmp_path / "no", NAMES, how_to_get=HOW)


def test_the_digest_is_of_names_and_bytes_and_of_nothing_else(folder: Path) -> None:
    before = weights_digest(folder, NAMES)
    os.utime(folder / "model.bin", (1, 1))
    assert weights_digest(folder, tuple(reversed(NAMES))) == before
    (folder / "model.bin").write_bytes(b"Weights")
    assert weights_digest(folder, NAMES) != before


def test_the_same_bytes_under_other_names_are_other_weights(folder: Path) -> None:
    before = weights_digest(folder, NAMES)
    (folder / "model.bin").rename(folder / "spare")
    (folder / "config.json").rename(folder / "model.bin")
    (folder / "spare").rename(folder / "config.json")
    assert weights_digest(folder, NAMES) != before


def test_stamps_do_not_change_the_digest(folder: Path) -> None:
    before = weights_digest(folder, NAMES)
    write_stamps(folder)
    assert weights_digest(folder, NAMES) == before
    assert weights_digest(folder, NAMES, trust_stamps=True) == before


def test_damage_since_the_fetch_is_found_and_named(folder: Path) -> None:
    write_stamps(folder)
    change_behind_the_back(folder / "model.bin")
    with pytest.raises(WeightsError, match=r"model\.bin is not the file .* --verify"):
        weights_digest(folder, NAMES)


def test_a_trusted_stamp_saves_the_reading(folder: Path) -> None:
    write_stamps(folder)
    before = weights_digest(folder, NAMES)
    change_behind_the_back(folder / "model.bin")
    # Not read, so not noticed: that is what is saved.
    assert weights_digest(folder, NAMES, trust_stamps=True) == before


def test_a_touched_file_is_read_in_spite_of_its_stamp(folder: Path) -> None:
    write_stamps(folder)
    (folder / "model.bin").write_bytes(b"other weights")
    with pytest.raises(WeightsError, match=r"model\.bin"):
        weights_digest(folder, NAMES, trust_stamps=True)


@pytest.mark.parametrize("content", ["", "[]", '{"files": {"a": 1}}', '{"files": {"a": {}}}'])
def test_a_damaged_file_of_stamps_counts_as_none(folder: Path, content: str) -> None:
    (folder / STAMPS_NAME).write_text(content)
    assert read_stamps(folder) == {}
    assert weights_digest(folder, NAMES)


def test_the_digest_of_a_load_changes_with_engine_weights_and_options() -> None:
    digests = {
        load_digest(engine="a", weights="w", options={"beam": 1}),
        load_digest(engine="b", weights="w", options={"beam": 1}),
        load_digest(engine="a", weights="v", options={"beam": 1}),
        load_digest(engine="a", weights="w", options={"beam": 2}),
    }
    assert len(digests) == 4
    assert load_digest(engine="a", weights="w", options={"x": 1, "y": 2}) == load_digest(
        engine="a", weights="w", options={"y": 2, "x": 1}
    )
