"""``/events``: progress and segments as they come about."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.api.conftest import url_of
from tests.served import Served, eventually
from transcription.api.events import Mark, Piece, had_by, look_at, mark_of, read_mark
from transcription.models import Chunk, LeasedWork, Transcription

Status, Step, State = Transcription.Status, Transcription.Step, LeasedWork.State
Serve = Callable[..., Served]


# --- what a client has had --------------------------------------------------------------------


def piece(start: int, end: int, digest: str = "d") -> Piece:
    return Piece(start_sample=start, end_sample=end, weights_digest=digest)


PIECES = [piece(0, 10), piece(10, 20), piece(30, 40), piece(50, 60)]


@pytest.mark.parametrize("first_missing", [None, 0, 20, 40, 60])
def test_a_mark_is_read_as_it_was_written(first_missing: int | None) -> None:
    mark = mark_of(PIECES, first_missing)

    assert read_mark(str(mark)) == mark
    assert had_by(mark, PIECES) == PIECES


def test_what_is_finished_later_is_what_the_client_has_not_had() -> None:
    had = [PIECES[0], PIECES[2]]
    mark = mark_of(had, 10)

    assert str(mark).startswith("10+30.")
    assert had_by(mark, PIECES) == had


@pytest.mark.parametrize(
    "now",
    [
        [],
        [piece(0, 10, "other weights"), piece(10, 20)],
        [piece(0, 5), piece(5, 10), piece(10, 20)],
    ],
    ids=["taken back", "recognised anew", "split anew"],
)
def test_what_the_client_has_had_no_longer_holds(now: list[Piece]) -> None:
    mark = mark_of([piece(0, 10), piece(10, 20)], None)

    assert had_by(mark, now) is None


@pytest.mark.parametrize(
    "event_id",
    ["", "7", "x.y", "10.zzzzzzzz", "10+.00000000", "9" * 20 + ".00000000", "1.0000000é"],
)
def test_an_id_that_is_none_of_ours_is_no_mark(event_id: str) -> None:
    assert read_mark(event_id) is None


def test_nothing_had_is_a_mark_too() -> None:
    assert mark_of([], None) == Mark(until_sample=0, others=frozenset(), checksum=0)


# --- over HTTP --------------------------------------------------------------------------------


@dataclass
class Event:
    name: str = ""
    id: str = ""
    data: Any = None


@dataclass
class Listener:
    """Reads events as a browser does."""

    connection: http.client.HTTPConnection
    response: http.client.HTTPResponse
    comments: list[str] = field(default_factory=list)
    last_id: str = ""

    @classmethod
    def to(cls, served: Served, row: Transcription, token: str, last_id: str = "") -> Listener:
        connection = served.connect()
        headers = {"Authorization": f"Token {token}", "Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        connection.request("GET", url_of(row, "events"), headers=headers)
        return cls(connection, connection.getresponse(), last_id=last_id)

    def next(self) -> Event | None:
        """Return the next event; None: the stream has ended."""
        event = Event()
        while line := self.response.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if line == "\n":
                if event.data is not None:
                    return event
            elif line.startswith(":"):
                self.comments.append(line)
            elif name == "event":
                event.name = value
            elif name == "id":
                event.id = self.last_id = value
            elif name == "data":
                event.data = json.loads(value)
        return None

    def until(self, name: str) -> list[Event]:
        found = []
        while (event := self.next()) is not None:
            found.append(event)
            if event.name == name:
                return found
        raise AssertionError(f"the stream ended without the event {name}: {found}")

    def close(self) -> None:
        self.response.close()
        self.connection.close()


@pytest.fixture
def row(token: str) -> Transcription:
    return Transcription.objects.create(
        owner=User.objects.get(username="ann"),
        status=Status.PROCESSING,
        step=Step.RECOGNISE,
        duration_seconds=40.0,
        speech_seconds=40.0,
    )


def chunk(row: Transcription, start: int, text: str, **fields: Any) -> Chunk:
    return Chunk.objects.create(
        transcription=row,
        start_sample=start * 16_000,
        end_sample=(start + 10) * 16_000,
        model_name="fake",
        text=text,
        segments=[{"start": start, "end": start + 10, "text": text}] if text else [],
        **{"state": State.DONE, "language": "en", "weights_digest": "d", **fields},
    )


def progress(row: Transcription, seconds: float, **changes: Any) -> None:
    Transcription.objects.filter(pk=row.pk).update(processed_seconds=seconds, **changes)


def texts(events: list[Event]) -> list[str]:
    return [event.data["text"] for event in events if event.name == "segment"]


def test_segments_come_as_they_are_finished_and_then_the_end(
    serve_standing: Serve, token: str, row: Transcription
) -> None:
    first = chunk(row, 0, "", state=State.LEASED)
    chunk(row, 10, "second")
    progress(row, 10.0)
    listener = Listener.to(serve_standing(), row, token)

    assert listener.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert listener.response.headers["Cache-Control"] == "no-store"
    [segment, state] = listener.until("progress")
    assert segment.data == {
        "start_seconds": 10,
        "end_seconds": 20,
        "text": "second",
        "language": "en",
        "words": None,
    }
    assert (state.data["status"], state.data["progress"]) == ("processing", 0.25)
    # The one before it is finished later.
    first.delete()
    chunk(row, 0, "first")
    progress(row, 20.0)
    assert texts(listener.until("progress")) == ["first"]
    chunk(row, 20, "third")
    progress(
        row, 30.0, status=Status.COMPLETED, step=Step.OVER, language="en", warnings=["partial_text"]
    )
    events = listener.until("end")

    assert texts(events) == ["third"]
    end = events[-1].data
    assert (end["status"], end["progress"], end["language"]) == ("completed", 1.0, "en")
    assert (end["warnings"], end["error"]) == (["partial_text"], None)
    assert end["url"].endswith(url_of(row))
    assert listener.next() is None
    listener.close()


def test_a_client_that_comes_back_gets_what_it_has_not_had(
    serve_standing: Serve, token: str, row: Transcription
) -> None:
    served = serve_standing()
    chunk(row, 0, "first")
    chunk(row, 10, "", state=State.PENDING)
    chunk(row, 20, "third")
    progress(row, 20.0)
    listener = Listener.to(served, row, token)
    assert texts(listener.until("progress")) == ["first", "third"]
    listener.close()
    Chunk.objects.filter(state=State.PENDING).update(
        state=State.DONE,
        weights_digest="d",
        segments=[{"start": 10, "end": 20, "text": "second"}],
    )
    progress(row, 30.0)

    again = Listener.to(served, row, token, listener.last_id)
    events = again.until("progress")
    again.close()

    assert [event.name for event in events] == ["segment", "progress"]
    assert texts(events) == ["second"]
    once_more = Listener.to(served, row, token, again.last_id)
    assert [event.name for event in once_more.until("progress")] == ["progress"]
    once_more.close()


@pytest.mark.parametrize("last_id", ["rubbish", "160000.00000000"])
def test_a_client_whose_mark_means_nothing_starts_anew(
    serve_standing: Serve, token: str, row: Transcription, last_id: str
) -> None:
    chunk(row, 0, "first")
    progress(row, 10.0)
    listener = Listener.to(serve_standing(), row, token, last_id)

    events = listener.until("progress")
    listener.close()

    assert [event.name for event in events] == ["reset", "segment", "progress"]


def test_text_of_another_model_takes_the_place_of_what_was_sent(
    serve_standing: Serve, token: str, row: Transcription
) -> None:
    chunk(row, 0, "of the old model")
    progress(row, 10.0)
    listener = Listener.to(serve_standing(), row, token)
    listener.until("progress")

    Chunk.objects.update(
        weights_digest="new",
        text="of the new model",
        segments=[{"start": 0, "end": 10, "text": "of the new model"}],
    )
    progress(row, 10.5)
    events = listener.until("progress")
    listener.close()

    assert [event.name for event in events] == ["reset", "segment", "progress"]
    assert texts(events) == ["of the new model"]


def test_a_failed_one_says_why_and_a_deleted_one_is_gone(
    serve_standing: Serve, token: str, row: Transcription
) -> None:
    served = serve_standing()
    listener = Listener.to(served, row, token)
    listener.until("progress")
    progress(row, 0.0, status=Status.FAILED, step=Step.OVER, error_code="not_audio")
    error = listener.until("end")[-1].data["error"]
    assert (error["code"], len(error["message"]) > 20) == ("not_audio", True)
    listener.close()

    progress(row, 0.0, status=Status.QUEUED, step=Step.PREPARE)
    listener = Listener.to(served, row, token)
    listener.until("progress")
    Transcription.objects.all().delete()
    assert [event.name for event in listener.until("gone")] == ["gone"]
    assert listener.next() is None
    listener.close()


def test_comments_keep_a_silent_stream_alive(
    serve_standing: Serve, token: str, row: Transcription
) -> None:
    listener = Listener.to(serve_standing(ASR_KEEP_ALIVE_SECONDS="0.05"), row, token)
    listener.until("progress")
    line = [listener.response.readline() for _ in range(4)]
    listener.close()

    assert line == [b": keep-alive\n", b"\n"] * 2


def test_a_stream_ends_when_the_service_is_stopped(
    serve: Serve, token: str, row: Transcription
) -> None:
    served = serve()
    listener = Listener.to(served, row, token)
    listener.until("progress")

    served.process.terminate()

    assert listener.next() is None
    assert served.process.wait(20) == 0
    listener.close()


def test_forty_listeners_cost_no_more_and_leave_nothing_when_they_go(
    serve_standing: Serve, token: str, row: Transcription
) -> None:
    served = serve_standing()
    before = served.open_spools()
    listeners = [Listener.to(served, row, token) for _ in range(40)]
    for listener in listeners:
        listener.until("progress")
    progress(row, 5.0)
    for listener in listeners:
        [event] = listener.until("progress")
        assert event.data["processed_seconds"] == 5.0

    for listener in listeners:
        listener.close()

    eventually(lambda: connections_of(served) == 0)
    assert served.open_spools() == before
    assert served.request("GET", "/health").status == 200


def connections_of(served: Served) -> int:
    """Established connections to the process's port."""
    from pathlib import Path

    port = f":{served.port:04X}"
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return sum(line.split()[1].endswith(port) and line.split()[3] == "01" for line in lines)


@pytest.mark.django_db(transaction=True)
def test_a_look_costs_one_query_and_another_for_what_is_new(
    row: Transcription, django_assert_num_queries: Any
) -> None:
    for start in range(0, 100, 10):
        chunk(row, start, f"at {start}")

    with django_assert_num_queries(2):
        look = look_at(row.pk, set())
    with django_assert_num_queries(1):
        again = look_at(row.pk, set(look.finished))

    assert len(look.fresh) == 10
    assert again.fresh == []
