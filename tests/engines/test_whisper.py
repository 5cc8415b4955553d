"""The Whisper engine with its real weights, on real recordings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings

from tests.speech import own_samples, read_audio, speech_samples
from transcription.engines import whisper_model
from transcription.engines.base import (
    SAMPLE_RATE_HZ,
    Clip,
    EngineConfig,
    EngineError,
    EngineMemoryError,
    Result,
    WeightsError,
)
from transcription.engines.whisper import REQUIRED_FILES, WhisperEngine
from transcription.engines.whisper_baseline import bare_library
from transcription.engines.whisper_drafts import compression_ratio
from transcription.engines.whisper_model import WhisperModel
from transcription.text.scoring import count_errors, usual_unit

REPOSITORY = Path(__file__).resolve().parents[2]


def weights_dir() -> Path:
    folder = Path(settings.WEIGHTS_DIR, "whisper-base")
    if not (folder / "model.bin").is_file():
        pytest.fail(f"No weights in {folder}: run `manage.py fetch_model whisper-base`.")
    return folder


def engine_with(**options: object) -> WhisperEngine:
    return WhisperEngine(
        EngineConfig(weights_dir=weights_dir(), device="cpu", threads=2, options=options)
    )


@pytest.fixture(scope="module")
def whisper() -> Iterator[WhisperEngine]:
    engine = engine_with()
    engine.load()
    yield engine
    engine.unload()


@pytest.fixture(scope="module")
def own() -> dict[str, Any]:
    """The repository's own recordings that are short enough for one clip."""
    samples = {sample.name: read_audio(sample.path) for sample in own_samples()}
    return {name: one for name, one in samples.items() if len(one) < 30 * SAMPLE_RATE_HZ}


def reference(name: str) -> str:
    return next(sample.reference for sample in own_samples() if sample.name == name)


def errors_of(pairs: Sequence[tuple[str, str]], language: str) -> float:
    return count_errors(pairs, language=language, unit=usual_unit(language)).rate


def noise(seconds: float, seed: int = 1) -> Any:
    random = np.random.default_rng(seed)
    return random.normal(0, 0.1, int(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


# --- what it hears -----------------------------------------------------------------------------


def test_the_english_sample_is_right_word_for_word(
    whisper: WhisperEngine, own: dict[str, Any]
) -> None:
    [result] = whisper.transcribe([Clip(samples=own["english"])])
    assert result.text == reference("english")
    assert result.language == "en"
    assert result.language_probability is not None
    assert result.language_probability > 0.9
    assert result.finish_reason == "eos"
    assert result.engine_seconds > 0


def test_its_sentences_are_segments_with_the_times_at_which_they_were_said(
    whisper: WhisperEngine, own: dict[str, Any]
) -> None:
    [result] = whisper.transcribe([Clip(samples=own["english"])])
    assert [segment.text for segment in result.segments] == [
        "Good morning.",
        "Thank you for calling.",
        "The next train to the city leaves in the afternoon.",
        "Please bring your ticket and something warm to wear.",
    ]
    for segment, start in zip(result.segments, (0.1, 1.3, 2.8, 5.6), strict=True):
        assert segment.start_seconds == pytest.approx(start, abs=0.25)
        assert segment.start_seconds < segment.end_seconds <= len(own["english"]) / SAMPLE_RATE_HZ


@pytest.mark.parametrize("name", ["english", "chinese"])
def test_words_are_given_with_their_times_where_they_are_wanted(
    whisper: WhisperEngine, own: dict[str, Any], name: str
) -> None:
    [plain, timed] = whisper.transcribe(
        [Clip(samples=own[name]), Clip(samples=own[name], words=True)]
    )
    assert timed.text == plain.text
    assert all(segment.words == () for segment in plain.segments)
    words = [word for segment in timed.segments for word in segment.words]
    glue = " " if name == "english" else ""
    assert glue.join(word.text for word in words) == timed.text
    times = [at for word in words for at in (word.start_seconds, word.end_seconds)]
    assert times == sorted(times)
    assert times[-1] <= len(own[name]) / SAMPLE_RATE_HZ
    assert all(0 < (word.probability or 0) <= 1 for word in words)


def test_english_and_french_have_few_wrong_words_and_the_right_language(
    whisper: WhisperEngine,
) -> None:
    samples = speech_samples("en", "fr")
    results = whisper.transcribe([Clip(samples=read_audio(one.path)) for one in samples])
    assert [result.language for result in results] == [one.language for one in samples]
    for language in ("en", "fr"):
        pairs = [
            (one.reference, result.text)
            for one, result in zip(samples, results, strict=True)
            if one.language == language
        ]
        assert errors_of(pairs, language) <= 0.15


def test_chinese_is_recognised(whisper: WhisperEngine, own: dict[str, Any]) -> None:
    [result] = whisper.transcribe([Clip(samples=own["chinese"])])
    assert result.language == "zh"
    assert errors_of([(reference("chinese"), result.text)], "zh") <= 0.1


# --- company -------------------------------------------------------------------------------------


def facts(result: Result) -> tuple[Any, ...]:
    return (result.text, result.language, result.finish_reason, result.segments)


def test_a_clip_has_the_same_result_in_any_company(
    whisper: WhisperEngine, own: dict[str, Any]
) -> None:
    english, walk, chinese = own["english"], own["formats/walk"], own["chinese"]
    clips = [
        Clip(samples=english),
        Clip(samples=walk, words=True),
        Clip(samples=chinese),
        Clip(samples=walk, context="Walks in the park."),
        Clip(samples=walk, language="en"),
        Clip(samples=np.concatenate([english, walk])),
    ]
    alone = [facts(whisper.transcribe([clip])[0]) for clip in clips]
    together = [facts(result) for result in whisper.transcribe(clips)]
    for (text, language, reason, _), other in zip(alone, together, strict=True):
        assert other[:3] == (text, language, reason)
    # Other neighbours, another order, and twice the same clip.
    order = [4, 1, 1, 5, 0, 3, 2, 1, 0]
    mixed = [facts(result) for result in whisper.transcribe([clips[index] for index in order])]
    for index, found in zip(order, mixed, strict=True):
        assert found[:3] == alone[index][:3]
        # The times and probabilities move in the last digits with the size of the batch.
        assert [one.text for one in found[3]] == [one.text for one in alone[index][3]]
        for one, other in zip(found[3], alone[index][3], strict=True):
            assert one.start_seconds == pytest.approx(other.start_seconds, abs=0.1)
            assert one.end_seconds == pytest.approx(other.end_seconds, abs=0.1)


def test_small_batches_write_what_large_ones_write(
    whisper: WhisperEngine, own: dict[str, Any]
) -> None:
    clips = [Clip(samples=own["formats/walk"])] * 3
    small = engine_with(batch_seconds=10)
    small.load()
    expected = [result.text for result in whisper.transcribe(clips)]
    assert [result.text for result in small.transcribe(clips)] == expected


def test_no_clips_have_no_results(whisper: WhisperEngine) -> None:
    assert whisper.transcribe([]) == []


# --- hints ---------------------------------------------------------------------------------------


def test_a_language_that_is_insisted_on_is_obeyed(
    whisper: WhisperEngine, own: dict[str, Any]
) -> None:
    [result] = whisper.transcribe([Clip(samples=own["formats/walk"], language="fr")])
    assert (result.language, result.language_probability) == ("fr", None)


def test_a_likely_language_decides_only_where_detection_is_unsure(
    whisper: WhisperEngine, own: dict[str, Any]
) -> None:
    hesitant = engine_with(language_probability=1.0)
    hesitant.load()
    clip = Clip(samples=own["formats/walk"], likely_language="de")
    assert whisper.transcribe([clip])[0].language == "en"
    assert hesitant.transcribe([clip])[0].language == "de"


def test_an_unsure_language_is_listened_for_in_the_full_window(
    own: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    windows: list[float] = []
    really = WhisperModel.hear

    def hear(self: WhisperModel, jobs: Any, *rest: Any) -> Any:
        windows.extend(job.window_seconds for job in jobs)
        return really(self, jobs, *rest)

    monkeypatch.setattr(WhisperModel, "hear", hear)
    clip = Clip(samples=own["formats/walk"])
    sure = engine_with(language_probability=0.0)
    sure.load()
    assert sure.transcribe([clip])[0].language == "en"
    assert windows == [15.0]
    windows.clear()
    # Nothing is ever surer than that.
    unsure = engine_with(language_probability=1.0)
    unsure.load()
    assert unsure.transcribe([clip])[0].language == "en"
    assert windows == [15.0, 30.0]


def test_cantonese_is_taken_for_chinese_by_a_model_that_does_not_know_it(
    whisper: WhisperEngine, own: dict[str, Any]
) -> None:
    [result] = whisper.transcribe([Clip(samples=own["chinese"], language="yue")])
    assert result.language == "yue"
    assert errors_of([(reference("chinese"), result.text)], "zh") <= 0.2


def test_a_language_that_the_model_does_not_know_is_refused_by_name(
    whisper: WhisperEngine, own: dict[str, Any]
) -> None:
    with pytest.raises(EngineError, match="'tlh'"):
        whisper.transcribe([Clip(samples=own["formats/walk"], language="tlh")])


def test_the_context_sets_the_spelling(whisper: WhisperEngine) -> None:
    [sample] = [one for one in speech_samples("en") if one.name.endswith("quick_brown_fox")]
    samples = read_audio(sample.path)
    shouting = "THE QUICK BROWN FOX IN CAPITAL LETTERS. AND SO IT GOES ON."
    [plain, shouted] = whisper.transcribe(
        [Clip(samples=samples), Clip(samples=samples, context=shouting)]
    )
    assert plain.text == "The quick brown fox jumps over the lazy dog."
    assert "QUICK BROWN FOX" in shouted.text


def test_a_context_of_any_length_is_taken(whisper: WhisperEngine, own: dict[str, Any]) -> None:
    clip = Clip(samples=own["formats/walk"], context="The park and the walk. " * 500)
    [result] = whisper.transcribe([clip])
    assert "park" in result.text


# --- where there is nothing to hear, or something goes wrong -------------------------------------


@pytest.mark.parametrize("seconds", [0.0, 0.01, 12.0])
def test_a_silent_clip_brings_down_nothing(whisper: WhisperEngine, seconds: float) -> None:
    silent = np.zeros(int(seconds * SAMPLE_RATE_HZ), dtype=np.float32)
    [result] = whisper.transcribe([Clip(samples=silent)])
    assert len(result.text) < 20
    assert (result.language is None) == (result.text == "") == (result.segments == ())


@pytest.mark.parametrize("seconds", [4.0, 12.0, 28.0])
def test_noise_never_gives_an_endless_text(whisper: WhisperEngine, seconds: float) -> None:
    [result] = whisper.transcribe([Clip(samples=noise(seconds))])
    assert compression_ratio(result.text) <= 2.4
    assert len(result.text) < 200


def test_a_text_that_hits_the_limit_of_tokens_says_so(
    whisper: WhisperEngine, own: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper_model, "max_new_tokens", lambda window: 7)
    [result] = whisper.transcribe([Clip(samples=own["english"])])
    assert result.finish_reason == "length"
    assert reference("english").startswith(result.text.rstrip("."))
    assert 5 <= len(result.text.split()) <= 7


@pytest.mark.parametrize(
    ("samples", "wrong"),
    [
        (noise(31), "31.00 s is longer than the 30 s"),
        (noise(1).astype(np.float64), "float32"),
        (noise(1).reshape(2, -1), "shape"),
        (np.full(16_000, np.nan, dtype=np.float32), "no finite numbers"),
    ],
)
def test_a_clip_that_it_cannot_take_is_refused(
    whisper: WhisperEngine, samples: Any, wrong: str
) -> None:
    with pytest.raises(EngineError, match=wrong):
        whisper.transcribe([Clip(samples=samples)])


def test_a_batch_too_large_for_the_memory_is_halved_and_no_clip_is_lost(
    own: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_with()
    engine.load()
    clips = [Clip(samples=own["formats/walk"])] * 3 + [Clip(samples=own["chinese"])]
    expected = [result.text for result in engine.transcribe(clips)]
    sizes: list[int] = []
    hear = whisper_model.WhisperModel.hear

    def hear_two(self: Any, batch: Any, *rest: Any) -> Any:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise RuntimeError("CUDA failed with error out of memory")
        return hear(self, batch, *rest)

    monkeypatch.setattr(whisper_model.WhisperModel, "hear", hear_two)
    assert [result.text for result in engine.transcribe(clips)] == expected
    assert sizes == [4, 2, 2]


@pytest.mark.parametrize(
    ("failure", "raised", "message"),
    [
        (RuntimeError("CUDA failed with error out of memory"), EngineMemoryError, "one clip"),
        (MemoryError(), EngineMemoryError, "one clip"),
        (RuntimeError("CUDA failed with error unknown"), EngineError, "error unknown"),
    ],
)
def test_what_the_library_raises_comes_out_as_the_engines_own_error(
    whisper: WhisperEngine,
    own: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    raised: type[Exception],
    message: str,
) -> None:
    def fail(*anything: Any) -> Any:
        raise failure

    monkeypatch.setattr(whisper_model.WhisperModel, "hear", fail)
    with pytest.raises(raised, match=message):
        whisper.transcribe([Clip(samples=own["formats/walk"])])


# --- loading -------------------------------------------------------------------------------------


def copy_of_weights(folder: Path) -> Path:
    """The small files copied, the large one linked: a folder that a test may spoil."""
    folder.mkdir()
    for path in weights_dir().iterdir():
        if path.name == "model.bin":
            (folder / path.name).symlink_to(path)
        elif path.is_file() and not path.name.startswith("."):
            shutil.copy(path, folder)
    return folder


def test_the_digest_says_which_text_would_be_written() -> None:
    first = engine_with().load()
    assert engine_with(batch_seconds=60).load().digest == first.digest
    assert engine_with(beam_size=1).load().digest != first.digest
    assert (first.device, first.dtype) == ("cpu", "int8_float32")
    assert first.load_seconds > 0
    assert first.memory_bytes
    assert len(first.digest) == 64


def test_other_weights_have_another_digest(tmp_path: Path) -> None:
    folder = copy_of_weights(tmp_path / "weights")
    same = WhisperEngine(EngineConfig(weights_dir=folder, device="cpu")).load()
    assert same.digest == engine_with().load().digest
    with (folder / "config.json").open("a") as file:
        file.write("\n")
    other = WhisperEngine(EngineConfig(weights_dir=folder, device="cpu")).load()
    assert other.digest != same.digest


def test_missing_files_are_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        WhisperEngine(EngineConfig(weights_dir=tmp_path)).load()
    for names in REQUIRED_FILES:
        assert names.replace("|", " or ") in str(caught.value)
    assert "fetch_model" in str(caught.value)


def test_a_truncated_model_is_refused_and_nothing_stays_loaded(tmp_path: Path) -> None:
    folder = copy_of_weights(tmp_path / "weights")
    (folder / "model.bin").unlink()
    with (weights_dir() / "model.bin").open("rb") as whole:
        (folder / "model.bin").write_bytes(whole.read(10_000_000))
    engine = WhisperEngine(EngineConfig(weights_dir=folder, device="cpu"))
    with pytest.raises(WeightsError, match="--verify"):
        engine.load()
    with pytest.raises(EngineError, match="not loaded"):
        engine.transcribe([])


def test_a_broken_tokenizer_is_refused_by_name(tmp_path: Path) -> None:
    folder = copy_of_weights(tmp_path / "weights")
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(WeightsError, match=r"tokenizer\.json cannot be read"):
        WhisperEngine(EngineConfig(weights_dir=folder, device="cpu")).load()


@pytest.mark.parametrize("device", ["cuda:7", "tpu"])
def test_a_device_that_is_not_there_is_refused_by_name(device: str) -> None:
    engine = WhisperEngine(EngineConfig(weights_dir=weights_dir(), device=device))
    with pytest.raises(EngineError, match=device):
        engine.load()


def test_a_type_that_the_device_does_not_compute_in_is_refused() -> None:
    with pytest.raises(WeightsError, match="float99"):
        engine_with(compute_type="float99").load()


@pytest.mark.parametrize(
    "options",
    [
        {"beam_size": 0},
        {"window_step_seconds": 0},
        {"window_step_seconds": 31},
        {"window_step_seconds": 0.33333},
        {"window_tail_seconds": -1},
        {"temperature": 0.2},
    ],
)
def test_options_that_it_cannot_work_with_are_refused_when_it_is_built(
    options: dict[str, Any],
) -> None:
    with pytest.raises(EngineError, match="whisper"):
        WhisperEngine(EngineConfig(options=options))


def test_it_can_be_unloaded_and_loaded_again(own: dict[str, Any]) -> None:
    engine = engine_with()
    engine.unload()
    first = engine.load()
    engine.unload()
    with pytest.raises(EngineError, match="not loaded"):
        engine.transcribe([])
    assert engine.load().digest == first.digest
    assert engine.transcribe([Clip(samples=own["formats/walk"])])[0].text


def test_it_reaches_for_no_network_and_writes_nothing(tmp_path: Path) -> None:
    script = (
        "import socket, sys\n"
        "from pathlib import Path\n"
        "def refuse(*anything): raise AssertionError('reached for the network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import numpy as np\n"
        "from transcription.engines.base import Clip, EngineConfig\n"
        "from transcription.engines.registry import build\n"
        "engine = build('whisper', EngineConfig(weights_dir=Path(sys.argv[1]), device='cpu'))\n"
        "engine.load()\n"
        "engine.transcribe([Clip(samples=np.zeros(16000, dtype=np.float32))])\n"
        "print(sorted({'torch', 'transformers', 'django'} & set(sys.modules)))\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}}
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, str(weights_dir())],
        cwd=REPOSITORY,
        env={**kept, "HOME": str(home), "TMPDIR": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    assert list(home.rglob("*")) == []


def test_the_bare_library_hears_the_same(whisper: WhisperEngine, own: dict[str, Any]) -> None:
    run = bare_library([own["formats/walk"]], weights_dir=weights_dir(), threads=2, beam_size=5)
    assert run.texts == (whisper.transcribe([Clip(samples=own["formats/walk"])])[0].text,)
    assert run.seconds > 0
