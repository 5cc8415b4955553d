"""Real speech and the things that are mistaken for it."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from tests.audio.test_vad import speech
from transcription.audio.split import Span, Splitter
from transcription.audio.vad import Probabilities

Float = npt.NDArray[np.float64]


def split(
    sound: npt.NDArray[np.floating], *, max_chunk_seconds: float = 30, block: int = 32_000
) -> list[Span]:
    samples = np.rint(np.clip(sound, -1, 1) * 32_767).astype(np.int16)
    splitter = Splitter(max_chunk_seconds=max_chunk_seconds)
    spans: list[Span] = []
    for start in range(0, len(samples), block):
        spans += splitter.feed(samples[start : start + block])
    return spans + splitter.finish()


def silence(seconds: float) -> Float:
    return np.zeros(round(seconds * 16_000))


def noise(seconds: float, level: float) -> Float:
    return np.random.default_rng(7).normal(0, level, round(seconds * 16_000))


def music(seconds: float, level: float) -> Float:
    """Chords of plucked strings, four notes a second."""
    random, count = np.random.default_rng(4), round(seconds * 16_000)
    times, sound = np.arange(count) / 16_000, np.zeros(count)
    for start in range(0, count, 4_000):
        left = times[: count - start]
        for _ in range(3):
            hz = 110 * 2 ** (random.integers(0, 36) / 12)
            strings = sum(np.sin(2 * np.pi * hz * part * left) / part for part in (1, 2, 3, 4))
            sound[start:] += np.exp(-left * 4) * strings
    return sound / np.abs(sound).max() * level


ENGLISH = speech()[: round(8.5 * 16_000)]
#: The first second of it, about three words.
WORDS = ENGLISH[: round(1.2 * 16_000)]


def test_speech_between_silences_is_found_with_a_little_room() -> None:
    sound = np.concatenate([silence(10), ENGLISH, silence(10)])
    (span,) = split(sound)
    assert 9.0 * 16_000 < span.start_sample < 10.3 * 16_000
    assert 17.5 * 16_000 < span.end_sample < 19.2 * 16_000


def test_what_is_no_speech_gives_no_span() -> None:
    for sound in (silence(30), noise(30, 0.001), noise(30, 0.1), music(20, 0.3)):
        assert split(sound) == []


@pytest.mark.parametrize("gain_db", [0, -20, -30, -40])
def test_quiet_speech_is_not_lost(gain_db: float) -> None:
    sound = np.concatenate([silence(5), ENGLISH * 10 ** (gain_db / 20), silence(5)])
    (span,) = split(sound + noise(len(sound) / 16_000, 0.0005))
    assert span.duration_seconds > 7.5


def test_a_few_words_at_minus_30_db_are_not_lost() -> None:
    sound = np.concatenate([silence(20), WORDS * 10 ** (-30 / 20), silence(20)])
    (span,) = split(sound + noise(len(sound) / 16_000, 0.0003))
    assert span.start_sample < 20.2 * 16_000
    assert span.end_sample > 20.9 * 16_000


def test_speech_over_music_is_not_lost() -> None:
    bed = music(16, 0.05)
    bed[5 * 16_000 : 5 * 16_000 + len(ENGLISH)] += ENGLISH
    spans = split(bed)
    assert sum(span.duration_seconds for span in spans) > 7.0


def test_how_the_samples_are_cut_into_blocks_does_not_matter() -> None:
    sound = np.concatenate([silence(3), *[ENGLISH, silence(0.4)] * 4, silence(5), ENGLISH])
    whole = split(sound, max_chunk_seconds=20, block=len(sound))
    assert len(whole) >= 3
    for block in (777, 100_001):
        assert split(sound, max_chunk_seconds=20, block=block) == whole


def test_chunks_of_a_long_talk_keep_the_limit_and_do_not_overlap() -> None:
    talk = np.concatenate([ENGLISH] * 20)
    spans = split(talk, max_chunk_seconds=30)
    assert all(span.duration_seconds <= 30 for span in spans)
    assert all(left.end_sample <= right.start_sample for left, right in pairwise(spans))
    assert sum(span.duration_seconds for span in spans) > 0.95 * len(talk) / 16_000
    # Packed: no more chunks than if each were half full.
    assert len(spans) <= len(talk) / 16_000 / 15 + 1


def test_a_chunk_is_given_as_soon_as_the_silence_after_it_is_long_enough() -> None:
    samples = np.rint(np.concatenate([ENGLISH, silence(30)]) * 32_767).astype(np.int16)
    splitter = Splitter(max_chunk_seconds=30)
    fed = 0
    for start in range(0, len(samples), 1_600):
        fed = start + 1_600
        if splitter.feed(samples[start:fed]):
            break
    assert len(ENGLISH) < fed < len(ENGLISH) + 2.2 * 16_000


def test_the_last_span_ends_with_the_recording() -> None:
    cut_short = ENGLISH[: 3 * 16_000 + 100]
    spans = split(cut_short)
    assert spans[-1].end_sample == len(cut_short)


def test_no_samples_are_no_spans() -> None:
    assert Splitter(max_chunk_seconds=30).finish() == []


def test_a_splitter_is_for_one_recording() -> None:
    splitter = Splitter(max_chunk_seconds=30)
    splitter.finish()
    with pytest.raises(RuntimeError, match="finished"):
        splitter.feed(np.zeros(10, dtype=np.int16))
    with pytest.raises(RuntimeError, match="finished"):
        splitter.finish()


def test_only_mono_int16_is_taken() -> None:
    with pytest.raises(ValueError, match="int16"):
        Splitter(max_chunk_seconds=30).feed(np.zeros(10, dtype=np.float32))  # type: ignore[arg-type]


def test_another_detector_can_be_used() -> None:
    class Always:
        def feed(self, windows: npt.NDArray[np.float32]) -> Probabilities:
            return np.ones(len(windows), dtype=np.float32)

    splitter = Splitter(max_chunk_seconds=30, vad=Always())
    assert splitter.feed(np.zeros(16_000, dtype=np.int16)) == []
    assert splitter.finish() == [Span(start_sample=0, end_sample=16_000)]


def test_ten_seconds_are_split_in_a_moment() -> None:
    sound = np.concatenate([ENGLISH, silence(1.5)])
    split(sound)  # the model is loaded with the first
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        split(sound)
        seconds.append(time.process_time() - begun)
    # 20 to 25 ms of one core.
    assert min(seconds) < 0.1
