import os
import wave
from pathlib import Path

import pytest

from tests.speech import (
    BENCHMARK_FILES,
    compose_benchmark_set,
    own_samples,
    read_audio,
    speech_samples,
)
from transcription.text.normalise import normalise


def test_the_recordings_come_with_their_words():
    by_name = {sample.name: sample for sample in speech_samples("en", "fr", "zh")}
    assert len(by_name) == 9
    assert by_name["en/counting"].reference == "One two three four five six seven eight nine ten."
    assert by_name["fr/bonjour_monde"].reference == "Bonjour le monde."
    assert by_name["zh/nihao_shijie"].reference == "你好世界。"
    assert {sample.language for sample in by_name.values()} == {"en", "fr", "zh"}


@pytest.mark.parametrize(
    ("name", "seconds"), [("en/counting", 2.986), ("zh/pangrama", 4.111), ("fr/comptage", 2.791)]
)
def test_a_recording_is_read_to_its_last_sample(name, seconds):
    [sample] = [sample for sample in speech_samples(name[:2]) if sample.name == name]
    samples = read_audio(sample.path)
    assert len(samples) / 16_000 == pytest.approx(seconds, abs=0.001)
    assert 0.1 < abs(samples).max() <= 1.0


def test_a_language_that_the_wheel_does_not_have_is_an_error_of_the_test():
    with pytest.raises(LookupError, match="xx"):
        speech_samples("xx")


def test_the_repository_has_its_own_recordings_and_their_words():
    lengths = {sample.name: len(read_audio(sample.path)) / 16_000 for sample in own_samples()}
    assert lengths == pytest.approx(
        {"english": 8.53, "story": 37.45, "formats/walk": 2.35, "chinese": 6.9}, abs=0.02
    )
    assert all(sample.reference for sample in own_samples())


@pytest.fixture
def nothing_to_fetch_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty data folder, and a pip that knows no place to fetch from."""
    monkeypatch.setenv("ASR_TEST_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("CI", "")
    return tmp_path


def test_recordings_that_cannot_be_fetched_skip_a_test_and_fail_it_in_ci(
    monkeypatch, nothing_to_fetch_from
):
    with pytest.raises(pytest.skip.Exception, match="pip could not fetch pytest-audioeval"):
        speech_samples("en")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="pip could not fetch pytest-audioeval"):
        speech_samples("en")
    assert list(nothing_to_fetch_from.iterdir()) == []


def test_a_wheel_that_was_changed_on_disk_is_not_read(nothing_to_fetch_from):
    (nothing_to_fetch_from / "pytest_audioeval-0.1.3-py3-none-any.whl").write_bytes(
        b"something else"
    )
    with pytest.raises(pytest.skip.Exception):
        speech_samples("en")


@pytest.fixture(scope="module")
def benchmark_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    speech_samples("en", "fr", "zh")
    folder = tmp_path_factory.mktemp("benchmark")
    compose_benchmark_set(folder)
    return folder


def test_the_benchmark_set_is_sixteen_files_and_344_seconds(benchmark_folder):
    lengths = []
    for path in sorted(benchmark_folder.glob("*.wav")):
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
            lengths.append(file.getnframes() / 16_000)
    assert lengths == [seconds for _, seconds in BENCHMARK_FILES]
    assert (len(lengths), sum(lengths), min(lengths), max(lengths)) == (16, 344, 5, 44)


def test_every_file_of_the_set_says_what_its_text_says_and_nothing_twice(benchmark_folder):
    known = [*speech_samples("en", "fr", "zh"), *own_samples()]
    spoken = " ".join(normalise(sample.reference, language=sample.language) for sample in known)
    for path in benchmark_folder.glob("*.txt"):
        language = path.with_suffix(".lang").read_text(encoding="utf-8").strip()
        ends = "。" if language == "zh" else "."
        sentences = path.read_text(encoding="utf-8").strip().rstrip(ends).split(ends)
        assert len(set(sentences)) == len(sentences)
        assert all(normalise(part, language=language) in spoken for part in sentences)


def test_the_longest_sample_is_cut_between_its_sentences(benchmark_folder):
    """A cut inside a sentence would leave a clip far too short for its words."""
    from tests.speech import _sentences

    for clips in _sentences().values():
        for clip in clips:
            seconds_per_letter = len(clip.samples) / 16_000 / len(clip.text)
            assert 0.03 < seconds_per_letter < 0.35


def test_the_benchmark_set_is_the_same_every_time(benchmark_folder, tmp_path):
    compose_benchmark_set(tmp_path)
    first = {path.name: path.read_bytes() for path in benchmark_folder.iterdir()}
    again = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert first == again
    assert len(first) == 48
