"""Two hundred clients wait for their results."""

from __future__ import annotations

import http.client
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.served import Form, Served, eventually
from transcription.models import Transcription

WAITERS = 200
Serve = Callable[..., Served]


def post(served: Served, token: str) -> http.client.HTTPConnection:
    """Send a recording; the answer is still to come."""
    form = Form.of_size(1000)
    connection = served.connect()
    connection.request(
        "POST",
        "/api/v1/transcribe",
        body=b"".join(form),
        headers={"Authorization": f"Token {token}", "Content-Type": form.content_type},
    )
    return connection


def test_health_answers_while_two_hundred_wait_and_then_all_of_them_get_their_text(
    serve: Serve, token: str
) -> None:
    served = serve(ASR_RATE_USER="1000/m")
    waiting = [post(served, token) for _ in range(WAITERS)]
    eventually(lambda: Transcription.objects.count() == WAITERS)

    seconds = []
    for _ in range(100):
        started = time.monotonic()
        assert served.request("GET", "/health").status == 200
        seconds.append(time.monotonic() - started)
    answered_before = [one for one in waiting if one.sock is None]
    Transcription.objects.update(
        status=Transcription.Status.COMPLETED, text="hello", language="en", duration_seconds=1.5
    )
    answers = []
    for connection in waiting:
        response = connection.getresponse()
        answers.append((response.status, b'"text":"hello"' in response.read()))
        connection.close()

    assert not answered_before
    assert answers == [(200, True)] * WAITERS
    # 26 ms were measured on a quiet machine; if waiting took the threads away, it would be 120 s.
    assert sorted(seconds)[94] < 1.0


def test_clients_that_leave_hold_nothing(serve: Serve, token: str) -> None:
    served = serve(ASR_RATE_USER="1000/m")
    before = threads_of(served)
    waiting = [post(served, token) for _ in range(20)]
    eventually(lambda: Transcription.objects.count() == 20)
    eventually(lambda: threads_of(served) > 20)

    for connection in waiting:
        connection.close()

    # Long before the two minutes that they would have waited.
    eventually(lambda: threads_of(served) <= before + 8)
    eventually(lambda: served.log.count("POST /api/v1/transcribe 499") == 20)
    # Nobody is there to hear of them, but what was accepted stays accepted.
    assert Transcription.objects.filter(status=Transcription.Status.QUEUED).count() == 20


def test_who_waits_is_sent_to_the_link_when_the_service_is_stopped(
    serve: Serve, token: str
) -> None:
    served = serve()
    connection = post(served, token)
    eventually(Transcription.objects.exists)
    eventually(lambda: threads_of(served) > 1)

    served.process.send_signal(signal.SIGTERM)
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()

    assert response.status == 202
    assert body["code"] == 5001
    assert body["data"]["url"] == f"/api/v1/transcriptions/{Transcription.objects.get().pk}/"


def threads_of(served: Served) -> int:
    return len(list(Path(f"/proc/{served.process.pid}/task").iterdir()))
