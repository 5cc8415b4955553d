"""The comparison of batches: its figures with plain values, its sides with the tiny checkpoint."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command

from transcription.engines.base import Clip
from transcription.engines.qwen3.checkpoint import load_checkpoint
from transcription.engines.qwen3.options import Qwen3AsrOptions
from transcription.engines.qwen3.sides import (
    FixedLengthRecognizer,
    one_after_another,
    our_batches,
)
from transcription.management.benchmarks import batches
from transcription.management.benchmarks.batches import Side, SideError, Turn

TINY = Path(__file__).parents[1] / "engines" / "tiny-qwen3-asr"
CLIPS = [Clip(samples=np.zeros(length, np.float32)) for length in (16_000, 4_000, 40_000)]


def turns(*seconds: float) -> list[Turn]:
    return [Turn(seconds=one, cpu_seconds=2 * one) for one in seconds]


def test_the_ratios_are_taken_round_by_round() -> None:
    found = batches.figures(
        # The machine was slow in the second round, for everybody.
        {"ours": turns(10, 40, 10), "single": turns(30, 80, 21), "package": turns(15, 40, 16)},
        our_dtype="int8",
        their_dtype="bfloat16",
        tokens=40,
    )
    values = {figure.name: figure.value for figure in found}
    assert values["over one after another (bfloat16), median"] == 2.1
    assert values["over qwen-asr's batch (bfloat16), median"] == 1.5
    assert values["our batches (int8), real-time factor"] == sum(batches.CLIP_SECONDS) / 10
    assert all(figure.kept for figure in found if figure.promise)


def test_a_promise_that_is_not_kept_is_told() -> None:
    found = batches.figures(
        {"ours": turns(30), "single": turns(40), "package": turns(33)},
        our_dtype="int8",
        their_dtype="float32",
        tokens=40,
    )
    assert [figure.kept for figure in found if figure.promise] == [False, False, False]


def test_without_the_package_nothing_is_said_of_it() -> None:
    found = batches.figures(
        {"ours": turns(10), "single": turns(30)}, our_dtype="int8", their_dtype="x", tokens=1
    )
    assert not [figure for figure in found if "qwen-asr" in figure.name]


def test_ours_and_the_library_write_the_same_number_of_tokens() -> None:
    torch.set_num_threads(1)  # a second one costs more than it brings on a model this small
    checkpoint = load_checkpoint(TINY, device="cpu", dtype="float32", attention="sdpa")
    recognizer = FixedLengthRecognizer(
        checkpoint, device="cpu", dtype="float32", max_context_tokens=1
    )
    # Silence, for which the model would write three tokens and end.
    options = Qwen3AsrOptions(max_batch_clips=2)
    assert our_batches(recognizer, CLIPS, tokens=45, options=options)([2, 0, 1]) == [45] * 3
    assert one_after_another(checkpoint, CLIPS, tokens=45)([2, 0, 1]) == [45] * 3


def job(tmp_path: Path, **facts: object) -> dict[str, object]:
    np.savez(tmp_path / "clips.npz", **{str(n): clip.samples for n, clip in enumerate(CLIPS)})
    return {
        "side": "ours",
        "weights": str(TINY),
        "clips": str(tmp_path / "clips.npz"),
        "tokens": 5,
        "threads": 1,
        "device": "cpu",
        "dtype": "float32",
        "options": {},
        **facts,
    }


def test_a_side_is_loaded_once_and_then_takes_turns(tmp_path) -> None:
    with batches._side(batches._OUR_PROGRAM, job(tmp_path)) as side:
        assert (side.told["device"], side.told["dtype"]) == ("cpu", "float32")
        for _ in range(2):
            turn = side.turn([0, 2])
            assert turn.seconds > 0
            assert turn.cpu_seconds > 0


def side_that(work: str) -> list[str]:
    """A program whose work on ``clips`` is this expression."""
    script = (
        "from transcription.engines.side import serve\n"
        f"serve(lambda job: (lambda clips: {work}, {{}}))\n"
    )
    return [sys.executable, "-c", script]


def test_a_side_that_writes_fewer_tokens_is_found_out(tmp_path) -> None:
    with (
        batches._side(side_that("[5, 4]"), job(tmp_path)) as side,
        pytest.raises(SideError, match=r"wrote \[5, 4\] tokens"),
    ):
        side.turn([0, 1])


def test_what_a_library_prints_does_not_get_between_the_answers(tmp_path) -> None:
    with batches._side(side_that("print('talk') or [5, 5]"), job(tmp_path)) as side:
        assert side.turn([0, 1]).seconds >= 0


def test_a_side_that_ends_is_an_error_with_its_name(tmp_path) -> None:
    with pytest.raises(SideError, match="ours ended with status 3"):
        Side([sys.executable, "-c", "raise SystemExit(3)"], job(tmp_path))


def test_without_the_package_s_environment_the_benchmark_says_how_to_make_it(tmp_path) -> None:
    with pytest.raises(CommandError, match=r"tools/qwen_asr/venv\.sh"):
        call_command(
            "benchmark", "batches", engine="qwen3_asr", qwen_asr_python=tmp_path / "python"
        )


@pytest.mark.parametrize(
    ("parts", "engine", "complaint"),
    [
        (["batches"], "whisper", "batches cannot be asked of the engine whisper"),
        (["throughput"], "qwen3_asr", "throughput cannot be asked of the engine qwen3_asr"),
        (["concurrency"], "qwen3_asr", "Name the weights"),
        (["speed"], "fake", "There is no speed"),
    ],
)
def test_a_part_that_an_engine_has_not_is_refused(parts, engine, complaint) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("benchmark", *parts, engine=engine)


def test_the_whole_comparison_on_a_tiny_checkpoint() -> None:
    found = batches.measure(
        weights=TINY, options={}, threads=1, device="cpu", rounds=1, tokens=2, package_python=None
    )
    assert {figure.unit for figure in found} >= {"x", "times", "s"}
    assert json.dumps([vars(figure) for figure in found])
