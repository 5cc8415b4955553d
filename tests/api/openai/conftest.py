"""The official client, against the whole service and against a web process alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import openai
import pytest
from django.conf import settings

from tests.served import Served
from transcription.management.benchmarks.common import Measured, measured_service


@pytest.fixture(scope="session")
def service() -> Iterator[Measured]:
    """A running service whose engine is deterministic and does what a prompt orders."""
    with measured_service(
        engine="fake",
        model_options={"chunk_seconds": 30, "options": {"obey_context": True}},
        environment={"ASR_RETRY_DELAYS_SECONDS": "0"},
    ) as measured:
        yield measured


@pytest.fixture
def client(service: Measured) -> Iterator[openai.OpenAI]:
    """The official client as its manual says, with nothing set but the address and the key."""
    token = service.client.authorization.split()[1]
    with openai.OpenAI(base_url=f"{service.service.url}/v1", api_key=token) as client:
        yield client


@pytest.fixture(scope="session")
def talk() -> bytes:
    """Eight seconds of speech."""
    return (settings.BASE_DIR / "samples" / "english.wav").read_bytes()


@pytest.fixture(scope="session")
def heard(service: Measured, talk: bytes) -> str:
    """What the service makes of the talk, as its own route says."""
    text: str = service.client.transcribe("talk.wav", talk).body["data"]["text"]
    return text


@pytest.fixture
def client_of(token: str) -> Iterator[Callable[..., openai.OpenAI]]:
    """Makes clients of a web process without workers: the test does their work."""
    made: list[openai.OpenAI] = []

    def make(served: Served, **options: object) -> openai.OpenAI:
        # Impatient clients are to meet a process that is up.
        assert served.request("GET", "/health").status == 200
        made.append(
            openai.OpenAI(
                base_url=f"http://127.0.0.1:{served.port}/v1",
                **{"api_key": token, "max_retries": 0, **options},  # type: ignore[arg-type]
            )
        )
        return made[-1]

    yield make
    for client in made:
        client.close()
