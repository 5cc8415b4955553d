"""Many recordings at once, against the bare library on the same files, one after another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from transcription.management.benchmarks.common import (
    SAMPLE_RATE_HZ,
    Figure,
    Measured,
    Spoken,
    at_least,
    at_most,
    measured_service,
    sample_speech,
    write_wav,
)
from transcription.text.scoring import count_errors, usual_unit

LEAST_RATIO = 1.8
#: Beam that both sides use.
BEAM_SIZE = 5


def measure(
    recordings: list[Spoken], *, engine: str, options: dict[str, Any], threads: int, rounds: int = 3
) -> list[Figure]:
    """Let both sides recognise the same recordings in turns; the ratio is taken round by round."""
    seconds_of_audio = sum(one.duration_seconds for one in recordings)
    ours, theirs, ratios = [], [], []
    our_texts: list[str] = []
    their_texts: list[str] = []
    given = {**options, "options": {**options.get("options", {}), "beam_size": BEAM_SIZE}}
    with measured_service(
        engine=engine, model_options=given, environment={"ASR_ENGINE_THREADS": str(threads)}
    ) as measured:
        _post_all(measured, recordings[:1])  # the model is loaded
        for _ in range(rounds):
            bare_seconds, their_texts = _bare_library(recordings, options["weights"], threads)
            started = time.monotonic()
            our_texts = _post_all(measured, recordings)
            our_seconds = time.monotonic() - started
            ours.append(our_seconds)
            theirs.append(bare_seconds)
            ratios.append(bare_seconds / our_seconds)
    ratios.sort()
    our_wer, their_wer = _wer(recordings, our_texts), _wer(recordings, their_texts)
    return [
        at_least(
            "throughput over the bare library's, median of rounds",
            ratios[len(ratios) // 2], "times", LEAST_RATIO,
        ),
        Figure(name="the same, worst round", value=ratios[0], unit="times"),
        Figure(name="the service, real-time factor", value=seconds_of_audio / min(ours), unit="x"),
        Figure(name="the bare library, real-time factor", value=seconds_of_audio / min(theirs),
               unit="x"),
        Figure(name="seconds of audio", value=seconds_of_audio, unit="s"),
        *(
            [at_most("word errors of the service, pooled", our_wer, "", max(their_wer, 1e-9)),
             Figure(name="word errors of the bare library", value=their_wer, unit="")]
            if our_wer is not None and their_wer is not None else []
        ),
    ]  # fmt: skip


def built_in() -> list[Spoken]:
    """Return 16 recordings of 5 to 44 s out of the English sample: 344 s in all."""
    speech = sample_speech()
    reference = (settings.BASE_DIR / "samples" / "english.txt").read_text(encoding="utf-8").strip()
    pause = np.zeros(SAMPLE_RATE_HZ // 2, dtype="<i2")
    made = []
    for number, times in enumerate((1, 1, 2, 5, 3, 1, 2, 4, 1, 3, 2, 1, 5, 2, 1, 2), start=1):
        samples = np.concatenate([speech, pause] * times)
        made.append(
            Spoken(
                name=f"{number:02}.wav",
                content=write_wav(samples),
                duration_seconds=len(samples) / SAMPLE_RATE_HZ,
                reference=" ".join([reference] * times),
                language="en",
            )
        )
    return made


def _post_all(measured: Measured, recordings: list[Spoken]) -> list[str]:
    """Post every recording at once and wait for all texts."""

    def post(one: Spoken) -> str:
        answer = measured.client.transcribe(one.name, one.content)
        if answer.status != 200:
            raise RuntimeError(f"{one.name}: the service answered {answer.status}: {answer.body}")
        return str(answer.body["data"]["text"])

    with ThreadPoolExecutor(len(recordings)) as pool:
        return list(pool.map(post, recordings))


def _bare_library(recordings: list[Spoken], weights: str, threads: int) -> tuple[float, list[str]]:
    """Run the library by itself in a process of its own, so that no memory is shared."""
    script = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from transcription.engines.whisper_baseline import bare_library\n"
        "from transcription.management.benchmarks.common import read_wav\n"
        "job = json.load(sys.stdin)\n"
        "files = [read_wav(bytes.fromhex(one)).astype('float32') / 32768 for one in job['files']]\n"
        "run = bare_library(files, weights_dir=Path(job['weights']), threads=job['threads'],\n"
        "                   beam_size=job['beam_size'])\n"
        "print(json.dumps({'seconds': run.seconds, 'texts': list(run.texts)}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()\n" + script],
        input=json.dumps(
            {
                "files": [one.content.hex() for one in recordings],
                "weights": str(Path(settings.WEIGHTS_DIR, weights)),
                "threads": threads,
                "beam_size": BEAM_SIZE,
            }
        ),
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "asr_project.settings"},
        cwd=settings.BASE_DIR,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    return float(answer["seconds"]), list(answer["texts"])


def _wer(recordings: list[Spoken], texts: list[str]) -> float | None:
    """Return the pooled word error rate; None where no recording has a reference."""
    by_language: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for one, text in zip(recordings, texts, strict=True):
        if one.reference:
            by_language[one.language].append((one.reference, text))
    errors = words = 0
    for language, pairs in by_language.items():
        counted = count_errors(pairs, language=language or None, unit=usual_unit(language or None))
        errors += counted.errors
        words += counted.reference_length
    return errors / words if words else None
