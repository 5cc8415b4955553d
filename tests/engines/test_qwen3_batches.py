"""How a batch goes through Qwen3-ASR: what is read together, and how much at most."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.engines.tone_words import held_out
from transcription.engines.base import Clip, EngineConfig
from transcription.engines.qwen3 import decisions, recognizer
from transcription.engines.qwen3.cache import growing_cache, joined_rows, keep_rows
from transcription.engines.qwen3_asr import Qwen3AsrEngine

TINY = Path(__file__).parent / "tiny-qwen3-asr"


def loaded(**options: object) -> Qwen3AsrEngine:
    engine = Qwen3AsrEngine(
        EngineConfig(weights_dir=TINY, device="cpu", threads=1, options=options)
    )
    engine.load()
    return engine


def clips(count: int) -> list[Clip]:
    return [
        Clip(samples=tone.samples, language=tone.forced_language, context=tone.context)
        for tone in held_out(count)
    ]


def test_a_gpu_reads_all_prompts_at_once_and_a_cpu_none_with_padding():
    lengths = [7, 3, 7, 9]
    assert decisions.prefill_groups(lengths, together=True) == [[0, 1, 2, 3]]
    assert decisions.prefill_groups(lengths, together=False) == [[0, 2], [1], [3]]


def test_prompts_read_at_once_or_one_by_one_end_in_the_same_texts(monkeypatch):
    engine = loaded(dtype="float32")
    apart = engine.transcribe(clips(12))
    monkeypatch.setattr(
        recognizer, "prefill_groups", lambda lengths, together: [list(range(len(lengths)))]
    )
    together = engine.transcribe(clips(12))
    assert [one.text for one in together] == [one.text for one in apart]
    assert any(one.text for one in apart)


def filled(values: list[list[float]]) -> torch.Tensor:
    """Keys of one head and width 1: shape (clips, 1, tokens, 1)."""
    return torch.tensor(values)[:, None, :, None]


def test_caches_are_joined_with_their_padding_on_the_left():
    parts = []
    for rows, values in (([2, 0], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), ([1], [[7.0, 8.0]])):
        cache = growing_cache(2)
        for layer in range(2):
            cache.update(filled(values) + 10 * layer, -filled(values), layer)
        parts.append((rows, cache))
    joined = joined_rows(parts, tokens=3)
    expected = [[4.0, 5.0, 6.0], [0.0, 7.0, 8.0], [1.0, 2.0, 3.0]]
    assert joined.layers[0].keys[:, 0, :, 0].tolist() == expected
    assert joined.layers[0].values[:, 0, :, 0].tolist() == [[-v for v in row] for row in expected]
    # And it goes on: the second token of the first row's neighbour is where it was.
    keys, _ = joined.update(filled([[50.0], [51.0], [52.0]]), filled([[0.0]] * 3), 1)
    assert keys[1, 0, :, 0].tolist() == [0.0, 17.0, 18.0, 51.0]
    keep_rows(joined, torch.tensor([1]), drop_tokens=1)
    assert joined.layers[1].keys[0, 0, :, 0].tolist() == [17.0, 18.0, 51.0]


@pytest.mark.parametrize("requests", [1, 2, 4, 8, 16, 64])
def test_no_number_of_clips_brings_more_through_the_model_than_the_setting(monkeypatch, requests):
    engine = loaded(max_batch_seconds=8.0)
    batches: list[float] = []
    answer = engine._recognizer.answer

    def counted(asked):
        batches.append(len(asked) * max(one.clip.duration_seconds for one in asked))
        return answer(asked)

    monkeypatch.setattr(engine._recognizer, "answer", counted)
    given = [Clip(samples=clip.samples[:32_000]) for clip in clips(requests)]
    assert len(engine.transcribe(given)) == requests
    assert max(batches) <= 8.0
    if requests >= 16:
        assert max(batches) > 4.0, "small batches keep any bound"
