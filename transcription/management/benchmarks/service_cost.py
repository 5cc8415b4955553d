"""What the service itself adds: from the posted recording to the answer, less the engine."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np

from transcription.management.benchmarks.common import (
    SAMPLE_RATE_HZ,
    Figure,
    at_most,
    measured_service,
    sample_speech,
    spread,
    write_wav,
)

CLIP_SECONDS = 10
MOST_SECONDS = 0.150


def measure(*, engine: str, options: dict[str, Any], repeats: int = 25) -> list[Figure]:
    """Post a 10 s WAV file again and again, one at a time, over HTTP."""
    speech = sample_speech()
    clip = np.resize(speech, CLIP_SECONDS * SAMPLE_RATE_HZ)
    added, answered, spent = [], [], []
    with measured_service(engine=engine, model_options=options) as measured:
        for number in range(repeats + 2):
            # Never the same bytes twice, so that nobody could answer from memory.
            content = write_wav(np.roll(clip, number * 160))
            answer = measured.client.transcribe("clip.wav", content)
            if answer.status != 200:
                raise RuntimeError(f"The service answered {answer.status}: {answer.body}")
            if number < 2:
                continue  # the model is loaded, caches are warm
            row = measured.client.get(f"/api/v1/transcriptions/{answer.body['data']['id']}/")
            engine_seconds = float(row.body["engine_seconds"])
            answered.append(answer.seconds)
            spent.append(engine_seconds)
            added.append(answer.seconds - engine_seconds)
    return [
        at_most("added by the service, median", statistics.median(added), "s", MOST_SECONDS),
        *spread("added by the service", added, "s"),
        *spread("answered after", answered, "s"),
        *spread("the engine's own", spent, "s"),
    ]
