"""The tiny checkpoint as an entry of a catalogue, and as two hubs would serve it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from transcription.weights.catalogue import FileEntry, HubEntry, ModelEntry

TINY = Path(__file__).parents[1] / "engines" / "tiny-qwen3-asr"
REPO = "owner/tiny-hf"


def tiny_entry(**changes: Any) -> ModelEntry:
    """Listed as the real ones are: every file with its size and digest."""
    files = tuple(
        FileEntry(
            name=path.name,
            size_bytes=path.stat().st_size,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            wheel_members=(),
        )
        for path in sorted(TINY.iterdir())
    )
    entry = ModelEntry(
        name="tiny",
        title="Tiny",
        engine="qwen3_asr",
        licence="MIT",
        homepage="https://example.com/tiny",
        files=files,
        huggingface=HubEntry(repo=REPO, revision="abc"),
        modelscope=HubEntry(repo=REPO, revision="master"),
    )
    return replace(entry, **changes)


def tiny_files() -> dict[str, bytes]:
    """Name -> content."""
    return {path.name: path.read_bytes() for path in sorted(TINY.iterdir())}


def huggingface(files: Mapping[str, bytes], *, revision: str = "abc") -> dict[str, bytes]:
    """Path -> content, as Hugging Face serves a repository, its list included."""
    served = {f"/{REPO}/resolve/{revision}/{name}": content for name, content in files.items()}
    listed: list[dict[str, Any]] = [{"type": "directory", "path": "figures", "size": 0, "oid": ""}]
    for name, content in files.items():
        blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        entry = {"type": "file", "path": name, "size": len(content), "oid": blob}
        if name.endswith(".safetensors"):
            # The blob of a large file is a pointer, whose digest says nothing of the file.
            entry["oid"] = "0" * 40
            entry["lfs"] = {
                "oid": hashlib.sha256(content).hexdigest(),
                "size": len(content),
                "pointerSize": 135,
            }
        listed.append(entry)
    url = f"/api/models/{REPO}/tree/{revision}?recursive=true"
    return {**served, url: json.dumps(listed).encode()}


def modelscope(files: Mapping[str, bytes], *, revision: str = "master") -> dict[str, bytes]:
    """Path -> content, as ModelScope serves a repository, its list included."""
    served = {
        f"/models/{REPO}/resolve/{revision}/{name}": content for name, content in files.items()
    }
    listed = [{"Type": "tree", "Path": "figures", "Size": 0, "Sha256": ""}] + [
        {
            "Type": "blob",
            "Path": name,
            "Size": len(content),
            "Sha256": hashlib.sha256(content).hexdigest(),
        }
        for name, content in files.items()
    ]
    url = f"/api/v1/models/{REPO}/repo/files?Recursive=true&Revision={revision}"
    answer = {"Code": 200, "Success": True, "Data": {"Files": listed}}
    return {**served, url: json.dumps(answer).encode()}
