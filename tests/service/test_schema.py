"""The API answers as its description says, whatever it is sent (schemathesis)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from tests.served import ROOT, Served
from transcription.models import ApiToken, Delivery, Segment, SpeechModel, Transcription, Worker
from transcription.services import browser_tokens, glossary, peaks, tokens, webhooks

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance"
)
Status = Transcription.Status
#: Method and path of a route, and the status of its answer.
Call = tuple[str, int]
CallAll = Callable[..., list[Call]]
#: Nothing here is throttled or worked on; who waits does so for moments.
ENVIRONMENT = {
    **{
        f"ASR_RATE_{name}": "1000000/m"
        for name in ("ANON", "USER", "LOGIN", "API_USER", "API_TOKEN")
    },
    "ASR_RATE_API_UPLOADS": "1000000/m",
    "ASR_RATE_API_BROWSER_TOKENS": "1000000/m",
    "ASR_SYNC_WAIT_SECONDS": "0.3",
    "ASR_OPENAI_WAIT_SECONDS": "0.3",
    "ASR_KEEP_ALIVE_SECONDS": "0.3",
    "ASR_LOG_LEVEL": "ERROR",
}


def transcription(owner: User | None, status: str, **fields: Any) -> Transcription:
    """A recording that is kept as it is."""
    over = status in Transcription.FINAL
    row = Transcription.objects.create(
        owner=owner,
        title="kept",
        file_name="talk.wav",
        content_type="audio/wav",
        size_bytes=26,
        status=status,
        step=Transcription.Step.OVER if over else Transcription.Step.PREPARE,
        **fields,
    )
    if status == Status.COMPLETED:
        Transcription.objects.filter(pk=row.pk).update(**FINISHED)
        row.refresh_from_db()
        Segment.objects.create(
            transcription=row,
            index=0,
            start_seconds=0,
            end_seconds=1.5,
            text="good day",
            language="en",
            words=[{"word": "good", "start": 0.0, "end": 0.7, "probability": 0.9}],
        )
    return row


FINISHED = {
    "status": Status.COMPLETED,
    "step": Transcription.Step.OVER,
    "text": "good day",
    "language": "en",
    "languages": [{"language": "en", "share": 0.7}, {"language": "zh", "share": 0.3}],
    "duration_seconds": 1.5,
    "model_name": "fake",
    "warnings": ["no_words"],
    "completed_at": timezone.now(),
}
FAILED = {
    "status": Status.FAILED,
    "step": Transcription.Step.OVER,
    "error_code": "not_audio",
    "error_message": "The file is not a recording that can be read.",
}


def rows(owner: User, count: int) -> dict[str, list[str]]:
    """Make rows of every kind; return their ids by the kind of route."""
    statuses = [*Status.values, Status.FAILED]
    failure = {name: value for name, value in FAILED.items() if name.startswith("error")}
    made = [
        transcription(
            owner if n % 7 else None,
            statuses[n % len(statuses)],
            **(failure if statuses[n % len(statuses)] == Status.FAILED else {}),
        )
        for n in range(count)
    ]
    over = [transcription(owner, Status.COMPLETED) for _ in range(count)]
    unwanted = [transcription(owner, Status.COMPLETED) for _ in range(count)]
    for row in [*made, *over]:
        row.audio.save(f"{row.pk}.wav", ContentFile(b"RIFF....WAVEfmt some sound"))
    for row in over:
        peaks.store_peaks(row.pk, bytes(range(30)))
    ends = [webhooks.create_endpoint(owner, url=f"https://e{n}.example/")[0] for n in range(5)]
    deliveries = [webhooks.send_test(one) for one in ends]
    for state, half in (("done", deliveries[:2]), ("failed", deliveries[2:4])):
        Delivery.objects.filter(pk__in=[one.pk for one in half]).update(state=state)
    few = min(count, 100)
    entered = [glossary.create(owner, term=f"Term {uuid.uuid4()}") for _ in range(2 * few)]
    return {
        "transcriptions": [str(row.pk) for row in [*made, *over]],
        "over": [str(row.pk) for row in over],
        "webhook-endpoints": [str(row.pk) for row in ends],
        "webhook-deliveries": [str(row.pk) for row in deliveries],
        "tokens": [str(tokens.create(owner, name="other")[0].pk) for _ in range(count)],
        "glossary": [str(term.pk) for term in entered[:few]],
        "DELETE glossary": [str(term.pk) for term in entered[few:]],
        "DELETE transcriptions": [str(row.pk) for row in unwanted],
        "DELETE webhook-endpoints": [str(row.pk) for row in ends[4:]],
        "models": ["fake", "whisper-1", "auto"],
    }


@contextlib.contextmanager
def everything_new_ends() -> Iterator[None]:
    """End, as a worker does, what is sent in: two well, one badly."""
    stop = threading.Event()

    def run() -> None:
        with contextlib.closing(connection):
            while not stop.wait(0.05):
                new = Transcription.objects.filter(status=Status.QUEUED).exclude(title="kept")
                for number, pk in enumerate(new.values_list("pk", flat=True)):
                    ended = FAILED if number % 3 == 2 else FINISHED
                    Transcription.objects.filter(pk=pk).update(**ended)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def tightened(schema: dict[str, Any]) -> dict[str, Any]:
    """Allow in answers only what is described: by itself OpenAPI lets anything be added."""
    for name, shape in schema["components"]["schemas"].items():
        if not name.endswith("Request") and "properties" in shape:
            shape["additionalProperties"] = False
    return schema


def call_everything(
    served: Served, authorization: str, folder: Path, *arguments: str
) -> list[Call]:
    """Have schemathesis call every route; return the calls. Fails by its words."""
    schema = tightened(served.request("GET", "/api/v1/schema/").json)
    (folder / "openapi.json").write_text(json.dumps(schema), encoding="utf-8")
    with (folder / "output.txt").open("w+", encoding="utf-8") as output:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", "openapi.json"),
                *("--url", f"http://127.0.0.1:{served.port}", "--checks", CHECKS),
                *("--header", f"Authorization: {authorization}", "--seed", "20", "--no-color"),
                *("--request-timeout", "30", "--warnings", "off", "--suppress-health-check", "all"),
                *("--generation-database", "none", *arguments),
            ],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "SCHEMATHESIS_HOOKS": "tests.service.schema_hooks",
                "SCHEMA_TEST_IDS": str(folder / "ids.json"),
                "SCHEMA_TEST_CALLS": str(folder / "calls.txt"),
                "COLUMNS": "120",
            },
            stdout=output,
            stderr=output,
            check=False,
        )
    said = (folder / "output.txt").read_text(encoding="utf-8")
    assert done.returncode == 0, said[-20_000:]
    lines = (folder / "calls.txt").read_text(encoding="utf-8").splitlines()
    return [(route, int(status)) for route, status in (line.rsplit(" ", 1) for line in lines)]


def unreached(calls: list[Call], schema: dict[str, Any]) -> set[str]:
    """Return the routes that no call got a good answer from: of those little was seen."""
    routes = {
        f"{method.upper()} {path}"
        for path, methods in schema["paths"].items()
        for method in methods
    }
    return routes - {route for route, status in calls if status < 300}


def described() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


@pytest.fixture
def call(serve: Callable[..., Served], settings: Any, tmp_path: Path) -> CallAll:
    """Calls everything over so many rows of each kind, by default as who may do everything."""
    served = serve(**ENVIRONMENT)
    settings.MEDIA_ROOT = served.data_dir / Path(settings.MEDIA_ROOT).name
    SpeechModel.objects.create(name="fake", engine="fake")
    # 503 is how /health/ready says that nobody works, and would count as a failure of the server.
    for cluster in ("engine-0@1", "chores@1"):
        Worker.objects.create(
            host="box",
            pid=1,
            cluster=cluster,
            heartbeat_at=timezone.now() + timedelta(days=1),
            seen={"fake": 1},
            loaded=[{"name": "fake", "generation": 1}],
        )
    root = User.objects.create_superuser("root")
    row, token = tokens.create(root, name="of the test")
    # It must not be found and revoked by what it calls.
    ApiToken.objects.filter(pk=row.pk).update(id=987_654_321)

    def run(count: int, *arguments: str, authorization: str = f"Bearer {token}") -> list[Call]:
        with transaction.atomic():  # one wait for the disk, not one for each row
            ids = rows(root, count)
        (tmp_path / "ids.json").write_text(json.dumps(ids), "utf-8")
        (tmp_path / "calls.txt").unlink(missing_ok=True)
        with everything_new_ends():
            return call_everything(served, authorization, tmp_path, *arguments)

    return run


@pytest.mark.timeout(300)
def test_hundreds_of_calls_are_answered_as_described(call: CallAll) -> None:
    calls = call(40, "--phases", "examples,fuzzing", "--max-examples", "12")

    assert len(calls) > 300
    assert unreached(calls, described()) == set()


@pytest.mark.timeout(300)
def test_callers_who_may_not_are_told_so_as_described(call: CallAll) -> None:
    ann = User.objects.create_user("ann")
    reading = tokens.create(ann, name="reads", scope=ApiToken.Scope.READ)[1]
    of_a_page = browser_tokens.create(ann, parent=None, subject="")[0]
    few = ("--phases", "fuzzing", "--max-examples", "3", "--mode", "positive")

    unknown = call(5, *few, authorization="Bearer asr_unknown")
    # All but the probes, which are for everybody.
    asked = {status for route, status in unknown if not route.startswith("GET /health")}
    assert asked == {401}
    for token in (reading, of_a_page):
        calls = call(5, *few, authorization=f"Bearer {token}")
        refused = {route for route, status in calls if status == 403}
        assert {"POST /api/v1/tokens/", "DELETE /api/v1/transcriptions/{id}/"} <= refused


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_twenty_thousand_calls_are_answered_as_described(call: CallAll) -> None:
    calls = call(800, "--phases", "examples,coverage,fuzzing", "--max-examples", "700")

    assert len(calls) >= 20_000
    assert unreached(calls, described()) == set()
