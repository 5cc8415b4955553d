"""What the tests of the engines share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.tiny import clip_of, loaded
from tests.engines.tone_words import ToneClip, held_out
from transcription.engines.base import Result
from transcription.engines.qwen3_asr import Qwen3AsrEngine


@pytest.fixture(scope="session")
def engine() -> Iterator[Qwen3AsrEngine]:
    """A loaded engine on the first tiny checkpoint."""
    engine = loaded()
    yield engine
    engine.unload()


@pytest.fixture(scope="session")
def tones() -> list[ToneClip]:
    """Clips that no model was trained on."""
    return held_out(200)


@pytest.fixture(scope="session")
def one_by_one(engine: Qwen3AsrEngine, tones: list[ToneClip]) -> list[Result]:
    """What the engine makes of each of them alone."""
    return [engine.transcribe([clip_of(tone)])[0] for tone in tones]
