"""What an answer means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from transcription.delivery.client import seconds_of_retry_after
from transcription.delivery.outcome import Verdict, pause_seconds, verdict_on

DELAYS = [5.0, 30.0, 120.0]


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ([200, 201, 202, 204, 299], Verdict.DELIVERED),
        ([410], Verdict.GONE),
        ([408, 425, 429, 500, 502, 503, 504, 599], Verdict.LATER),
        ([301, 302, 307, 308, 400, 401, 403, 404, 405, 422], Verdict.NEVER),
    ],
)
def test_a_status_decides(statuses: list[int], verdict: Verdict) -> None:
    assert {verdict_on(status)[0] for status in statuses} == {verdict}


def test_pauses_grow_and_come_to_an_end() -> None:
    assert [pause_seconds(tries, DELAYS) for tries in (1, 2, 3, 4)] == [5.0, 30.0, 120.0, None]


def test_a_receiver_may_ask_for_a_longer_pause_within_a_bound() -> None:
    assert pause_seconds(1, DELAYS, 60.0) == 60.0
    assert pause_seconds(1, DELAYS, 1.0) == 5.0
    assert pause_seconds(1, DELAYS, 1e9) == 24 * 3600.0
    assert pause_seconds(4, DELAYS, 60.0) is None


def test_retry_after_is_a_number_or_a_date() -> None:
    now = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
    assert seconds_of_retry_after(" 17 ", now=now) == 17.0
    assert seconds_of_retry_after("Wed, 25 Nov 2026 12:01:00 GMT", now=now) == 60.0
    assert seconds_of_retry_after("Wed, 25 Nov 2026 11:00:00 GMT", now=now) == 0.0
    assert seconds_of_retry_after("soon", now=now) is None
    assert seconds_of_retry_after("-5", now=now) is None
    assert seconds_of_retry_after("9" * 5000, now=now) == 999_999_999.0
