import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from transcription.engines.base import EngineConfig, EngineError, WeightsError
from transcription.engines.qwen3 import decisions, files
from transcription.engines.qwen3.languages import LANGUAGE_NAMES, code_of, known_code, name_of
from transcription.engines.qwen3.segments import (
    audible_span_seconds,
    sentences_of,
    timed_segments,
)
from transcription.engines.qwen3_asr import Qwen3AsrEngine

# --- device and number format


def test_auto_takes_the_first_gpu_and_without_one_the_cpu():
    assert decisions.choose_device("auto", cuda_devices=2) == "cuda:0"
    assert decisions.choose_device("auto", cuda_devices=0) == "cpu"
    assert decisions.choose_device("cuda:1", cuda_devices=2) == "cuda:1"
    assert decisions.choose_device("cpu", cuda_devices=2) == "cpu"


@pytest.mark.parametrize("wanted", ["cuda", "cuda:0", "cuda:7"])
def test_a_gpu_that_is_not_there_is_an_error_and_not_the_cpu(wanted):
    with pytest.raises(EngineError, match="torch sees 0 CUDA"):
        decisions.choose_device(wanted, cuda_devices=0)


@pytest.mark.parametrize("wanted", ["gpu", "cuda:", "cuda:x", "", "auto:1"])
def test_a_device_of_an_unknown_name_is_refused(wanted):
    with pytest.raises(EngineError, match="not a device"):
        decisions.choose_device(wanted, cuda_devices=4)


@pytest.mark.parametrize(
    ("wanted", "device", "bfloat16", "int8", "chosen"),
    [
        ("auto", "cuda:0", True, True, "bfloat16"),
        ("auto", "cuda:0", False, True, "float16"),
        ("auto", "cpu", False, True, "int8"),
        ("auto", "cpu", False, False, "float32"),
        ("float32", "cuda:0", True, True, "float32"),
        ("bfloat16", "cpu", False, True, "bfloat16"),
    ],
)
def test_the_number_format_follows_from_what_the_machine_has(
    wanted, device, bfloat16, int8, chosen
):
    assert chosen == decisions.choose_dtype(
        wanted, device=device, gpu_has_bfloat16=bfloat16, cpu_has_int8=int8
    )


@pytest.mark.parametrize(
    ("wanted", "device", "words"),
    [
        ("int8", "cuda:0", "for the CPU"),
        ("int8", "cpu", "no fast int8"),
        ("bfloat16", "cuda:0", "no bfloat16"),
    ],
)
def test_a_number_format_that_the_machine_has_not_is_refused(wanted, device, words):
    with pytest.raises(EngineError, match=words):
        decisions.choose_dtype(wanted, device=device, gpu_has_bfloat16=False, cpu_has_int8=False)


# --- batches


def test_batches_hold_similar_lengths_within_the_budget_and_lose_no_clip():
    random = np.random.default_rng(5)
    for _ in range(50):
        durations = random.uniform(0, 60, random.integers(0, 40)).tolist()
        batches = decisions.plan_batches(durations, budget_seconds=100, max_clips=6)
        assert sorted(index for batch in batches for index in batch) == list(range(len(durations)))
        for batch in batches:
            assert len(batch) <= 6
            longest = max(durations[index] for index in batch)
            assert longest * len(batch) <= 100
        lengths = [durations[index] for batch in batches for index in batch]
        assert lengths == sorted(lengths, reverse=True)


def test_a_clip_longer_than_the_budget_goes_alone():
    assert decisions.plan_batches([5, 200, 4], budget_seconds=100, max_clips=8) == [[1], [0, 2]]


def test_halving_keeps_every_clip_and_a_single_one_cannot_be_halved():
    assert decisions.halve([3, 1, 2]) == [[3], [1, 2]]
    with pytest.raises(ValueError, match="one clip"):
        decisions.halve([3])


def test_the_token_cap_grows_with_the_duration():
    assert decisions.token_cap(10, tokens_per_second=20, tokens_reserve=128) == 328
    assert decisions.token_cap(0.01, tokens_per_second=20, tokens_reserve=0) == 1
    assert decisions.token_cap(0, tokens_per_second=20, tokens_reserve=0) == 1


# --- loops


@pytest.mark.parametrize("unit", [1, 2, 3, 7, 16, 32])
def test_a_loop_is_found_and_reduced_to_its_first_turn(unit):
    head, turn = [900, 901, 902], list(range(unit))
    times = max(decisions.LOOP_TIMES, -(-decisions.LOOP_TOKENS // unit))
    assert decisions.loop_unit(head + turn * times) == unit
    assert decisions.without_loop(head + turn * times) == head + turn
    assert decisions.loop_unit(head + turn * (times - 1)) is None


@pytest.mark.parametrize(
    "tokens",
    [
        [],
        [1],
        [7] * 31,
        [1, 2, 3, 4] * 5,
        [1, 2] * 15 + [3],
        [5] * 40 + [6],
        list(range(400)),
    ],
)
def test_what_only_repeats_a_little_or_has_gone_on_is_no_loop(tokens):
    assert decisions.loop_unit(tokens) is None
    assert decisions.without_loop(tokens) == tokens


def test_going_on_with_a_repetition_costs_more_each_time_and_nothing_else_costs():
    assert decisions.loop_penalties([1, 2, 3], penalty=1.0) == {}
    assert decisions.loop_penalties([], penalty=1.0) == {}
    assert decisions.loop_penalties([9, 4, 4], penalty=1.0) == {4: 1.0}
    assert decisions.loop_penalties([9, 4, 4, 4], penalty=0.5)[4] == 1.0
    assert decisions.loop_penalties([1, 2, 1, 2], penalty=1.0) == {1: 1.0}
    most = decisions.loop_penalties([4] * 40, penalty=1.0)
    assert most == {4: float(decisions.LOOP_PENALTY_TIMES)}


# --- answers


@pytest.mark.parametrize(
    ("answer", "forced", "language", "text"),
    [
        ("language English<asr_text>Hello there. ", None, "English", "Hello there."),
        ("language Chinese<asr_text>你好。", None, "Chinese", "你好。"),
        ("language None<asr_text>", None, None, ""),
        ("Hello there.", "English", "English", "Hello there."),
        ("language German<asr_text>Hallo", "German", "German", "Hallo"),
        ("language Engl", None, None, ""),
        ("", None, None, ""),
        ("Hello without a mark", None, None, "Hello without a mark"),
        ("language English<asr_text>cut in a \ufffd", None, "English", "cut in a"),
        ("language is a strange word", "English", "English", "language is a strange word"),
    ],
)
def test_an_answer_is_taken_apart(answer, forced, language, text):
    heard = decisions.take_apart(answer, forced_language_name=forced)
    assert (heard.language_name, heard.text) == (language, text)


def test_the_thirty_languages_are_those_of_the_library():
    from transformers.models.qwen3_asr.processing_qwen3_asr import LANGUAGE_CODE_TO_NAME

    assert LANGUAGE_NAMES == LANGUAGE_CODE_TO_NAME
    assert len(LANGUAGE_NAMES) == 30


def test_codes_are_taken_with_region_and_names_in_any_case():
    assert known_code("zh-CN") == "zh"
    assert known_code("pt_BR") == "pt"
    assert known_code("YUE") == "yue"
    assert known_code("tlh") is None
    assert known_code(None) is None
    assert name_of("zh-Hant") == "Chinese"
    assert code_of(" english ") == "en"
    assert code_of("Klingon") == "und"
    with pytest.raises(EngineError, match="does not know the language 'tlh'"):
        name_of("tlh")


def test_running_out_of_memory_is_told_from_other_errors():
    import torch

    assert decisions.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert decisions.is_out_of_memory(MemoryError())
    assert decisions.is_out_of_memory(
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to…")
    )
    assert not decisions.is_out_of_memory(RuntimeError("shapes do not match"))
    assert not decisions.is_out_of_memory(ValueError("out of memory of what was said"))


# --- segments


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("no end", ["no end"]),
        ("One. Two! Three? four", ["One.", "Two!", "Three?", "four"]),
        ("你好。再见！真的吗？是", ["你好。", "再见！", "真的吗？", "是"]),
        ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
        ("It costs 3.14 at example.org today.", ["It costs 3.14 at example.org today."]),
        ("“Yes.” He left.", ["“Yes.”", "He left."]),
        ("Wait... what?!", ["Wait...", "what?!"]),
    ],
)
def test_a_text_is_cut_into_its_sentences(text, sentences):
    assert sentences_of(text) == sentences


def test_silence_before_and_after_is_no_part_of_the_first_and_last_segment():
    tone = 0.3 * np.sin(np.arange(32_000) / 5).astype(np.float32)
    samples = np.concatenate([np.zeros(16_000, np.float32), tone, np.zeros(8_000, np.float32)])
    assert audible_span_seconds(samples) == pytest.approx((1.0, 3.0), abs=0.05)
    first, second = timed_segments("Aa bb. Cccc dddd eeee.", samples, avg_logprob=-0.5)
    assert (first.start_seconds, second.end_seconds) == pytest.approx((1.0, 3.0), abs=0.05)
    assert first.end_seconds == second.start_seconds == pytest.approx(1.5, abs=0.05)
    assert first.avg_logprob == -0.5


@pytest.mark.parametrize("count", [0, 1, 799, 800, 12_345])
def test_segments_stay_within_clips_of_any_length(count):
    samples = np.zeros(count, np.float32)
    (segment,) = timed_segments("Only one.", samples, avg_logprob=None)
    assert 0 <= segment.start_seconds <= segment.end_seconds <= count / 16_000 + 0.001


# --- options and imports


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtpye": "int8"}, "no option named dtpye"),
        ({"dtype": "int4"}, "dtype has to be one of"),
        ({"attention": "magic"}, "attention has to be one of"),
        ({"max_clip_seconds": 181}, "at most 180"),
        ({"max_batch_clips": 0}, "max_batch_clips has to be more than 0"),
        ({"tokens_reserve": -1}, "must not be negative"),
        ({"tokens_reserve": 0, "tokens_per_second": 0}, "must not both be 0"),
        ({"language_threshold": 2}, "within 0 and 1"),
    ],
)
def test_a_wrong_option_is_refused_when_the_engine_is_built(options, words):
    with pytest.raises(EngineError, match=words):
        Qwen3AsrEngine(EngineConfig(options=options))


def test_building_the_engine_imports_no_torch():
    program = (
        "import sys\n"
        "from transcription.engines.base import EngineConfig\n"
        "from transcription.engines.qwen3_asr import Qwen3AsrEngine\n"
        "Qwen3AsrEngine(EngineConfig())\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


# --- folders of weights


def write_config(folder: Path, config: dict[str, object]) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("thinker", "repository"),
    [
        ({"text_config": {"hidden_size": 2048}}, "Qwen/Qwen3-ASR-1.7B-hf"),
        ({"text_config": {"hidden_size": 1024}}, "Qwen/Qwen3-ASR-0.6B-hf"),
        ({"classify_num": 5000}, "Qwen/Qwen3-ForcedAligner-0.6B-hf"),
    ],
)
def test_the_original_layout_is_refused_naming_the_right_repository(tmp_path, thinker, repository):
    write_config(tmp_path, {"model_type": "qwen3_asr", "thinker_config": thinker})
    with pytest.raises(WeightsError, match="would silently be random") as caught:
        files.checked_files(tmp_path)
    assert repository in str(caught.value)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "whisper"}, "type 'whisper', not a Qwen3-ASR"),
        (
            {"model_type": "qwen3_asr", "architectures": ["Qwen3ASRForTokenClassification"]},
            "aligner",
        ),
    ],
)
def test_another_model_is_refused(tmp_path, config, words):
    with pytest.raises(WeightsError, match=words):
        files.checked_files(write_config(tmp_path, config))


def test_a_folder_that_is_not_there_and_one_that_is_not_set_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        files.checked_files(tmp_path / "nowhere")
    with pytest.raises(WeightsError, match="No folder of weights is set"):
        files.checked_files(None)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_configuration_is_refused_in_words(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"config\.json"):
        files.checked_files(tmp_path)
