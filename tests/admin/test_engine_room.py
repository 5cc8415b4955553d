"""The engine room: what it shows, and what its levers do."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from transcription.models import (
    Chunk,
    QueuePause,
    SpeechModel,
    Throughput,
    Transcription,
    Worker,
)
from transcription.services import queue, retry_failed, throughput

ROOM = "/admin/transcription/engine-room/"
STATE = f"{ROOM}state/"
Status = Transcription.Status


@pytest.fixture
def model(db: None) -> SpeechModel:
    return SpeechModel.objects.create(name="tiny", engine="fake", order=5)


def worker(cluster: str = "engine-0@1", seconds_ago: float = 1.0, **fields: Any) -> Worker:
    return Worker.objects.create(
        host="here",
        pid=4711,
        cluster=cluster,
        heartbeat_at=timezone.now() - timedelta(seconds=seconds_ago),
        **fields,
    )


def loaded(name: str = "tiny", generation: int = 1) -> dict[str, Any]:
    return {
        "name": name,
        "generation": generation,
        "device": "cuda:0",
        "dtype": "bfloat16",
        "memory_bytes": 3 * 1024**3,
    }


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def shown(browser: Client, **query: str) -> str:
    response = browser.get(ROOM, query)
    assert response.status_code == 200
    return text_of(response.content.decode())


def does(browser: Client, path: str, **data: str) -> Any:
    return browser.post(f"{ROOM}{path}", data, follow=True)


def outcome(browser: Client) -> dict[str, str]:
    found: dict[str, str] = browser.get(STATE, {"reloaded": "tiny"}).json()["outcome"]
    return found


def failed(days_ago: float = 0, *, audio: bool = True) -> Transcription:
    row = Transcription.objects.create(
        status=Status.FAILED, step="over", error_code="worker_crashed"
    )
    if audio:
        row.audio.save(f"{row.pk}.wav", ContentFile(b"sound"))
    Transcription.objects.filter(pk=row.pk).update(
        created_at=timezone.now() - timedelta(days=days_ago)
    )
    return row


# --- what it shows


def test_it_shows_workers_models_queue_and_disk(staff: Client, model: SpeechModel) -> None:
    worker(loaded=[loaded()], seen={"tiny": 1}, busy_with=3)
    worker("chores@2", seconds_ago=90)
    Transcription.objects.create(status=Status.QUEUED)

    page = shown(staff)

    for words in (
        "tiny generation 1, cuda:0, bfloat16, 3.0 GB",
        "works on 3 pieces",
        "late: it may have died",
        "No worker prepares recordings",
        "Recordings waiting 1",
        "Disk free",
    ):
        assert words in page.replace("\xa0", " ")


def test_it_is_a_click_from_the_index_and_the_list_of_apps(staff: Client) -> None:
    assert f'href="{ROOM}"' in staff.get("/admin/").content.decode()
    assert f'href="{ROOM}"' in staff.get("/admin/transcription/chunk/").content.decode()


def test_the_index_is_by_subject_without_the_queues_own_rows(staff: Client) -> None:
    page = text_of(staff.get("/admin/").content.decode())
    places = [
        page.index(words)
        for words in ("Recordings and texts", "Engines", "Messages to others", "People and access")
    ]
    assert places == sorted(places)
    assert "Django Q" not in page
    assert "API tokens" in page
    assert staff.get("/admin/django_q/ormq/").status_code == 404
    assert staff.get("/admin/transcription/").status_code == 200


def test_it_costs_as_few_queries_for_many_as_for_few(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    def asked() -> int:
        with django_assert_max_num_queries(30) as queries:
            shown(staff)
        return len(queries.captured_queries)

    before = asked()
    for number in range(30):
        SpeechModel.objects.create(name=f"m{number}", engine="fake")
        worker(f"engine-{number}@1", loaded=[loaded(f"m{number}")])
        row = Transcription.objects.create(status=Status.PROCESSING)
        Chunk.objects.create(transcription=row, start_sample=0, end_sample=1)
    # Session, user, models, workers twice, three counts of recordings and two oldest, three
    # look-ups for each of three kinds of work, pause, hour and month.
    assert asked() == before <= 22


def test_only_staff_who_may_see_models_come_in(db: None, model: SpeechModel) -> None:
    somebody = User.objects.create_user("ann", is_staff=True)
    browser = Client()
    assert browser.get(ROOM).status_code == 302
    browser.force_login(somebody)
    assert browser.get(ROOM).status_code == 403
    assert ROOM not in browser.get("/admin/").content.decode()

    somebody.user_permissions.add(Permission.objects.get(codename="view_speechmodel"))
    page = browser.get(ROOM).content.decode()
    assert "tiny" in page
    assert "Pause the queue" not in page
    for path in (f"models/{model.pk}/reload/", "queue/pause/", "queue/retry-failed/"):
        assert browser.get(f"{ROOM}{path}").status_code == 403
        assert browser.post(f"{ROOM}{path}").status_code == 403
    assert not queue.is_paused()


@pytest.mark.parametrize("path", ["queue/explode/", "models/1/explode/", "models/999/reload/"])
def test_a_lever_that_is_none_is_not_found(staff: Client, model: SpeechModel, path: str) -> None:
    assert staff.get(f"{ROOM}{path}").status_code == 404


def test_no_style_or_script_stands_in_the_page(staff: Client, model: SpeechModel) -> None:
    worker(loaded=[loaded()], failed=[{"name": "tiny", "generation": 1, "message": "x"}])
    Throughput.objects.create(started_at=timezone.now(), recordings=1, audio_seconds=9.0)
    for path in (ROOM, f"{ROOM}queue/pause/"):
        html = staff.get(path).content.decode()
        assert not re.search(r'\sstyle="|\son[a-z]+="|<style|<script(?![^>]* src=)', html)


# --- throughput


def test_the_picture_shows_what_was_recognised_and_has_the_figures_beside_it(
    staff: Client,
) -> None:
    throughput.note_completed(audio_seconds=600.0, engine_seconds=20.0)
    throughput.note_completed(audio_seconds=120.0, engine_seconds=4.0)
    throughput.note_failed("not_audio")

    html = staff.get(ROOM).content.decode()

    assert Throughput.objects.count() == 1
    assert html.count('<rect class="bar"') == 3  # one in each picture
    assert html.count('<path class="failures"') == 3
    assert 'role="img" aria-labelledby="hour-title hour-desc"' in html
    assert "2 recordings, 0:12:00 of audio, 30.0× as fast as spoken, 1 failed" in text_of(html)
    assert "<td>2</td><td>0:12:00</td><td>30.0×</td><td>1</td>" in html


def test_amounts_fall_into_their_span_of_time(db: None) -> None:
    now = timezone.now()
    for minutes, seconds in ((0, 10.0), (20, 20.0), (26 * 60, 40.0)):
        moment = (now - timedelta(minutes=minutes)).timestamp() // 300 * 300
        Throughput.objects.create(
            started_at=datetime.fromtimestamp(moment, UTC), audio_seconds=seconds
        )

    hour = [span.audio_seconds for span in throughput.of_last_hour(now)]
    days = [span.audio_seconds for span in throughput.of_last_days(now, 30)]

    assert (len(hour), hour[-1], hour[-5], sum(hour)) == (12, 10.0, 20.0, 30.0)
    assert (len(days), sum(days)) == (30, 70.0)
    assert sum(days[-3:-1]) >= 40.0


def test_old_figures_are_forgotten(db: None) -> None:
    now = timezone.now()
    for days in (1, 101):
        Throughput.objects.create(started_at=now - timedelta(days=days))
    assert throughput.forget_old() == 1


# --- models


def test_a_reload_is_asked_for_and_followed_until_every_worker_has_it(
    staff: Client, model: SpeechModel
) -> None:
    one = worker(loaded=[loaded()], seen={"tiny": 1})
    asked = staff.get(f"{ROOM}models/{model.pk}/reload/")
    assert "goes on serving until the new load has succeeded" in asked.content.decode()
    model.refresh_from_db()
    assert model.generation == 1

    answer = does(staff, f"models/{model.pk}/reload/", weights="")

    model.refresh_from_db()
    assert model.generation == 2
    assert answer.redirect_chain == [(f"{ROOM}?reloaded=tiny", 302)]
    assert outcome(staff)["kind"] == "running"
    Worker.objects.filter(pk=one.pk).update(loaded=[loaded(generation=2)], seen={"tiny": 2})
    assert outcome(staff) == {
        "kind": "done",
        "words": "Done: every worker has generation 2 of tiny.",
    }
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_repr) == ("root", "tiny")
    assert entry.change_message == "Model tiny is being loaded anew, as generation 2."


def test_a_failed_reload_says_why_and_what_serves(staff: Client, model: SpeechModel) -> None:
    does(staff, f"models/{model.pk}/reload/")
    failure = {
        "name": "tiny",
        "generation": 2,
        "message": "generation 2 could not be loaded: model.bin is missing",
        "at": timezone.now().isoformat(),
    }
    worker(loaded=[loaded()], seen={"tiny": 2}, failed=[failure])

    said = outcome(staff)

    assert said["kind"] == "failed"
    for words in ("model.bin is missing", "Generation 1 goes on serving", "Mend the weights"):
        assert words in said["words"]
    assert "model.bin is missing" in shown(staff)


def test_without_a_worker_a_reload_waits_for_one(staff: Client, model: SpeechModel) -> None:
    does(staff, f"models/{model.pk}/reload/")
    assert outcome(staff)["kind"] == "waiting"
    worker(seen={"tiny": 2})
    assert "load it when they need it" in outcome(staff)["words"]


def test_weights_of_another_directory_are_named_or_refused(
    staff: Client, model: SpeechModel, settings: Any, tmp_path: Path
) -> None:
    settings.WEIGHTS_DIR = tmp_path
    (tmp_path / "better").mkdir()

    refused = does(staff, f"models/{model.pk}/reload/", weights="/etc")
    assert "Weights may not be loaded from" in refused.content.decode()
    assert not LogEntry.objects.exists()
    does(staff, f"models/{model.pk}/reload/", weights="better")

    model.refresh_from_db()
    assert (model.weights, model.generation) == ("better", 2)


def test_models_are_switched_and_ordered(staff: Client, model: SpeechModel) -> None:
    SpeechModel.objects.create(name="other", engine="fake", order=5)
    SpeechModel.objects.create(name="broken", engine="whisper", order=9, enabled=False)

    def order() -> list[str]:
        return list(SpeechModel.objects.values_list("name", flat=True))

    assert order() == ["other", "tiny", "broken"]
    moved = does(staff, f"models/{model.pk}/earlier/").content.decode()
    assert order() == ["tiny", "other", "broken"]
    assert "The first choice is now tiny" in moved
    assert "at that end already" in does(staff, f"models/{model.pk}/earlier/").content.decode()

    does(staff, f"models/{model.pk}/disable/")
    model.refresh_from_db()
    assert not model.enabled
    broken = SpeechModel.objects.get(name="broken")
    assert "no directory of weights" in text_of(
        does(staff, f"models/{broken.pk}/enable/").content.decode()
    )
    broken.refresh_from_db()
    assert not broken.enabled


def test_disabling_the_last_one_is_asked_for_with_what_it_means(
    staff: Client, model: SpeechModel
) -> None:
    assert "the only one that is enabled" in text_of(
        staff.get(f"{ROOM}models/{model.pk}/disable/").content.decode()
    )


# --- the queue


def test_the_queue_is_paused_with_a_reason_and_resumed(staff: Client) -> None:
    assert "What has begun is finished" in staff.get(f"{ROOM}queue/pause/").content.decode()
    assert not queue.is_paused()

    does(staff, "queue/pause/", reason="new disk")

    page = shown(staff)
    assert "by root. Reason: new disk" in page
    assert "The queue is paused: what has begun is finished" in page
    assert "was paused already" in text_of(does(staff, "queue/pause/").content.decode())
    does(staff, "queue/resume/")
    assert not queue.is_paused()
    assert "was not paused" in text_of(does(staff, "queue/resume/").content.decode())
    said = list(LogEntry.objects.order_by("pk").values_list("object_repr", "change_message"))
    assert said[0] == ("the queue", "The queue is paused.")
    assert said[2] == ("the queue", "The queue goes on.")


def test_there_is_one_pause(db: None) -> None:
    assert queue.pause(None)
    assert not queue.pause(None)
    assert QueuePause.objects.count() == 1


def test_all_failed_ones_are_retried_some_at_a_time(
    staff: Client, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(retry_failed.retry_failed.__kwdefaults__, "most", 2)
    rows = [failed(days) for days in (5, 4, 3)]
    gone = failed(9)
    Path(gone.audio.path).unlink()
    deleted = failed(8, audio=False)

    asked = text_of(staff.get(f"{ROOM}queue/retry-failed/").content.decode())
    assert "4 failed recordings whose audio is kept are started again" in asked

    answer = does(staff, "queue/retry-failed/")
    said = text_of(answer.content.decode())
    assert "1 recording is started again. 1 stay failed" in said
    assert "2 remain" in said
    address, _status = answer.redirect_chain[-1]
    assert "2 failed recordings whose audio is kept" in said
    after = answer.context["form"]["after"].value()
    last = does(staff, address.removeprefix(ROOM), after=after)
    assert "2 recordings are started again." in text_of(last.content.decode())

    states = {row.pk: row.status for row in Transcription.objects.all()}
    assert [states[row.pk] for row in rows] == ["queued"] * 3
    assert [states[gone.pk], states[deleted.pk]] == ["failed"] * 2


@pytest.mark.parametrize(
    "after", ["nonsense", "2026-01-01T00:00Z|", f"|{uuid.UUID(int=1)}", "2026-99-01|x", "\0"]
)
def test_a_place_that_is_none_breaks_nothing(staff: Client, after: str) -> None:
    for answer in (
        staff.get(f"{ROOM}queue/retry-failed/", {"after": after}),
        does(staff, "queue/retry-failed/", after=after),
    ):
        assert answer.status_code == 200
