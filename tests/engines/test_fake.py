"""The fake engine: what it writes is a function of what it was given, and of nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transcription.engines.base import (
    SAMPLE_RATE_HZ,
    Clip,
    EngineConfig,
    EngineError,
    EngineMemoryError,
    WeightsError,
)
from transcription.engines.fake import FakeEngine

REPOSITORY = Path(__file__).resolve().parents[2]


def loaded(**options: object) -> FakeEngine:
    engine = FakeEngine(EngineConfig(options=options))
    engine.load()
    return engine


def clip(seconds: float = 10.0, seed: int = 1, **more: Any) -> Clip:
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, int(seconds * SAMPLE_RATE_HZ))
    return Clip(samples=samples.astype(np.float32), **more)


def test_the_same_clip_has_the_same_text_in_any_company() -> None:
    engine = loaded()
    [alone] = engine.transcribe([clip(seed=1)])
    company = engine.transcribe([clip(seed=2), clip(seed=1, words=True), clip(3.0, seed=3)])
    assert company[1].text == alone.text
    assert len({result.text for result in company}) == 3
    assert loaded().transcribe([clip(seed=1)])[0].text == alone.text


def test_one_other_sample_gives_another_text() -> None:
    samples = clip().samples.copy()
    samples[100] += 0.001
    [before, after] = loaded().transcribe([clip(), Clip(samples=samples)])
    assert before.text != after.text


def test_the_text_begins_with_the_voice_and_the_digest_changes_with_it() -> None:
    first = FakeEngine(EngineConfig(options={"voice": "one"}))
    second = FakeEngine(EngineConfig(options={"voice": "two"}))
    assert first.load().digest != second.load().digest
    assert first.transcribe([clip()])[0].text.startswith("one ")
    assert second.transcribe([clip()])[0].text.startswith("two ")


def test_working_slower_is_no_other_model() -> None:
    fast = FakeEngine(EngineConfig()).load()
    slow = FakeEngine(EngineConfig(options={"seconds_per_second": 0.001})).load()
    assert fast.digest == slow.digest


def test_longer_clips_have_more_words() -> None:
    short, long = loaded(words_per_second=3).transcribe([clip(2.0), clip(20.0)])
    assert len(short.text.split()) == 6
    assert len(long.text.split()) == 60


def test_segments_cover_the_text_and_the_clip() -> None:
    [result] = loaded().transcribe([clip(10.0, words=True)])
    assert " ".join(segment.text for segment in result.segments) == result.text
    assert result.segments[0].start_seconds == 0.0
    assert result.segments[-1].end_seconds == pytest.approx(10.0)
    for segment in result.segments:
        assert " ".join(word.text for word in segment.words) == segment.text
        assert segment.words[0].start_seconds == segment.start_seconds
        assert segment.words[-1].end_seconds == segment.end_seconds


def test_words_are_given_only_where_they_are_wanted() -> None:
    [result] = loaded().transcribe([clip()])
    assert all(segment.words == () for segment in result.segments)


def test_the_language_is_the_hint_or_its_own() -> None:
    engine = loaded(language="fr")
    hinted, free = engine.transcribe([clip(language="zh"), clip()])
    assert (hinted.language, hinted.language_probability) == ("zh", None)
    assert (free.language, free.language_probability) == ("fr", 1.0)
    assert " " not in hinted.text


@pytest.mark.parametrize("samples", [np.zeros(16_000), np.zeros(0), np.full(16_000, 1e-6)])
def test_silence_has_no_text_and_no_language(samples: Any) -> None:
    [result] = loaded().transcribe([Clip(samples=samples.astype(np.float32))])
    assert (result.text, result.language, result.segments) == ("", None, ())


def test_a_clip_over_the_limit_is_refused() -> None:
    with pytest.raises(EngineError, match=r"2\.0 s is longer than the 1 s"):
        loaded(max_clip_seconds=1).transcribe([clip(2.0)])


def test_a_model_that_was_never_loaded_says_so() -> None:
    engine = FakeEngine(EngineConfig())
    with pytest.raises(EngineError, match="not loaded"):
        engine.transcribe([clip()])
    engine.load()
    engine.unload()
    with pytest.raises(EngineError, match="not loaded"):
        engine.transcribe([clip()])


def test_loading_fails_as_it_is_told() -> None:
    with pytest.raises(WeightsError, match=r"model\.bin is missing"):
        FakeEngine(EngineConfig(options={"load_error": "model.bin is missing"})).load()


def test_it_spends_the_time_it_is_told_and_shares_it_by_length() -> None:
    short, long = loaded(seconds_per_second=0.01).transcribe([clip(1.0), clip(3.0)])
    assert short.engine_seconds + long.engine_seconds >= 0.04
    assert long.engine_seconds == pytest.approx(3 * short.engine_seconds)


def test_orders_in_the_context_are_obeyed_where_that_is_allowed() -> None:
    engine = loaded(obey_context=True)
    with pytest.raises(EngineError, match="ordered"):
        engine.transcribe([clip(context="names [fake:error]")])
    with pytest.raises(EngineMemoryError):
        engine.transcribe([clip(context="[fake:memory]")])
    with pytest.raises(EngineError, match="no order named 'dance'"):
        engine.transcribe([clip(context="[fake:dance]")])
    length, repetition, eos = engine.transcribe(
        [clip(context="[fake:length]"), clip(context="[fake:repetition]"), clip(context="names")]
    )
    reasons = [length.finish_reason, repetition.finish_reason, eos.finish_reason]
    assert reasons == ["length", "repetition", "eos"]


def test_orders_in_the_context_are_words_where_that_is_not_allowed() -> None:
    [plain, ordered] = loaded().transcribe([clip(), clip(context="[fake:kill]")])
    assert plain.text == ordered.text


def test_an_order_to_kill_ends_the_process() -> None:
    script = (
        "import numpy as np\n"
        "from transcription.engines.base import Clip, EngineConfig\n"
        "from transcription.engines.fake import FakeEngine\n"
        "engine = FakeEngine(EngineConfig(options={'obey_context': True}))\n"
        "engine.load()\n"
        "engine.transcribe([Clip(samples=np.ones(9, dtype=np.float32), context='[fake:kill]')])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_context_may_order_that_it_leaks() -> None:
    leaky = clip(context="[fake:leak] etcd,  Kubernetes")
    [leaked] = loaded(obey_context=True).transcribe([leaky])
    assert leaked.text == leaked.segments[0].text == "etcd, Kubernetes"
    [heard] = loaded().transcribe([leaky])
    assert heard.text.startswith("fake ")
