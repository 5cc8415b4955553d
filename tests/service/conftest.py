"""The whole service, as ``manage.py serve`` runs it: web, engine, chores, launcher."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from transcription.engines.base import WeightsError
from transcription.engines.weights import require_files
from transcription.engines.whisper import HOW_TO_GET, REQUIRED_FILES
from transcription.management.benchmarks.common import Measured, measured_service

WEIGHTS = "whisper-base"


@pytest.fixture(scope="session")
def fake_service() -> Iterator[Measured]:
    """A running service with the deterministic engine."""
    with measured_service(engine="fake", model_options={"chunk_seconds": 30}) as measured:
        yield measured


@pytest.fixture(scope="session")
def whisper_service() -> Iterator[Measured]:
    """A running service with the embedded model; `make test` puts its weights in place."""
    try:
        require_files(settings.WEIGHTS_DIR / WEIGHTS, REQUIRED_FILES, how_to_get=HOW_TO_GET)
    except WeightsError as error:
        pytest.fail(str(error))
    with measured_service(
        engine="whisper", model_options={"chunk_seconds": 30, "weights": WEIGHTS}
    ) as measured:
        yield measured
