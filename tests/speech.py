"""Recorded speech with its words, for tests that listen, and the set that benchmarks run on.

The recordings are those inside the wheel of pytest-audioeval (MIT): ten languages, three clips
each. The wheel is a development matter and is read, never installed: installing it would compile
a library and load a plugin into every test run. It is fetched once through pip and kept under
``ASR_TEST_DATA_DIR`` (``var/test-data`` in the repository by default).

    python -m tests.speech FOLDER      writes the benchmark set there
"""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
import tempfile
import wave
import zipfile
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

REPOSITORY = Path(__file__).resolve().parent.parent

WHEEL_REQUIREMENT = "pytest-audioeval==0.1.3"
WHEEL_NAME = "pytest_audioeval-0.1.3-py3-none-any.whl"
WHEEL_SHA256 = "8b97369347232d43180dd9860189c547ccc8dedb42b7c21d511ddc5a05ef7ecc"
WHEEL_FOLDER = "pytest_audioeval/samples/audio/"

SAMPLE_RATE_HZ = 16_000


class SpeechUnavailable(Exception):
    """The recordings could not be fetched; the message says why."""


@dataclass(frozen=True, kw_only=True)
class SpeechSample:
    """One recording and what is said in it."""

    name: str
    #: Code: "en", "fr", "zh"…
    language: str
    #: A WAV file, or Opus for the longest of the repository's own.
    path: Path
    #: What is said, as a person would write it.
    reference: str


# --- The recordings of the wheel ---------------------------------------------------------------


def fetched_data_dir() -> Path:
    """Where fetched test data is kept between runs."""
    given = os.environ.get("ASR_TEST_DATA_DIR")
    return Path(given) if given else REPOSITORY / "var" / "test-data"


def speech_samples(*languages: str) -> list[SpeechSample]:
    """The recordings in these languages (all of the wheel's if none is named), for a test.

    Where they cannot be fetched the test is skipped with the reason; on a CI machine (CI=true)
    it fails, so that a green run there has really listened.
    """
    import pytest

    try:
        return fetch_speech_samples(*languages)
    except SpeechUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason), pytrace=False)
        pytest.skip(str(reason))


def fetch_speech_samples(*languages: str) -> list[SpeechSample]:
    """The same without pytest. Raises ``SpeechUnavailable``."""
    folder = _unpacked(_fetched_wheel())
    samples = [
        SpeechSample(
            name=f"{path.parent.name}/{path.stem}",
            language=path.parent.name,
            path=path,
            reference=path.with_suffix(".txt").read_text(encoding="utf-8").strip(),
        )
        for path in sorted(folder.glob("*/*.wav"))
        if not languages or path.parent.name in languages
    ]
    missing = set(languages) - {sample.language for sample in samples}
    if missing:
        raise LookupError(f"{WHEEL_NAME} has no recording in {', '.join(sorted(missing))}.")
    return samples


def own_samples() -> list[SpeechSample]:
    """The repository's own recordings, which are always there."""
    folder = REPOSITORY / "samples"
    own = [("english.wav", "en"), ("story.opus", "en"), ("formats/walk.wav", "en")]
    own += [("chinese.wav", "zh")]
    return [
        SpeechSample(
            name=name.partition(".")[0],
            language=language,
            path=folder / name,
            reference=(folder / name).with_suffix(".txt").read_text(encoding="utf-8").strip(),
        )
        for name, language in own
    ]


def _fetched_wheel() -> Path:
    folder = fetched_data_dir()
    wheel = folder / WHEEL_NAME
    if wheel.is_file() and _sha256(wheel) == WHEEL_SHA256:
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    # Beside its place, then renamed: of two runs that fetch at once none reads half a file.
    with tempfile.TemporaryDirectory(dir=folder) as download:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--disable-pip-version-check", "--retries=1"]
        command += ["--dest", download, WHEEL_REQUIREMENT]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired as error:
            raise SpeechUnavailable(
                f"No recordings to listen to: pip did not fetch {WHEEL_REQUIREMENT} in 120 s."
            ) from error
        fetched = Path(download) / WHEEL_NAME
        if done.returncode != 0 or not fetched.is_file():
            said = done.stderr.strip().splitlines()
            raise SpeechUnavailable(
                f"No recordings to listen to: pip could not fetch {WHEEL_REQUIREMENT}: "
                f"{said[-1] if said else 'it said nothing'}"
            )
        found = _sha256(fetched)
        if found != WHEEL_SHA256:
            # Not a matter of the network: somebody changed what is served under this name.
            raise AssertionError(f"{WHEEL_NAME} has sha256 {found}, expected {WHEEL_SHA256}.")
        fetched.replace(wheel)
    return wheel


def _unpacked(wheel: Path) -> Path:
    """The wheel's recordings as files."""
    folder = wheel.parent / f"speech-{WHEEL_SHA256[:12]}"
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=wheel.parent) as temporary:
        fresh = Path(temporary) / "speech"
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                language, _, name = entry.filename.removeprefix(WHEEL_FOLDER).partition("/")
                if not entry.filename.startswith(WHEEL_FOLDER) or not name:
                    continue
                (fresh / language).mkdir(parents=True, exist_ok=True)
                (fresh / language / name).write_bytes(archive.read(entry))
        try:
            fresh.rename(folder)
        except OSError:
            # Another run was there first, with the same files.
            if not folder.is_dir():
                raise
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- The benchmark set ---------------------------------------------------------------------------

#: The 16 files: (language, seconds), 344 s in all. One French and one Chinese, so that a batch
#: holds several languages; the rest English, so that the rate of errors speaks of the service
#: and not of what a small model cannot do anyway.
BENCHMARK_FILES = (
    ("en", 5), ("fr", 7), ("zh", 9), ("en", 11), ("en", 13), ("en", 15), ("en", 17), ("en", 19),
    ("en", 21), ("en", 23), ("en", 26), ("en", 29), ("en", 32), ("en", 35), ("en", 38), ("en", 44),
)  # fmt: skip
#: Classical Chinese, bare numerals, and a greeting after which Whisper base hears no more: hard
#: for a small model on either side of a comparison, so they would only add chance to it.
NOT_IN_BENCHMARK = frozenset({"zh/pangrama", "zh/jishu", "zh/nihao_shijie"})
MIN_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class _Sentence:
    """A clip to compose with."""

    #: float32, shape (samples,), mono, 16 kHz.
    samples: npt.NDArray[np.float32]
    text: str


def compose_benchmark_set(folder: Path) -> list[SpeechSample]:
    """Write the benchmark set: 16 WAV files (16 kHz, mono, 16 bits), each with its text
    (NAME.txt) and language (NAME.lang) beside, as ``manage.py benchmark --files`` reads them.

    Each file is in one language and exactly as long as ``BENCHMARK_FILES`` says: whole clips in
    changing order, the time left over shared out among the pauses. The same bytes every time.
    Raises ``SpeechUnavailable``.
    """
    sentences = _sentences()
    folder.mkdir(parents=True, exist_ok=True)
    written: list[SpeechSample] = []
    for number, (language, seconds) in enumerate(BENCHMARK_FILES):
        chosen = _choose(sentences[language], seconds, turn=number)
        path = folder / f"{number + 1:02}-{language}-{seconds:02}s.wav"
        _write_wav(path, _with_pauses(chosen, seconds))
        reference = ("" if language == "zh" else " ").join(clip.text for clip in chosen)
        path.with_suffix(".txt").write_text(reference + "\n", encoding="utf-8")
        path.with_suffix(".lang").write_text(language + "\n", encoding="utf-8")
        written.append(
            SpeechSample(name=path.stem, language=language, path=path, reference=reference)
        )
    return written


def _sentences() -> dict[str, list[_Sentence]]:
    """The clips by language: the wheel's, and the sentences of the repository's own samples."""
    sentences: dict[str, list[_Sentence]] = {}
    for sample in [*fetch_speech_samples("en", "fr", "zh"), *own_samples()]:
        if sample.name in NOT_IN_BENCHMARK:
            continue
        texts = _split_text(sample)
        for clip, text in zip(
            _cut_at_pauses(read_audio(sample.path), len(texts)), texts, strict=True
        ):
            sentences.setdefault(sample.language, []).append(_Sentence(samples=clip, text=text))
    return sentences


def _split_text(sample: SpeechSample) -> list[str]:
    if sample.language == "zh":
        return [f"{part}。" for part in sample.reference.split("。") if part]
    return [f"{part.strip()}." for part in sample.reference.split(".") if part.strip()]


def _cut_at_pauses(samples: npt.NDArray[np.float32], parts: int) -> list[npt.NDArray[np.float32]]:
    """Cut in the middle of the longest pauses, so that ``parts`` pieces come out."""
    frame = SAMPLE_RATE_HZ // 100
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    quiet = np.sqrt((frames**2).mean(axis=1)) < 0.01
    # Runs of quiet frames, as (first, last + 1), but for those at the very ends.
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    runs = [
        (first, last)
        for first, last in edges.reshape(-1, 2).tolist()
        if first > 0 and last < len(quiet)
    ]
    longest = sorted(sorted(runs, key=lambda run: run[0] - run[1])[: parts - 1])
    cuts = [(first + last) // 2 * frame for first, last in longest]
    return np.split(samples, cuts)


def _choose(clips: list[_Sentence], seconds: float, *, turn: int) -> list[_Sentence]:
    """As many whole clips as fit, each once, in an order that differs from turn to turn.

    Never the same sentence twice in a file: at repetitions a small model stops or loops, and the
    set is to measure a service, not that.
    """
    # A step that has no divisor in common with their number meets each of them once.
    steps = [step for step in range(1, len(clips) + 1) if math.gcd(step, len(clips)) == 1]
    step = steps[turn % len(steps)]
    chosen: list[_Sentence] = []
    left = seconds - MIN_PAUSE_SECONDS
    for position in range(len(clips)):
        clip = clips[(turn + position * step) % len(clips)]
        needed = len(clip.samples) / SAMPLE_RATE_HZ + MIN_PAUSE_SECONDS
        if needed <= left:
            chosen.append(clip)
            left -= needed
    return chosen


def _with_pauses(chosen: list[_Sentence], seconds: float) -> npt.NDArray[np.float32]:
    """The clips with equal pauses before, between and after, ``seconds`` long to the sample."""
    total = round(seconds * SAMPLE_RATE_HZ)
    silence = total - sum(len(clip.samples) for clip in chosen)
    pause = np.zeros(silence // (len(chosen) + 1), dtype=np.float32)
    parts = [part for clip in chosen for part in (pause, clip.samples)]
    audio = np.concatenate(parts)
    return np.concatenate([audio, np.zeros(total - len(audio), dtype=np.float32)])


def read_audio(path: Path) -> npt.NDArray[np.float32]:
    """A recording as float32, shape (samples,), mono, 16 kHz, within [-1, 1]."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
        frames = [
            resampled.to_ndarray()[0]
            for frame in [*container.decode(audio=0), None]
            for resampled in resampler.resample(frame)
        ]
    samples: npt.NDArray[np.float32] = np.concatenate(frames)
    return samples


def _write_wav(path: Path, samples: npt.NDArray[np.float32]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(samples, -1.0, 1.0) * 32767).round().astype("<i2").tobytes())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.speech FOLDER")
    for sample in compose_benchmark_set(Path(sys.argv[1])):
        print(f"{sample.path}  {sample.language}  {sample.reference}")
