"""The guard against a context in the text, with a real model that does write it there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from django.conf import settings

from tests.speech import read_audio
from transcription.engines.base import Clip, EngineConfig
from transcription.engines.whisper import WhisperEngine
from transcription.work.hearing import hear

CONTEXT = "The weekly garden programme of Radio Anywhere, with roses, tulips and dahlias."


def test_what_whisper_writes_of_its_prompt_when_nobody_speaks_is_taken_out() -> None:
    engine = WhisperEngine(
        EngineConfig(
            weights_dir=Path(settings.WEIGHTS_DIR, "whisper-base"), device="cpu", threads=2
        )
    )
    engine.load()
    noise = np.random.default_rng(0).standard_normal(3 * 16_000).astype(np.float32) * 0.05
    spoken = read_audio(settings.BASE_DIR / "samples" / "english.wav")
    clips = [
        Clip(samples=samples, language="en", context=CONTEXT)
        for samples in (noise.clip(-1, 1), spoken)
    ]
    leaked, said = engine.transcribe(clips)
    assert "garden programme of Radio Anywhere" in leaked.text
    from_noise, from_speech = hear(engine, clips)
    assert (from_noise.result.text, from_noise.context_dropped) == ("", True)
    assert (from_speech.result.text, from_speech.context_dropped) == (said.text, False)
    assert said.text.startswith("Good morning.")
