"""The official OpenAI client and the embedded model: real speech through the whole service."""

from __future__ import annotations

import openai
from django.conf import settings

from transcription.management.benchmarks.common import Measured
from transcription.text.scoring import word_error_rate


def test_the_official_client_gets_the_sample_of_the_readme_word_for_word(
    whisper_service: Measured,
) -> None:
    folder = settings.BASE_DIR / "samples"
    said = (folder / "english.txt").read_text(encoding="utf-8")
    with openai.OpenAI(
        base_url=f"{whisper_service.service.url}/v1",
        api_key=whisper_service.client.authorization.split()[1],
    ) as client:
        with (folder / "english.wav").open("rb") as file:
            answer = client.audio.transcriptions.create(
                model="whisper-1", file=file, response_format="verbose_json"
            )
        with (folder / "english.wav").open("rb") as file:
            events = list(
                client.audio.transcriptions.create(model="whisper-1", file=file, stream=True)
            )

    assert word_error_rate([(said, answer.text)], language="en") == 0
    assert (answer.language, answer.duration) == ("english", 8.525)
    assert answer.segments
    assert answer.segments[0].avg_logprob < 0
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == answer.text
