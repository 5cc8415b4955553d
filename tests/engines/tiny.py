"""The tiny Qwen3-ASR checkpoints, and engines on them: see ``tone_words``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.engines.tone_words import ToneClip
from transcription.engines.base import Clip, EngineConfig, Result
from transcription.engines.qwen3_asr import Qwen3AsrEngine

TINY = Path(__file__).parent / "tiny-qwen3-asr"
#: Hears the same tones and writes other words.
TINY_B = Path(__file__).parent / "tiny-qwen3-asr-b"


def make_engine(folder: Path = TINY, **options: object) -> Qwen3AsrEngine:
    # One thread: on models this small a second one costs more than it brings.
    return Qwen3AsrEngine(
        EngineConfig(weights_dir=folder, device="cpu", threads=1, options=options)
    )


def loaded(folder: Path = TINY, **options: object) -> Qwen3AsrEngine:
    engine = make_engine(folder, **options)
    engine.load()
    return engine


def clip_of(tone: ToneClip) -> Clip:
    return Clip(samples=tone.samples, language=tone.forced_language, context=tone.context)


def right_answers(tones: Sequence[ToneClip]) -> list[tuple[str, str | None]]:
    # A forced language in silence is no language that was heard.
    return [(tone.text, tone.language if tone.text else None) for tone in tones]


def answers(results: Sequence[Result]) -> list[tuple[str, str | None]]:
    return [(result.text, result.language) for result in results]
