"""A message is delivered though everything that was delivering it is killed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from tests.receivers import Receiver, Reply
from tests.served import eventually
from tests.torture.clients import Crowd, recordings
from tests.torture.torture import WORKERS, Rack
from tests.torture.victims import victims


def call(url: str, token: str, method: str, path: str, body: Any = None) -> Any:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        assert response.status < 300, response.read()
        return json.loads(response.read())
    finally:
        connection.close()


def test_a_message_whose_workers_are_killed_arrives_under_the_same_id(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        Rack(tmp_path / "var", ASR_WEBHOOK_PRIVATE_HOSTS="127.0.0.1") as rack,
        rack.service() as service,
    ):
        released = threading.Event()
        receiver.will(Reply(first=lambda: released.wait(60)), Reply())
        made = call(
            service.url, rack.token, "POST", "/api/v1/webhook-endpoints/", {"url": receiver.url()}
        )
        crowd = Crowd(url=service.url, token=rack.token, recordings=recordings(), seed=1)

        upload = crowd.upload(0)  # has its text: nobody waits for the message
        assert upload.status == 200
        eventually(lambda: len(receiver.received) == 1)
        killed = [one for one in victims(service.pid, WORKERS) if one.program == "chores"]
        assert killed
        for victim in killed:
            with contextlib.suppress(ProcessLookupError):  # it went with another
                os.kill(victim.pid, signal.SIGKILL)
        eventually(lambda: len(receiver.received) == 2)
        released.set()

        def messages() -> Any:
            return call(service.url, rack.token, "GET", "/api/v1/webhook-deliveries/")["results"]

        eventually(lambda: messages()[0]["status"] == "delivered")
        (message,) = messages()
        assert (message["tries"], message["transcription"]) == (1, upload.transcription_id)
        first, second = receiver.received
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == message["message_id"]
        assert first.body == second.body
        for got in receiver.received:
            told = Webhook(made["secret"]).verify(got.body, dict(got.headers))
            assert told["data"]["id"] == upload.transcription_id

        # A stop waits for a message on its way, but no longer than the message may take.
        hangs = threading.Event()
        receiver.will(Reply(first=lambda: hangs.wait(60)))
        endpoint = f"/api/v1/webhook-endpoints/{made['id']}/test/"
        call(service.url, rack.token, "POST", endpoint)
        eventually(lambda: len(receiver.received) == 3)
        assert service.stop() == 0
        hangs.set()
    assert rack.survivors() == set()
