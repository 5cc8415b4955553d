"""What has been kept for long enough goes by itself, and no sooner."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from tests.work.retained import entries, now
from transcription.models import Revision, Segment, Transcription
from transcription.services import change, retention
from transcription.work import ticker
from transcription.work.runtime import runtime

pytestmark = pytest.mark.django_db(transaction=True)
Status, Step = Transcription.Status, Transcription.Step


def test_all_is_kept_for_ever_where_nothing_is_set(made) -> None:
    row = made(days=10_000)
    assert retention.remove_due() == 0
    assert Path(row.audio.path).exists()
    assert (retention.audio_kept_until(row), retention.kept_until(row)) == (None, None)


@pytest.mark.parametrize("status", Transcription.FINAL)
def test_the_audio_goes_after_its_days_and_the_text_stays(made, audio_for_a_week, status) -> None:
    old, young = made(days=7.1, status=status), made(days=6.9, status=status)
    Segment.objects.create(transcription=old, index=0, start_seconds=0, end_seconds=1, text="what")

    assert retention.remove_due() == 1

    assert not Path(old.audio.path).exists()
    assert (now(old).text, bool(now(old).audio), now(old).lease_until) == (
        "what was said",
        False,
        None,
    )
    assert old.segments.count() == 1
    assert Path(young.audio.path).exists()
    assert entries() == [("audio_deleted", str(old.pk))]
    assert retention.remove_due() == 0


@pytest.mark.parametrize("status", Transcription.FINAL)
def test_the_text_goes_after_its_days_with_reviews_and_audio(
    made, text_for_a_month, status
) -> None:
    old, young = made(days=30.1, status=status), made(days=29.9, status=status)
    without_audio = made(days=31, audio=False)
    Revision.objects.create(transcription=old, number=1, kind="edit", changes=[], changed=0)

    assert retention.remove_due() == 2

    assert list(Transcription.objects.all()) == [young]
    assert not Revision.objects.exists()
    assert not Path(old.audio.path).exists()
    assert Path(young.audio.path).exists()
    assert entries() == sorted(
        ("transcription_deleted", str(row.pk)) for row in (old, without_audio)
    )


def test_days_may_be_parts_of_a_day(made, settings) -> None:
    settings.AUDIO_KEPT_DAYS = 0.25
    old, young = made(days=0.26), made(days=0.24)
    assert retention.remove_due() == 1
    assert (bool(now(old).audio), bool(now(young).audio)) == (False, True)


@pytest.mark.parametrize(
    ("status", "step", "state"),
    [
        ("queued", "prepare", "pending"),
        ("processing", "prepare", "leased"),
        ("processing", "recognise", "done"),
        ("processing", "finish", "leased"),
        ("cancelled", "finish", "pending"),
    ],
)
def test_what_waits_or_is_worked_on_is_never_touched(
    made, audio_for_a_week, text_for_a_month, status, step, state
) -> None:
    # A cancelled one has its time of completion before its text is joined.
    row = made(days=100, status=status, step=step, state=state)
    assert retention.remove_due() == 0
    assert Path(row.audio.path).exists()
    assert now(row).text == "what was said"


def test_a_retry_starts_the_time_anew(made, text_for_a_month) -> None:
    row = made(days=100, status=Status.FAILED)
    change.retry(row)
    assert now(row).completed_at is None
    assert retention.remove_due() == 0
    Transcription.objects.filter(pk=row.pk).update(
        status=Status.COMPLETED, step=Step.OVER, completed_at=timezone.now()
    )
    assert retention.remove_due() == 0
    assert Path(row.audio.path).exists()


def test_it_is_done_in_portions_the_oldest_first(made, audio_for_a_week) -> None:
    rows = [made(days=days) for days in (8, 11, 9, 10)]
    assert retention.remove_due(portion=3) == 3
    assert [bool(now(row).audio) for row in rows] == [True, False, False, False]
    assert retention.remove_due(portion=3) == 1
    assert retention.remove_due(portion=3) == 0


def test_a_quiet_service_does_it_too_at_the_tick_of_a_chores_worker(
    made, audio_for_a_week, fresh_worker
) -> None:
    row = made(days=8)
    ticker.tick("engine", runtime(), 0)
    assert now(row).audio
    ticker.tick("chores", runtime(), 0)
    assert not now(row).audio


def test_it_leaves_the_rest_for_the_next_time_when_its_own_is_over(made, audio_for_a_week) -> None:
    row = made(days=8)
    assert retention.remove_due(most_seconds=0.0) == 0
    assert retention.remove_due() == 1
    assert not now(row).audio


def test_a_quiet_service_puts_itself_in_order_every_hour(transactional_db, fresh_worker) -> None:
    here = runtime()
    here.last_upkeep = time.monotonic()
    ticker.tick("chores", here, 0)
    assert not OrmQ.objects.exists()
    here.last_upkeep -= 3601
    ticker.tick("chores", here, 0)
    assert OrmQ.objects.filter(key="chores").exists()


def test_a_title_is_in_no_history_when_the_row_is_gone(made, text_for_a_month) -> None:
    root = User.objects.create_superuser("root")
    row = made(days=40, title="Secret meeting")
    LogEntry.objects.log_actions(root.pk, [row], CHANGE, "Approved.")
    assert LogEntry.objects.get().object_repr == "Secret meeting"
    retention.remove_due()
    entry = LogEntry.objects.get()
    assert (entry.object_repr, entry.object_id) == (str(row.pk), str(row.pk))


def test_when_it_goes_is_known_before(made, settings) -> None:
    row = made(days=1)
    settings.AUDIO_KEPT_DAYS, settings.TEXT_KEPT_DAYS = 7.0, 30.0
    assert retention.audio_kept_until(row) == row.completed_at + timedelta(days=7)
    assert retention.kept_until(row) == row.completed_at + timedelta(days=30)
    settings.AUDIO_KEPT_DAYS = 0.0
    assert retention.audio_kept_until(row) == row.completed_at + timedelta(days=30)
    without = made(days=1, audio=False)
    assert retention.audio_kept_until(without) is None
    for unfinished in (made(days=1, step="finish"), made(days=1, completed_at=None)):
        assert retention.audio_kept_until(unfinished) is None
        assert retention.kept_until(unfinished) is None


@pytest.mark.parametrize("audio_alone", [True, False])
def test_what_is_due_is_found_along_an_index(settings, audio_alone) -> None:
    rows = retention.due(7.0).exclude(audio="") if audio_alone else retention.due(30.0)
    asked = rows.order_by("completed_at").values_list("pk", flat=True)[:100]
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL plans by the number of rows, and these are few")
    Transcription.objects.bulk_create(
        Transcription(status="completed", step="over", completed_at=timezone.now(), audio="a.wav")
        for _ in range(500)
    )
    plan = asked.explain()
    index = "transcription_over_audio" if audio_alone else "transcription_over"
    assert re.search(rf"USING INDEX {index} \(completed_at<\?\)", plan), plan
    assert "TEMP B-TREE" not in plan
