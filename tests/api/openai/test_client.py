"""The official ``openai`` client, unchanged, against the whole service."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.served import eventually
from transcription.management.benchmarks.common import Measured

DURATION_SECONDS = 8.525


def test_json_is_the_default(client: openai.OpenAI, talk: bytes, heard: str) -> None:
    answer = client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", talk))

    assert answer.text == heard
    assert answer.usage is not None
    assert answer.usage.to_dict() == {"type": "duration", "seconds": DURATION_SECONDS}
    assert answer._request_id


def test_text_comes_as_it_is(client: openai.OpenAI, talk: bytes, heard: str) -> None:
    answer = client.audio.transcriptions.create(
        model="whisper-1", file=talk, response_format="text"
    )

    assert answer == f"{heard}\n"


@pytest.mark.parametrize(
    ("response_format", "start", "times"),
    [
        ("srt", "1\n00:00:00,", r"^00:00:0\d,\d{3} --> 00:00:0\d,\d{3}$"),
        ("vtt", "WEBVTT\n\n00:00:00.", r"^00:00:0\d\.\d{3} --> 00:00:0\d\.\d{3}$"),
    ],
)
def test_subtitles_come_as_they_are(
    client: openai.OpenAI, talk: bytes, heard: str, response_format: Any, start: str, times: str
) -> None:
    answer: str = client.audio.transcriptions.create(
        model="whisper-1", file=talk, response_format=response_format
    )

    assert answer.startswith(start)
    said = [line for line in answer.splitlines() if re.match("[A-Za-z]", line) and line != "WEBVTT"]
    assert " ".join(said) == heard
    assert len(re.findall(times, answer, re.MULTILINE)) >= 2


def test_verbose_json_has_language_duration_and_segments(
    client: openai.OpenAI, talk: bytes, heard: str
) -> None:
    answer = client.audio.transcriptions.create(
        model="whisper-1", file=talk, response_format="verbose_json"
    )

    assert answer.to_dict()["task"] == "transcribe"
    assert (answer.text, answer.language) == (heard, "english")
    assert answer.duration == DURATION_SECONDS
    assert answer.segments
    assert answer.words is None
    assert [segment.id for segment in answer.segments] == list(range(len(answer.segments)))
    assert " ".join(segment.text for segment in answer.segments) == heard
    first = answer.segments[0]
    assert set(first.to_dict()) == {
        *("id", "seek", "start", "end", "text", "tokens", "temperature"),
        *("avg_logprob", "compression_ratio", "no_speech_prob"),
    }
    assert 0 <= first.start < first.end <= DURATION_SECONDS
    assert first.avg_logprob == -0.1
    assert 0.5 < first.compression_ratio < 2


def test_a_stream_says_the_whole_text_in_pieces_and_then_at_once(
    client: openai.OpenAI, talk: bytes, heard: str
) -> None:
    stream = client.audio.transcriptions.create(model="whisper-1", file=talk, stream=True)
    events = list(stream)

    assert [event.type for event in events[:-1]] == ["transcript.text.delta"] * (len(events) - 1)
    assert len(events) >= 2
    assert "".join(event.delta for event in events[:-1]) == heard  # type: ignore[union-attr]
    done = events[-1]
    assert done.type == "transcript.text.done"
    assert done.text == heard
    assert done.to_dict()["usage"] == {"type": "duration", "seconds": DURATION_SECONDS}


def test_the_asynchronous_client_gets_the_same(service: Measured, talk: bytes, heard: str) -> None:
    async def run() -> None:
        async with openai.AsyncOpenAI(
            base_url=f"{service.service.url}/v1",
            api_key=service.client.authorization.split()[1],
        ) as client:
            answers = await asyncio.gather(
                client.audio.transcriptions.create(model="whisper-1", file=talk),
                client.audio.transcriptions.create(
                    model="whisper-1", file=talk, response_format="verbose_json"
                ),
            )
            assert [answer.text for answer in answers] == [heard, heard]
            stream = await client.audio.transcriptions.create(
                model="gpt-4o-mini-transcribe", file=talk, stream=True
            )
            events = [event async for event in stream]
            assert events[-1].type == "transcript.text.done"
            assert events[-1].text == heard
            with pytest.raises(openai.BadRequestError) as refused:
                await client.audio.transcriptions.create(model="no-such-model", file=talk)
            assert refused.value.param == "model"

    asyncio.run(run())


@pytest.mark.parametrize("name", ["talk.wav", "音频 1.mp3", 'a"b.wav', "..", "noending", "x" * 300])
def test_a_file_may_have_any_name(
    client: openai.OpenAI, talk: bytes, heard: str, name: str
) -> None:
    assert client.audio.transcriptions.create(model="whisper-1", file=(name, talk)).text == heard


def test_a_file_may_have_no_name(
    client: openai.OpenAI, talk: bytes, heard: str, tmp_path: Path
) -> None:
    path = tmp_path / "talk"
    path.write_bytes(talk)
    for file in ((None, talk), ("", talk), io.BytesIO(talk), talk, path):
        assert client.audio.transcriptions.create(model="whisper-1", file=file).text == heard


def test_every_other_field_of_the_client_is_taken(
    client: openai.OpenAI, service: Measured, talk: bytes
) -> None:
    answer = client.audio.transcriptions.create(
        model="fake",
        file=talk,
        language="zh",
        languages=["zh"],
        prompt="Qwen",
        keywords=["显存", "Whisper"],
        temperature=0.2,
        include=["logprobs"],
        chunking_strategy={"type": "server_vad", "threshold": 0.5},
        response_format="verbose_json",
        timestamp_granularities=["segment"],
        stream=False,
    )

    assert answer.language == "chinese"
    [newest] = service.client.get("/api/v1/transcriptions/?page_size=1").body["results"]
    row = service.client.get(f"/api/v1/transcriptions/{newest['id']}/").body
    assert row["text"] == answer.text
    assert (row["prompt"], row["language_hint"], row["requested_model"]) == (
        "Qwen, 显存, Whisper",
        "zh",
        "fake",
    )


@pytest.mark.parametrize(
    "model",
    ["whisper-1", "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "auto", "fake"],
)
def test_models_of_openai_stand_for_the_services_choice(
    client: openai.OpenAI, talk: bytes, heard: str, model: str
) -> None:
    assert client.audio.transcriptions.create(model=model, file=talk).text == heard


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["fake"]
    assert client.models.retrieve("fake").object == "model"
    assert client.models.retrieve("whisper-1").id == "whisper-1"
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("gpt-5")
    assert refused.value.code == "not_found"


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"file": b""}, "empty_file", "file"),
        ({"model": "gpt"}, "unknown_model", "model"),
        ({"language": "klingon"}, "unknown_language", "language"),
        ({"languages": ["klingon"]}, "unknown_language", "language"),
        ({"prompt": "x" * 2001}, "prompt_too_long", "prompt"),
        ({"response_format": "yaml"}, "invalid", "response_format"),
        ({"temperature": 2}, "invalid", "temperature"),
        ({"response_format": "diarized_json"}, "no_speakers", "response_format"),
        ({"model": "gpt-4o-transcribe-diarize"}, "no_speakers", "response_format"),
        ({"timestamp_granularities": ["word"]}, "invalid", "timestamp_granularities"),
        (
            {"timestamp_granularities": ["letter"], "response_format": "verbose_json"},
            "invalid",
            "timestamp_granularities",
        ),
        ({"stream": True, "response_format": "srt"}, "invalid", "stream"),
    ],
)
def test_what_is_wrong_with_a_request_is_told_with_its_field(
    client: openai.OpenAI, talk: bytes, fields: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(**{"model": "whisper-1", "file": talk, **fields})

    body = refused.value.body
    assert isinstance(body, dict)
    assert set(body) == {"message", "type", "param", "code"}
    assert (body["type"], body["code"]) == ("invalid_request_error", code)
    assert str(body["param"]).split(".")[0] == param
    assert len(body["message"]) > 20


@pytest.mark.parametrize("stream", [False, True])
def test_a_file_that_is_no_recording_is_told_by_its_status(
    client: openai.OpenAI, stream: bool
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.audio.transcriptions.create(
            model="whisper-1", file=b"Dear Sir or Madam, " * 500, stream=stream
        )

    assert (refused.value.status_code, refused.value.code, refused.value.param) == (
        415,
        "not_audio",
        "file",
    )


def test_a_wrong_key_is_told(service: Measured, talk: bytes) -> None:
    with (
        openai.OpenAI(base_url=f"{service.service.url}/v1", api_key="sk-no") as client,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        client.audio.transcriptions.create(model="whisper-1", file=talk[:1000])

    assert (refused.value.code, refused.value.type) == ("invalid_token", "authentication_error")


def test_a_recording_that_fails_is_not_sent_three_times(
    client: openai.OpenAI, service: Measured, talk: bytes
) -> None:
    before = number_of(service)

    with pytest.raises(openai.InternalServerError) as refused:
        client.audio.transcriptions.create(model="whisper-1", file=talk, prompt="[fake:error]")

    assert refused.value.code == "recognition_failed"
    assert number_of(service) == before + 1


def test_silence_is_an_empty_text(client: openai.OpenAI) -> None:
    from tests.api.openai.sound import silence

    answer = client.audio.transcriptions.create(
        model="whisper-1", file=silence(2.0), response_format="verbose_json"
    )

    assert (answer.text, answer.language, answer.segments) == ("", "", [])
    assert answer.duration == 2.0


def test_the_service_is_well_after_all_this(service: Measured) -> None:
    eventually(lambda: service.client.get("/health").status == 200)


def number_of(service: Measured) -> int:
    answer = service.client.get("/api/v1/transcriptions/?page_size=100")
    assert answer.body["next"] is None
    return len(answer.body["results"])
