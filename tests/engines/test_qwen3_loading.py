"""Loading, reloading and unloading the engine; checkpoints that it refuses."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engines.tiny import TINY, TINY_B, answers, clip_of, loaded, make_engine, right_answers
from tests.engines.tone_words import LEXICON_A, LEXICON_B, held_out, speak
from transcription.engines.base import Clip, EngineError, WeightsError
from transcription.engines.qwen3.int8 import cpu_has_int8


def test_the_engine_reports_what_it_has_loaded():
    report = make_engine(dtype="float32").load()
    assert (report.device, report.dtype) == ("cpu", "float32")
    parameters = sum(t.numel() for t in load_file(TINY / "model.safetensors").values())
    assert report.memory_bytes == pytest.approx(4 * parameters, rel=0.01)
    assert report.load_seconds > 0
    smaller = make_engine().load()
    if cpu_has_int8():
        assert smaller.dtype == "int8"
        assert smaller.memory_bytes < 0.5 * report.memory_bytes


def test_a_reload_with_the_second_checkpoint_writes_its_words_and_back_again():
    samples = speak("Cloud tiger. Kate.")
    digests, texts = [], []
    for folder in (TINY, TINY_B, TINY):
        engine = make_engine(folder)
        digests.append(engine.load().digest)
        texts.append(engine.transcribe([Clip(samples=samples)])[0].text)
        engine.unload()
    assert texts == ["Cloud tiger. Kate.", "Wheel chair. Sara.", "Cloud tiger. Kate."]
    assert digests[0] == digests[2] != digests[1]


def test_the_second_checkpoint_writes_its_held_out_clips_exactly():
    tones = held_out(60, lexicon=LEXICON_B)
    results = loaded(TINY_B).transcribe([clip_of(tone) for tone in tones])
    assert answers(results) == right_answers(tones)
    assert set(LEXICON_A.english).isdisjoint(LEXICON_B.english)


def test_the_digest_follows_the_options_that_change_the_text_and_no_others():
    plain = make_engine().load().digest
    assert make_engine(max_batch_seconds=30.0, max_batch_clips=2).load().digest == plain
    assert make_engine(tokens_reserve=64).load().digest != plain
    assert make_engine(dtype="float32").load().digest != plain


def test_an_engine_that_is_not_loaded_or_was_unloaded_says_so():
    engine = make_engine()
    with pytest.raises(EngineError, match="not loaded"):
        engine.transcribe([Clip(samples=speak("Seven."))])
    engine.load()
    engine.unload()
    engine.unload()
    with pytest.raises(EngineError, match="not loaded"):
        engine.transcribe([Clip(samples=speak("Seven."))])
    engine.load()
    assert engine.transcribe([Clip(samples=speak("Seven."))])[0].text == "Seven."


# --- broken checkpoints


@pytest.fixture
def copy(tmp_path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "copy"))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def refusal(folder: Path, **options: object) -> str:
    engine = make_engine(folder, **options)
    with pytest.raises(WeightsError) as caught:
        engine.load()
    with pytest.raises(EngineError, match="not loaded"):
        engine.transcribe([Clip(samples=speak("Seven."))])
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
        *("processor_config.json", "chat_template.jinja"),
    ],
)
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    message = refusal(copy)
    assert name in message
    assert "missing" in message
    assert "fetch_model" in message


def test_a_missing_tensor_is_refused_by_name(copy):
    name = "model.multi_modal_projector.linear_2.weight"
    change_weights(copy, lambda tensors: tensors.pop(name))
    message = refusal(copy)
    assert f"missing: {name}" in message
    assert "would be random" in message


def test_an_unknown_tensor_is_refused_by_name(copy):
    change_weights(copy, lambda tensors: tensors.update({"model.extra.weight": torch.zeros(3)}))
    assert "unknown: model.extra.weight" in refusal(copy)


def test_a_tensor_of_another_shape_is_refused(copy):
    name = "model.audio_tower.ln_post.weight"
    change_weights(copy, lambda tensors: tensors.update({name: torch.zeros(7)}))
    assert name in refusal(copy)


def test_a_file_that_was_copied_halfway_is_refused(copy):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    assert "only partly copied" in refusal(copy)
    path.write_bytes(b"\x00" * 100)
    assert "damaged" in refusal(copy)
    path.write_bytes(b"<!DOCTYPE html><html>Sign in</html>")
    assert "damaged" in refusal(copy)


def test_weights_that_compute_no_numbers_are_refused(copy):
    name = "model.language_model.norm.weight"
    change_weights(copy, lambda tensors: tensors[name].fill_(float("nan")))
    assert "compute no numbers" in refusal(copy, dtype="float32")


def test_a_tokenizer_of_another_model_is_refused(copy):
    text = (copy / "tokenizer.json").read_text().replace("<asr_text>", "<other_text>")
    (copy / "tokenizer.json").write_text(text)
    assert "does not belong to its model" in refusal(copy)


def test_a_damaged_tokenizer_is_refused(copy):
    (copy / "tokenizer.json").write_text("{")
    assert "tokenizer" in refusal(copy)


def test_a_sharded_checkpoint_is_read_and_a_missing_shard_is_named(copy):
    from transformers import Qwen3ASRForConditionalGeneration

    whole = Qwen3ASRForConditionalGeneration.from_pretrained(TINY, dtype=torch.float16)
    (copy / "model.safetensors").unlink()
    whole.save_pretrained(copy, max_shard_size="600KB")
    shards = sorted(copy.glob("model-*.safetensors"))
    assert len(shards) > 1
    assert loaded(copy).transcribe([Clip(samples=speak("Seven."))])[0].text == "Seven."
    shards[1].unlink()
    assert shards[1].name in refusal(copy)
