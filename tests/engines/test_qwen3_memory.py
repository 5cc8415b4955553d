"""What the engine does when memory runs out, and how it keeps within its bounds."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from tests.engines.tiny import answers, clip_of, loaded
from tests.engines.tone_words import speak
from transcription.engines.base import Clip, EngineMemoryError
from transcription.engines.qwen3.int8 import Int8Linear, cpu_has_int8
from transcription.engines.qwen3.recognizer import Recognizer, Request


def fail_when(
    monkeypatch: pytest.MonkeyPatch, is_too_much: Callable[[Sequence[Request]], bool]
) -> list[int]:
    """Let memory run out, in the middle of the work, whenever a batch is too much."""
    sizes: list[int] = []
    real = Recognizer.answer

    def answer(self: Recognizer, requests: Sequence[Request]) -> object:
        sizes.append(len(requests))
        if is_too_much(requests):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return real(self, requests)

    monkeypatch.setattr(Recognizer, "answer", answer)
    return sizes


def test_out_of_memory_halves_the_batch_until_it_fits(tones, one_by_one, monkeypatch):
    engine = loaded()
    sizes = fail_when(monkeypatch, lambda requests: len(requests) > 3)
    results = engine.transcribe([clip_of(tone) for tone in tones[:40]])
    assert answers(results) == answers(one_by_one[:40])
    assert max(sizes) == 16
    # It learns: what did not fit is not tried again and again.
    assert sum(size > 3 for size in sizes) < len(sizes) / 2


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_out_of_memory_at_random_calls_loses_no_text(tones, one_by_one, monkeypatch, seed):
    engine = loaded()
    random = np.random.default_rng(seed)
    # Never three times in a row: that would be a device on which not one clip fits.
    failures = [0]

    def too_much(requests: Sequence[Request]) -> bool:
        fails = bool(random.random() < 0.4) and failures[0] < 2
        failures[0] = failures[0] + 1 if fails else 0
        return fails

    fail_when(monkeypatch, too_much)
    results = engine.transcribe([clip_of(tone) for tone in tones[:60]])
    assert answers(results) == answers(one_by_one[:60])


def test_a_single_clip_that_does_not_fit_is_an_error_in_words(monkeypatch):
    engine = loaded()
    fail_when(monkeypatch, lambda requests: True)
    with pytest.raises(EngineMemoryError, match="Not even one clip of"):
        engine.transcribe([Clip(samples=speak("Seven.")), Clip(samples=speak("Small."))])
    monkeypatch.undo()
    assert engine.transcribe([Clip(samples=speak("Seven."))])[0].text == "Seven."


def test_the_batch_grows_back_once_there_is_memory_again(tones, monkeypatch):
    engine = loaded()
    scarce = [True]
    fail_when(monkeypatch, lambda requests: scarce[0] and len(requests) > 1)
    engine.transcribe([clip_of(tone) for tone in tones[:8]])
    shrunk = engine._budget_seconds
    scarce[0] = False
    for _ in range(60):
        engine.transcribe([Clip(samples=speak("Seven."))])
    assert shrunk < engine._budget_seconds <= engine.options.max_batch_seconds


def test_an_error_that_is_not_about_memory_is_not_swallowed(engine, monkeypatch):
    def broken(self: Recognizer, requests: Sequence[Request]) -> object:
        raise RuntimeError("device-side assert triggered")

    monkeypatch.setattr(Recognizer, "answer", broken)
    with pytest.raises(RuntimeError, match="device-side assert"):
        engine.transcribe([Clip(samples=speak("Seven."))])


def test_one_call_never_puts_more_through_the_model_than_the_budget(tones, monkeypatch):
    engine = loaded(max_batch_seconds=20.0, max_batch_clips=5)
    batches: list[Sequence[Request]] = []
    fail_when(monkeypatch, lambda requests: bool(batches.append(requests)))
    engine.transcribe([clip_of(tone) for tone in tones[:50]])
    for batch in batches:
        longest = max(request.clip.duration_seconds for request in batch)
        assert len(batch) <= 5
        assert len(batch) == 1 or longest * len(batch) <= 20.0


# --- int8 layers


@pytest.mark.skipif(not cpu_has_int8(), reason="this processor has no kernels for int8")
def test_an_int8_row_is_exactly_the_same_in_any_batch_and_near_the_float_one():
    torch.manual_seed(4)
    linear = torch.nn.Linear(192, 96)
    quantised = Int8Linear(linear)
    rows = torch.randn(33, 192) * torch.logspace(-4, 4, 33).unsqueeze(1)
    rows[5] = 0.0
    together = quantised(rows)
    assert torch.equal(together, torch.cat([quantised(row.unsqueeze(0)) for row in rows]))
    assert torch.equal(together, quantised(rows.view(3, 11, 192)).view(33, 96))
    expected = linear(rows)
    error = (together - expected).norm(dim=1) / expected.norm(dim=1)
    assert error.max() < 0.04
