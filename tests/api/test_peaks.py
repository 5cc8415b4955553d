"""``GET /api/v1/transcriptions/{id}/peaks/``."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import LIST_URL, caller
from transcription.models import Transcription
from transcription.services.peaks import MOST_PEAKS, store_peaks

pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.fixture
def row(ann: User) -> Transcription:
    return Transcription.objects.create(owner=ann, duration_seconds=0.27)


def url_of(row: Transcription) -> str:
    return f"{LIST_URL}{row.pk}/peaks/"


def test_its_owner_reads_them(client_of_ann: Client, row: Transcription) -> None:
    store_peaks(row.pk, bytes([0, 128, 255, 3, 0, 51]))
    assert client_of_ann.get(url_of(row)).json() == {
        "duration_seconds": 0.27,
        "peaks_per_second": 20,
        "peaks": [0, 0.5, 1, 0.01, 0, 0.2],
    }


def test_a_long_recording_keeps_its_loudest_ones(client_of_ann: Client, row: Transcription) -> None:
    content = bytearray(50 * MOST_PEAKS // 20 + 1)
    content[-1] = content[4] = 255
    store_peaks(row.pk, bytes(content))
    answer = client_of_ann.get(url_of(row)).json()
    assert answer["peaks_per_second"] == pytest.approx(20 / 3)
    assert len(answer["peaks"]) <= MOST_PEAKS
    assert answer["peaks"][1] == answer["peaks"][-1] == 1
    assert sum(answer["peaks"]) == 2


def test_one_without_says_so(client_of_ann: Client, row: Transcription) -> None:
    answer = client_of_ann.get(url_of(row))
    assert (answer.status_code, answer.json()["code"]) == (404, "peaks_missing")


def test_strangers_do_not_know_of_it(row: Transcription, data_dir: Path) -> None:
    store_peaks(row.pk, b"\x00")
    stranger = caller(User.objects.create_user("bob"))
    answer = stranger.get(url_of(row))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
