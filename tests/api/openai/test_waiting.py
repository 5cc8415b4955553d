"""How long the official client waits, what it repeats, and what comes of that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from tests.served import Served, eventually
from transcription.models import Chunk, Segment, SpeechModel, Transcription

Status, Step, State = Transcription.Status, Transcription.Step, Chunk.State
Serve = Callable[..., Served]
ClientOf = Callable[..., openai.OpenAI]
SOUND = b"RIFF....WAVEfmt some sound"
COMPLETED = {
    "status": Status.COMPLETED,
    "step": Step.OVER,
    "text": "Hello there.",
    "language": "en",
    "duration_seconds": 1.5,
    "model_name": "whisper-base",
}


@pytest.fixture
def serve(serve_standing: Serve) -> Serve:
    return serve_standing


@pytest.fixture
def beside() -> Iterator[Callable[..., Future[Any]]]:
    """Calls something in a thread of its own."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


def send(client: openai.OpenAI, **fields: Any) -> Any:
    return client.audio.transcriptions.create(**{"model": "whisper-1", "file": SOUND, **fields})


def accepted(count: int = 1) -> list[Transcription]:
    eventually(lambda: Transcription.objects.count() >= count)
    connection.close()
    return list(Transcription.objects.order_by("created_at"))


def complete(row: Transcription, **changes: Any) -> None:
    """As the finishing worker does: all of it in one UPDATE."""
    Transcription.objects.filter(pk=row.pk).update(
        **{**COMPLETED, "completed_at": timezone.now(), **changes}
    )


def chunk(row: Transcription, start_seconds: float, text: str, **fields: Any) -> Chunk:
    return Chunk.objects.create(
        transcription=row,
        start_sample=int(start_seconds * 16_000),
        end_sample=int((start_seconds + 10) * 16_000),
        model_name="whisper-base",
        text=text,
        **{"state": State.DONE, "language": "en", **fields},
    )


def progress(row: Transcription, seconds: float) -> None:
    Transcription.objects.filter(pk=row.pk).update(
        status=Status.PROCESSING, step=Step.RECOGNISE, processed_seconds=seconds
    )


# --- repeats ----------------------------------------------------------------------------------


def test_a_client_that_loses_its_patience_and_repeats_joins_the_work_that_is_going_on(
    serve: Serve, client_of: ClientOf, beside: Callable[..., Future[Any]]
) -> None:
    served = serve()
    client = client_of(served, max_retries=2, timeout=httpx2.Timeout(60.0, read=1.0))

    before = len(served.log)
    answer = beside(send, client)
    # Its first request has timed out, and its second waits, when the result is there.
    eventually(lambda: "POST /v1/audio/transcriptions 499" in served.log[before:])
    [row] = accepted()
    complete(row)

    assert answer.result().text == "Hello there."
    assert Transcription.objects.count() == 1
    assert served.incoming == []


def test_what_was_finished_before_the_repeat_came_is_not_done_again(
    serve: Serve, client_of: ClientOf, beside: Callable[..., Future[Any]]
) -> None:
    client = client_of(serve(), timeout=httpx2.Timeout(60.0, read=1.0))
    with pytest.raises(openai.APITimeoutError):
        send(client)
    [row] = accepted()
    complete(row)

    answer = send(client, extra_headers={"X-Stainless-Retry-Count": "1"})

    assert answer.text == "Hello there."
    assert Transcription.objects.count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"file": SOUND + b"!"},
        {"language": "zh"},
        {"prompt": "Qwen"},
        {"response_format": "verbose_json", "timestamp_granularities": ["word"]},
        {"extra_headers": {}},
    ],
    ids=["another file", "another language", "another prompt", "with words", "no repeat"],
)
def test_another_request_is_work_of_its_own(
    serve: Serve, client_of: ClientOf, fields: dict[str, Any]
) -> None:
    client = client_of(serve(), timeout=httpx2.Timeout(60.0, read=0.5))
    with pytest.raises(openai.APITimeoutError):
        send(client)

    with pytest.raises(openai.APITimeoutError):
        send(client, **{"extra_headers": {"X-Stainless-Retry-Count": "1"}, **fields})

    assert len(accepted(2)) == 2


def test_nobody_joins_the_work_of_somebody_else(
    serve: Serve, client_of: ClientOf, db: None
) -> None:
    from transcription.services import tokens

    served = serve()
    bob = tokens.create(User.objects.create_user("bob"), name="of the tests")[1]
    timeout = httpx2.Timeout(60.0, read=0.5)
    for given in ({}, {"api_key": bob}):
        client = client_of(served, timeout=timeout, **given)
        with pytest.raises(openai.APITimeoutError):
            send(client, extra_headers={"X-Stainless-Retry-Count": "1"})

    assert {row.owner.username for row in accepted(2) if row.owner} == {"ann", "bob"}


def test_a_repeat_of_what_was_cancelled_begins_anew(serve: Serve, client_of: ClientOf) -> None:
    client = client_of(serve(), timeout=httpx2.Timeout(60.0, read=0.5))
    with pytest.raises(openai.APITimeoutError):
        send(client)
    accepted()
    Transcription.objects.update(status=Status.CANCELLED)

    with pytest.raises(openai.APITimeoutError):
        send(client, extra_headers={"X-Stainless-Retry-Count": "1"})

    assert len(accepted(2)) == 2


# --- the end of the wait ----------------------------------------------------------------------


def test_when_the_wait_is_over_the_client_repeats_by_itself_and_waits_on(
    serve: Serve, client_of: ClientOf, beside: Callable[..., Future[Any]]
) -> None:
    served = serve(ASR_OPENAI_WAIT_SECONDS="0.2")
    before = len(served.log)
    answer = beside(send, client_of(served, max_retries=2))

    eventually(lambda: "POST /v1/audio/transcriptions 503" in served.log[before:])
    [row] = accepted()
    complete(row)

    assert answer.result().text == "Hello there."
    assert Transcription.objects.count() == 1


def test_who_does_not_repeat_is_told_where_the_text_will_be(
    serve: Serve, client_of: ClientOf
) -> None:
    served = serve(ASR_OPENAI_WAIT_SECONDS="0.2")

    with pytest.raises(openai.InternalServerError) as told:
        send(client_of(served))

    [row] = accepted()
    assert (told.value.status_code, told.value.code) == (503, "wait_ended")
    assert f"/api/v1/transcriptions/{row.pk}/" in told.value.message
    assert int(told.value.response.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"status": Status.CANCELLED}, 409, "cancelled"),
        ({"status": Status.FAILED, "error_code": "worker_crashed"}, 500, "worker_crashed"),
        ({"status": Status.FAILED, "error_code": "audio_too_short"}, 422, "audio_too_short"),
        ({"status": Status.FAILED, "error_code": "unheard of"}, 500, "internal_error"),
    ],
)
def test_what_ends_without_a_text_is_told_once(
    serve: Serve,
    client_of: ClientOf,
    beside: Callable[..., Future[Any]],
    changes: dict[str, Any],
    status: int,
    code: str,
) -> None:
    # One that the client could repeat, and does not where that is of no use.
    retries = 0 if code == "internal_error" else 2
    answer = beside(send, client_of(serve(), max_retries=retries))
    accepted()
    Transcription.objects.update(**changes)

    with pytest.raises(openai.APIStatusError) as told:
        answer.result()

    assert (told.value.status_code, told.value.code) == (status, code)
    assert Transcription.objects.count() == 1


def test_what_is_deleted_meanwhile_is_not_found(
    serve: Serve, client_of: ClientOf, beside: Callable[..., Future[Any]]
) -> None:
    answer = beside(send, client_of(serve()))
    [row] = accepted()
    row.delete()

    with pytest.raises(openai.NotFoundError):
        answer.result()


# --- words ------------------------------------------------------------------------------------

WITH_WORDS = {"response_format": "verbose_json", "timestamp_granularities": ["word"]}


def test_words_have_their_times(
    serve: Serve, client_of: ClientOf, beside: Callable[..., Future[Any]]
) -> None:
    answer = beside(send, client_of(serve()), **WITH_WORDS)
    [row] = accepted()
    assert row.want_words
    Segment.objects.create(
        transcription=row,
        index=0,
        start_seconds=0.1,
        end_seconds=1.2,
        text="Hello there.",
        words=[
            {"start": 0.1, "end": 0.5, "word": "Hello", "probability": 0.9},
            {"start": 0.6, "end": 1.2, "word": "there.", "probability": None},
        ],
    )
    complete(row)

    shown = answer.result()
    assert [word.to_dict() for word in shown.words] == [
        {"word": "Hello", "start": 0.1, "end": 0.5},
        {"word": "there.", "start": 0.6, "end": 1.2},
    ]
    assert shown.segments is None


def test_words_that_the_model_did_not_give_are_an_error_and_no_empty_list(
    serve: Serve, client_of: ClientOf, beside: Callable[..., Future[Any]]
) -> None:
    answer = beside(send, client_of(serve()), **WITH_WORDS)
    [row] = accepted()
    complete(row)

    with pytest.raises(openai.BadRequestError) as refused:
        answer.result()

    assert (refused.value.code, refused.value.param) == ("no_word_times", "timestamp_granularities")
    assert "whisper-base" in refused.value.message


def test_a_recording_without_speech_has_no_words_and_that_is_right(
    serve: Serve, client_of: ClientOf, beside: Callable[..., Future[Any]]
) -> None:
    both = {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}
    answer = beside(send, client_of(serve()), **both)
    [row] = accepted()
    complete(row, text="", language="")

    assert (answer.result().words, answer.result().segments) == ([], [])


@pytest.mark.parametrize(
    ("model", "others", "code"),
    [
        ("auto", [], "words_unavailable"),
        ("auto", [False], "words_unavailable"),
        ("qwen", [True], "words_unavailable"),
        ("auto", [True], "wait_ended"),
        ("auto", [None], "wait_ended"),
    ],
)
def test_words_that_no_model_gives_are_refused_before_anybody_waits(
    serve: Serve, client_of: ClientOf, model: str, others: list[bool | None], code: str
) -> None:
    SpeechModel.objects.create(name="qwen", engine="qwen3_asr", gives_words=False)
    for gives_words in others:
        SpeechModel.objects.create(name="other", engine="whisper", gives_words=gives_words)

    with pytest.raises(openai.APIStatusError) as told:
        send(client_of(serve(ASR_OPENAI_WAIT_SECONDS="0.2")), model=model, **WITH_WORDS)

    assert told.value.code == code
    assert Transcription.objects.exists() is (code == "wait_ended")


# --- streams ----------------------------------------------------------------------------------


def test_a_stream_tells_the_text_as_it_is_recognised_and_in_its_order(
    serve: Serve, client_of: ClientOf, beside: Callable[..., Future[Any]]
) -> None:
    client = client_of(serve())
    answer = beside(send, client, stream=True)
    [row] = accepted()
    chunk(row, 0.0, "The beginning,")
    middle = chunk(row, 10.0, "", state=State.LEASED)
    chunk(row, 20.0, "and the end.")
    progress(row, 20.0)

    stream = iter(answer.result())
    assert next(stream).delta == "The beginning,"
    Chunk.objects.filter(pk=middle.pk).update(state=State.DONE, text="the middle")
    progress(row, 30.0)
    assert next(stream).delta == " the middle and the end."
    complete(row, text="The beginning, the middle and the end.")

    [done] = list(stream)
    assert (done.type, done.text) == (
        "transcript.text.done",
        "The beginning, the middle and the end.",
    )
    assert done.to_dict()["usage"] == {"type": "duration", "seconds": 1.5}


def test_a_text_that_is_changed_at_the_end_is_told_as_a_whole(
    serve: Serve, client_of: ClientOf, beside: Callable[..., Future[Any]]
) -> None:
    answer = beside(send, client_of(serve()), stream=True)
    [row] = accepted()
    chunk(row, 0.0, "one two")
    progress(row, 10.0)

    stream = iter(answer.result())
    assert next(stream).delta == "One two"
    complete(row, text="1, 2.")

    assert [event.type for event in stream] == ["transcript.text.done"]


def test_an_error_in_the_midst_of_a_stream_is_raised_by_the_client(
    serve: Serve, client_of: ClientOf, beside: Callable[..., Future[Any]]
) -> None:
    answer = beside(send, client_of(serve()), stream=True)
    [row] = accepted()
    chunk(row, 0.0, "one two")
    progress(row, 10.0)
    stream = iter(answer.result())
    next(stream)
    Transcription.objects.update(status=Status.FAILED, error_code="worker_crashed")

    with pytest.raises(openai.APIError) as told:
        next(stream)

    assert (told.value.code, told.value.type) == ("worker_crashed", "server_error")


def test_comments_keep_a_stream_alive_and_do_not_trouble_the_client(
    serve: Serve, client_of: ClientOf, beside: Callable[..., Future[Any]]
) -> None:
    served = serve(ASR_KEEP_ALIVE_SECONDS="0.05")
    client = client_of(served, timeout=httpx2.Timeout(60.0, read=20.0))
    # Nothing is recognised yet: the head and the comments come all the same.
    raw = client.audio.transcriptions.with_raw_response.create(
        model="whisper-1", file=SOUND, stream=True
    )
    lines = raw.http_response.iter_lines()

    assert [next(lines) for _ in range(4)] == [": keep-alive", "", ": keep-alive", ""]
    raw.http_response.close()

    answer = beside(send, client, stream=True)
    stream = iter(answer.result())
    complete(accepted(2)[1])
    assert [event.type for event in stream] == ["transcript.text.delta", "transcript.text.done"]


def test_nothing_is_left_of_streams_whose_clients_leave(serve: Serve, client_of: ClientOf) -> None:
    served = serve(ASR_KEEP_ALIVE_SECONDS="0.05")
    client = client_of(served)
    streams = [send(client, stream=True) for _ in range(20)]
    assert threads_of(served) > 20

    for stream in streams:
        stream.close()

    # The pools of a few threads that they shared, and no thread of a request.
    eventually(lambda: threads_of(served) <= 16)


def test_a_stream_says_so_when_the_service_is_stopped(serve: Serve, client_of: ClientOf) -> None:
    served = serve(ASR_KEEP_ALIVE_SECONDS="0.06")  # one that no other test asks for again
    stream = send(client_of(served), stream=True)
    stopper = threading.Timer(0.3, served.process.terminate)
    stopper.start()

    with pytest.raises(openai.APIError) as told:
        list(stream)

    assert told.value.code == "service_unavailable"
    stopper.join()


def threads_of(served: Served) -> int:
    return len(list(Path(f"/proc/{served.process.pid}/task").iterdir()))
