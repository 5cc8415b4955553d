"""The engine on a checkpoint with the real shape of Qwen3-ASR-0.6B and random weights.

What it says means nothing; that it loads, what memory it takes and that it generates does.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

#: Gigabytes are written and read.
pytestmark = pytest.mark.timeout(900)

BASE_DIR = Path(__file__).parents[2]
MIB = 2**20
#: Parameters of the published 0.6B checkpoint's shape, the embedding shared with the head.
FULL_PARAMETERS = 782_426_112
#: Positions and angles that are computed, not stored.
BUFFER_BYTES = MIB

#: Loads and recognises in a process of its own, so that its peak is that of nothing else.
CHILD = """
import json, sys, threading, time
from pathlib import Path
import numpy as np, torch, transformers
from transformers import Qwen3ASRForConditionalGeneration, Qwen3ASRProcessor
from transcription.engines.base import Clip, EngineConfig
from transcription.engines.qwen3_asr import Qwen3AsrEngine

def own_bytes():  # without pages of mapped files, which the system takes back when it likes
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024

def watch():
    global peak
    while True:
        peak = max(peak, own_bytes())
        time.sleep(0.005)

before = peak = own_bytes()
threading.Thread(target=watch, daemon=True).start()
engine = Qwen3AsrEngine(EngineConfig(
    weights_dir=Path(sys.argv[1]), device="cpu", threads=1,
    options={"dtype": sys.argv[2], "tokens_per_second": 0, "tokens_reserve": 6},
))
loaded = engine.load()
peak_loading, after = peak, own_bytes()
samples = np.random.default_rng(1).standard_normal(32_000).astype(np.float32) / 10
results = engine.transcribe([Clip(samples=samples), Clip(samples=samples[:16_000])])
parameters = sum(part.numel() for part in engine._recognizer.checkpoint.model.parameters())
print(json.dumps({
    "dtype": loaded.dtype,
    "memory_bytes": loaded.memory_bytes,
    "parameters": parameters,
    "peak_bytes": peak_loading - before,
    "kept_bytes": after - before,
    "finish_reasons": [result.finish_reason for result in results],
}))
"""


def write_checkpoint(folder: Path, *arguments: str) -> Path:
    subprocess.run(
        [sys.executable, "-m", "tools.tiny_qwen3_asr.full_shape", str(folder), *arguments],
        cwd=BASE_DIR,
        check=True,
        capture_output=True,
    )
    return folder


def use(folder: Path, dtype: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), dtype],
        cwd=BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def shapes_in(folder: Path) -> dict[str, list[int]]:
    with safe_open(folder / "model.safetensors", framework="np") as stored:
        return {name: stored.get_slice(name).get_shape() for name in stored.keys()}  # noqa: SIM118


def int8_bytes(shapes: dict[str, list[int]]) -> int:
    """One byte for each weight of a linear layer and four for each of its outputs' scales.

    The embedding stays as it is stored and is packed once more as the head; the rest, biases,
    norms and convolutions, is in float32.
    """
    expected = 0
    for name, shape in shapes.items():
        count = math.prod(shape)
        if "embed_tokens" in name:
            expected += 2 * count
        if len(shape) == 2:
            expected += count + 4 * shape[0]
        else:
            expected += 4 * count
    return expected


def check(folder: Path, dtype: str) -> None:
    shapes = shapes_in(folder)
    stored_parameters = sum(math.prod(shape) for shape in shapes.values())
    used = use(folder, dtype)
    expected = int8_bytes(shapes) if dtype == "int8" else 2 * stored_parameters
    assert used["dtype"] == dtype
    assert abs(used["memory_bytes"] - expected) < BUFFER_BYTES
    assert set(used["finish_reasons"]) <= {"length", "eos"}
    # Never the model as it is stored and the one in use side by side.
    assert used["peak_bytes"] < max(expected, 2 * stored_parameters) + 300 * MIB
    assert used["kept_bytes"] < expected + 200 * MIB


@pytest.fixture(scope="module")
def two_layers(tmp_path_factory) -> Path:
    """All the widths, two of the 18 and of the 28 layers: 0.4 GB."""
    return write_checkpoint(tmp_path_factory.mktemp("two-layers"), "--layers", "2")


@pytest.mark.parametrize("dtype", ["int8", "bfloat16"])
def test_real_widths_need_the_memory_of_their_parameters_and_no_second_copy(two_layers, dtype):
    check(two_layers, dtype)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_full_shape_loads_generates_and_needs_the_memory_of_its_parameters(tmp_path):
    folder = write_checkpoint(tmp_path / "full")
    assert sum(math.prod(shape) for shape in shapes_in(folder).values()) == FULL_PARAMETERS
    for dtype in ("int8", "bfloat16"):
        check(folder, dtype)
