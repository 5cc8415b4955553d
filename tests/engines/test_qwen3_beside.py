"""New weights are loaded while the old ones serve: neither disturbs the other."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("torch")

import torch
from transformers import Qwen3ASRForConditionalGeneration

from tests.engines.tiny import TINY, TINY_B, clip_of, loaded, make_engine
from tests.engines.tone_words import held_out
from transcription.engines.qwen3 import checkpoint
from transcription.engines.qwen3.recognizer import Recognizer


def test_texts_stay_the_same_while_another_checkpoint_is_loaded_and_unloaded() -> None:
    tones = [clip_of(tone) for tone in held_out(8)]
    engine = loaded(TINY)
    alone = [result.text for result in engine.transcribe(tones)]
    over = threading.Event()
    errors: list[Exception] = []

    def load_again_and_again() -> None:
        try:
            while not over.is_set():
                for options in ({}, {"dtype": "float32"}):
                    other = make_engine(TINY_B, **options)
                    other.load()
                    other.unload()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=load_again_and_again)
    thread.start()
    try:
        for _ in range(2):
            assert [result.text for result in engine.transcribe(tones)] == alone
    finally:
        over.set()
        thread.join()
    assert errors == []


def test_the_default_number_format_never_changes_under_a_batch(monkeypatch) -> None:
    # float16, as the checkpoint is stored: the library makes that the process's default.
    seen: set[torch.dtype] = set()
    changed: set[torch.dtype] = set()
    really = Recognizer._embedded_prompt

    def watched(self: Recognizer, request: object) -> torch.Tensor:
        for _ in range(200):
            seen.add(torch.get_default_dtype())
        return really(self, request)

    built = checkpoint.built_between_batches(Qwen3ASRForConditionalGeneration)
    context = built.get_init_context

    def entered(*args: object, **kwargs: object) -> list[object]:
        class Note:
            def __enter__(self) -> None:
                changed.add(torch.get_default_dtype())

            def __exit__(self, *_error: object) -> None: ...

        return [*context(*args, **kwargs), Note()]

    engine = loaded(TINY)
    monkeypatch.setattr(Recognizer, "_embedded_prompt", watched)
    monkeypatch.setattr(built, "get_init_context", entered)
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            make_engine(TINY_B).load()

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for tone in held_out(10):
            engine.transcribe([clip_of(tone)])
    finally:
        over.set()
        thread.join()
    assert seen == {torch.float32}
    assert changed == {torch.float16}
