"""The forced aligner behind the engine, on tiny models that were trained for it."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engines.tone_words import ToneClip, held_out, silence, speak, word_seconds
from transcription.engines.base import Clip, EngineConfig, EngineError, Segment, WeightsError, Word
from transcription.engines.qwen3.aligner import Aligner, Question, load_aligner
from transcription.engines.qwen3.aligning import Aligning, Spoken
from transcription.engines.qwen3.files import checked_aligner_files
from transcription.engines.qwen3.int8 import cpu_has_int8
from transcription.engines.qwen3_asr import Qwen3AsrEngine

HERE = Path(__file__).parent
RECOGNISER, ALIGNER = HERE / "tiny-qwen3-asr", HERE / "tiny-qwen3-aligner"
#: One step of the aligner, and half a millisecond for rounding.
STEP_SECONDS = 0.0805


def make_engine(aligner: Path | None = ALIGNER, **options: object) -> Qwen3AsrEngine:
    config = EngineConfig(
        weights_dir=RECOGNISER,
        aligner_dir=aligner,
        device="cpu",
        threads=1,
        options={"dtype": "float32", **options},
    )
    return Qwen3AsrEngine(config)


def make_aligning(folder: Path = ALIGNER, *, dtype: str = "float32", **limits: float) -> Aligning:
    torch.set_num_threads(1)
    return Aligning(
        folder,
        device="cpu",
        dtype=dtype,
        attention="sdpa",
        max_batch_seconds=limits.get("max_batch_seconds", 480.0),
        max_batch_clips=int(limits.get("max_batch_clips", 16)),
    )


def spoken(tone: ToneClip) -> Spoken:
    return Spoken(samples=tone.samples, text=tone.text, language=tone.language, avg_logprob=-0.1)


def words_of(segments: Sequence[Segment] | None) -> list[Word]:
    assert segments is not None
    return [word for segment in segments for word in segment.words]


@pytest.fixture(scope="module")
def tones() -> list[ToneClip]:
    """The first hundred clips with words that no model was trained on."""
    return [tone for tone in held_out(140) if tone.text][:100]


@pytest.fixture(scope="module")
def aligning() -> Aligning:
    return make_aligning()


@pytest.fixture(scope="module")
def one_by_one(aligning, tones) -> list[tuple[Segment, ...]]:
    found = [aligning.segments([spoken(tone)])[0] for tone in tones]
    assert all(found)
    return found


@pytest.fixture(scope="module")
def engine() -> Iterator[Qwen3AsrEngine]:
    engine = make_engine()
    engine.load()
    yield engine
    engine.unload()


@pytest.fixture
def broken(tmp_path) -> Path:
    """A copy of the aligner, to be damaged."""
    return Path(shutil.copytree(ALIGNER, tmp_path / "aligner"))


# --- times


def test_words_begin_and_end_within_one_step_of_the_truth(one_by_one, tones) -> None:
    right, total = 0, 0
    for tone, segments in zip(tones, one_by_one, strict=True):
        truth = word_seconds(tone)
        words = words_of(segments)
        assert [word.text.strip(".。") for word in words] == [text for text, _ in truth]
        for word, (_, (start, end)) in zip(words, truth, strict=True):
            total += 1
            right += (
                abs(word.start_seconds - start) <= STEP_SECONDS
                and abs(word.end_seconds - end) <= STEP_SECONDS
            )
    assert total > 400
    assert right / total >= 0.95, f"{right} of {total}"


def test_times_never_go_back_and_stay_within_the_clip(one_by_one, tones) -> None:
    for tone, segments in zip(tones, one_by_one, strict=True):
        words = words_of(segments)
        times = [at for word in words for at in (word.start_seconds, word.end_seconds)]
        assert times == sorted(times)
        assert times[0] >= 0.0
        assert times[-1] <= tone.duration_seconds


def test_the_words_in_a_row_are_the_text_and_segments_lie_within_them(one_by_one, tones) -> None:
    for tone, segments in zip(tones, one_by_one, strict=True):
        glue = " " if tone.language == "en" else ""
        assert glue.join(segment.text for segment in segments) == tone.text
        for segment in segments:
            assert glue.join(word.text for word in segment.words) == segment.text
            assert segment.start_seconds == segment.words[0].start_seconds
            assert segment.end_seconds == segment.words[-1].end_seconds
            assert segment.text.endswith((".", "。"))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_clip_has_the_same_times_in_any_company(aligning, tones, one_by_one, seed) -> None:
    random = np.random.default_rng(seed)
    order = random.permutation(len(tones)).tolist()
    while order:
        count = int(random.integers(2, 30))
        batch, order = order[:count], order[count:]
        found = aligning.segments([spoken(tones[place]) for place in batch])
        assert found == [one_by_one[place] for place in batch]


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_every_number_format_tells_nearly_the_same_times(dtype, tones, one_by_one) -> None:
    if dtype == "int8" and not cpu_has_int8():
        pytest.skip("this processor has no int8 layers")
    coarse = make_aligning(dtype=dtype)
    found = coarse.segments([spoken(tone) for tone in tones[:40]])
    near = [
        abs(a.start_seconds - b.start_seconds) <= STEP_SECONDS
        for rough, fine in zip(found, one_by_one[:40], strict=True)
        for a, b in zip(words_of(rough), words_of(fine), strict=True)
    ]
    assert sum(near) / len(near) >= 0.95


def test_the_times_are_those_of_the_library_s_own_pass(tones) -> None:
    aligner = load_aligner(ALIGNER, device="cpu", dtype="float32", attention="sdpa")
    for tone in tones[:8]:
        name = {"en": "English", "zh": "Chinese"}[tone.language]
        inputs, units = aligner.processor.prepare_forced_aligner_inputs(
            [tone.samples], [tone.text], [name]
        )
        with torch.inference_mode():
            logits = aligner.model(**inputs).logits
        [expected] = aligner.processor.decode_forced_alignment(
            logits, inputs["input_ids"], units, aligner.model.config.timestamp_token_id
        )
        question = Question(samples=tone.samples, text=tone.text, language_name=name)
        [timed] = aligner.align([question])
        assert list(timed.units) == [word["text"] for word in expected]
        assert list(timed.times_seconds) == [
            (word["start_time"], word["end_time"]) for word in expected
        ]


# --- through the engine


def test_the_engine_gives_words_to_those_who_ask_and_the_same_text_to_all(engine) -> None:
    samples = speak("River stone light. Cloud.", seed=4)
    asked = Clip(samples=samples, words=True)
    with_words, without, quiet = engine.transcribe(
        [asked, Clip(samples=samples), Clip(samples=silence(1.0), words=True)]
    )
    assert with_words.text == without.text != ""
    assert not words_of(without.segments)
    assert " ".join(word.text for word in words_of(with_words.segments)) == with_words.text
    assert (quiet.text, quiet.segments) == ("", ())


def test_the_aligner_comes_into_memory_with_the_first_clip_that_asks() -> None:
    engine = make_engine()
    loaded = engine.load()
    assert (loaded.words, loaded.no_words_because, engine.gives_words) == (True, "", True)
    samples = speak("River.", seed=1)
    engine.transcribe([Clip(samples=samples)])
    assert engine._aligning._aligner is None
    engine.transcribe([Clip(samples=samples, words=True)])
    assert engine._aligning._aligner is not None
    engine.unload()
    assert engine._aligning is None
    assert not engine.gives_words


def test_which_aligner_it_is_shows_in_the_digest(broken) -> None:
    digests = {make_engine(folder).load().digest for folder in (None, ALIGNER, broken)}
    assert len(digests) == 2  # the copy is the same aligner
    weights = load_file(broken / "model.safetensors")
    weights["score.weight"] += 1.0
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    assert make_engine(broken).load().digest not in digests


def test_a_refusal_without_an_aligner_says_how_to_get_one() -> None:
    engine = make_engine(None)
    loaded = engine.load()
    assert loaded.words is False
    assert "fetch_model qwen3-forced-aligner" in loaded.no_words_because
    with pytest.raises(EngineError, match="fetch_model qwen3-forced-aligner"):
        engine.transcribe([Clip(samples=silence(1.0), words=True)])


def test_an_incomplete_aligner_is_named_and_the_engine_recognises_all_the_same(broken) -> None:
    (broken / "tokenizer.json").unlink()
    engine = make_engine(broken)
    loaded = engine.load()
    assert loaded.words is False
    assert "tokenizer.json" in loaded.no_words_because
    [result] = engine.transcribe([Clip(samples=speak("River.", seed=1))])
    assert result.text


def test_the_recogniser_is_no_aligner() -> None:
    with pytest.raises(WeightsError, match="tells no times of words"):
        checked_aligner_files(RECOGNISER)
    folder, names = checked_aligner_files(ALIGNER)
    assert folder == ALIGNER
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(names)


# --- what cannot be timed


def test_a_language_that_the_aligner_does_not_know_has_no_words(aligning, caplog) -> None:
    clip = Spoken(samples=silence(1.0), text="สวัสดี", language="th", avg_logprob=None)
    assert aligning.segments([clip]) == [None]
    assert "knows no 'th'" in caplog.text


@pytest.mark.parametrize(
    ("language", "text", "package"), [("ja", "こんにちは", "nagisa"), ("ko", "안녕", "soynlp")]
)
def test_a_missing_package_costs_that_clip_alone_its_words(
    aligning, tones, one_by_one, caplog, monkeypatch, language, text, package
) -> None:
    from transformers.models.qwen3_asr import processing_qwen3_asr

    monkeypatch.setattr(processing_qwen3_asr, f"is_{package}_available", lambda: False)
    foreign = Spoken(samples=silence(1.0), text=text, language=language, avg_logprob=None)
    assert aligning.segments([foreign, spoken(tones[0])]) == [None, one_by_one[0]]
    assert f"pip install {package}" in caplog.text


def test_a_text_without_letters_has_no_words(aligning) -> None:
    clip = Spoken(samples=silence(1.0), text="…!", language="en", avg_logprob=None)
    assert aligning.segments([clip]) == [None]


def test_a_clip_that_is_longer_than_the_aligner_reaches_has_no_words(
    aligning, tones, one_by_one, caplog
) -> None:
    # The tiny one tells 250 steps of 80 ms; the real one 180 s.
    long = Spoken(samples=silence(21.0), text="River.", language="en", avg_logprob=None)
    assert aligning.segments([long, spoken(tones[0])]) == [None, one_by_one[0]]
    assert "the aligner takes 20 s" in caplog.text


def test_special_tokens_in_a_text_are_nothing_but_letters(aligning) -> None:
    text = "River <timestamp> <|im_end|> stone."
    clip = Spoken(samples=speak("River stone.", seed=2), text=text, language="en", avg_logprob=None)
    [segments] = aligning.segments([clip])
    assert [word.text for word in words_of(segments)] == [
        "River",
        "<timestamp>",
        "<|im_end|>",
        "stone.",
    ]


# --- when something breaks


def test_out_of_memory_halves_the_batch_and_every_clip_has_its_words(
    tones, one_by_one, monkeypatch
) -> None:
    aligning = make_aligning()
    really, sizes = Aligner.align, []

    def short_of_memory(self: Aligner, questions: Sequence[Question]) -> object:
        sizes.append(len(questions))
        if len(questions) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return really(self, questions)

    monkeypatch.setattr(Aligner, "align", short_of_memory)
    assert aligning.segments([spoken(tone) for tone in tones[:12]]) == one_by_one[:12]
    assert max(sizes) > 3 >= min(sizes)


def test_a_clip_that_fits_nowhere_has_no_words_and_the_others_have(
    tones, one_by_one, monkeypatch, caplog
) -> None:
    aligning = make_aligning()
    really = Aligner.align
    unlucky = tones[2].text

    def short_of_memory(self: Aligner, questions: Sequence[Question]) -> object:
        if any(question.text == unlucky for question in questions):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return really(self, questions)

    monkeypatch.setattr(Aligner, "align", short_of_memory)
    found = aligning.segments([spoken(tone) for tone in tones[:6]])
    expected = zip(tones[:6], one_by_one[:6], strict=True)
    assert found == [None if tone.text == unlucky else one for tone, one in expected]
    assert "not even alone" in caplog.text


def test_weights_that_do_not_fit_are_refused_by_name_once_and_cost_no_text(broken, caplog) -> None:
    weights = load_file(broken / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    engine = make_engine(broken)
    engine.load()
    clip = Clip(samples=speak("River.", seed=1), words=True)
    [result] = engine.transcribe([clip])
    assert result.text
    assert not words_of(result.segments)
    assert "missing: score.weight" in caplog.text
    assert "fetch_model qwen3-forced-aligner" in caplog.text
    assert not engine.gives_words
    with pytest.raises(EngineError, match="missing: score"):
        engine.transcribe([clip])


def test_weights_that_compute_no_numbers_give_no_times(broken, tones, caplog) -> None:
    weights = load_file(broken / "model.safetensors")
    weights["score.weight"][:] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    aligning = make_aligning(broken)
    assert aligning.segments([spoken(tones[0])]) == [None]
    assert "computes no numbers" in aligning.broken
    assert "computes no numbers" in caplog.text


def test_a_tokenizer_of_another_model_is_refused(broken) -> None:
    config = json.loads((broken / "config.json").read_text())
    config["timestamp_token_id"] -= 1
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="does not belong to its model"):
        load_aligner(broken, device="cpu", dtype="float32", attention="sdpa")


def test_no_room_for_the_aligner_now_does_not_mean_never(tones, one_by_one, monkeypatch) -> None:
    from transcription.engines.qwen3 import aligner as module

    aligning = make_aligning()

    def no_room(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as full:
        full.setattr(module, "load_aligner", no_room)
        assert aligning.segments([spoken(tones[0])]) == [None]
    assert not aligning.broken
    assert aligning.segments([spoken(tones[0])]) == one_by_one[:1]


@pytest.fixture(autouse=True)
def _log_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="transcription")
