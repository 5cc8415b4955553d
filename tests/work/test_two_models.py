"""Two models in one worker: together where they fit, in turns where they do not."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest

from tests.engines.tiny import TINY
from tests.engines.tone_words import speak
from tests.work.conftest import follow_the_rows
from transcription.engines.base import Clip
from transcription.models import SpeechModel, Transcription, Worker
from transcription.work import choosing, recognise, ticker
from transcription.work.runtime import runtime
from transcription.work.tasks import look_for_chores, look_for_speech

pytestmark = pytest.mark.django_db(transaction=True)

MIB = 1024 * 1024


@pytest.fixture
def two_models(transactional_db: None) -> None:
    for order, name in enumerate(("first", "second")):
        SpeechModel.objects.create(
            name=name,
            engine="fake",
            order=order,
            options={"voice": name, "memory_bytes": 60 * MIB},
        )


def names_in_memory() -> list[str]:
    return [ready.name for ready in runtime().engines.loaded()]


def test_models_that_fit_serve_side_by_side(two_models, post, work, speech, settings) -> None:
    settings.MODEL_MEMORY_BYTES = 120 * MIB
    rows = [post(speech, requested_model=name) for name in ("second", "first", "second")]
    work()
    for row, name in zip(rows, ("second", "first", "second"), strict=True):
        row.refresh_from_db()
        assert (row.status, row.text.split()[0].lower()) == ("completed", name)
    assert names_in_memory() == ["first", "second"]
    assert runtime().engines.report()["unloaded"] == []


def test_models_that_do_not_fit_are_swapped_and_the_worker_says_why(
    two_models, post, work, speech, settings
) -> None:
    settings.MODEL_MEMORY_BYTES = 100 * MIB
    rows = [post(speech, requested_model=name) for name in ("second", "first")]
    work()
    for row, name in zip(rows, ("second", "first"), strict=True):
        row.refresh_from_db()
        assert (row.status, row.text.split()[0].lower()) == ("completed", name)
    assert len(names_in_memory()) == 1
    ticker.heartbeat(runtime())
    [gone] = Worker.objects.get().unloaded
    swapped_for = names_in_memory()[0]
    assert gone["unloaded_because"] == f"swapped for {swapped_for}: 125.8 of 104.9 MB"


def test_work_for_both_costs_one_swap_not_one_for_each_batch(
    two_models, post, fresh_worker, speech, settings
) -> None:
    settings.MODEL_MEMORY_BYTES = 100 * MIB
    settings.BATCH_SECONDS = 30.0  # three sentences
    for number in range(8):
        post(speech, requested_model=("first", "second")[number % 2])
    look_for_chores()
    look_for_speech()
    assert set(Transcription.objects.values_list("status", flat=True)) == {"completed"}
    assert len(runtime().engines.report()["unloaded"]) == 1


def test_who_has_waited_long_enough_is_served_while_the_other_has_work(
    two_models, post, fresh_worker, speech, settings, monkeypatch
) -> None:
    settings.MODEL_MEMORY_BYTES = 100 * MIB
    settings.BATCH_SECONDS = 10.0  # one sentence
    monkeypatch.setattr(choosing, "PATIENCE_SECONDS", 0.0)
    runtime().engines.ready(SpeechModel.objects.get(name="first"))
    for name in ("first", "first", "first", "second"):
        post(speech, requested_model=name)
    look_for_chores()
    assert recognise.recognise_next(runtime())
    assert runtime().engines.wait_until_loaded(30.0)
    assert names_in_memory() == ["second"]
    assert Transcription.objects.filter(model_name="first", status="processing").exists()


def test_a_disabled_model_finishes_what_it_began_and_leaves(
    two_models, post, fresh_worker, speech
) -> None:
    row = post(speech, requested_model="second")
    look_for_chores()
    SpeechModel.objects.filter(name="second").update(enabled=False)
    look_for_speech()
    row.refresh_from_db()
    assert (row.status, row.text.split()[0].lower()) == ("completed", "second")
    assert "second" in names_in_memory()
    follow_the_rows()
    assert "second" not in names_in_memory()


def test_recordings_of_a_deleted_model_get_another_one(
    two_models, post, fresh_worker, work, speech
) -> None:
    row = post(speech)
    look_for_chores()
    SpeechModel.objects.filter(name="first").delete()
    look_for_speech()
    work()
    row.refresh_from_db()
    assert (row.status, row.model_name) == ("completed", "second")
    assert row.text.lower().startswith("second ")


# --- the real thing, small


@pytest.fixture
def tiny_model(transactional_db: None, settings: Any) -> SpeechModel:
    settings.ENGINE_THREADS = 1
    settings.DEVICE = "cpu"
    return SpeechModel.objects.create(name="tiny", engine="qwen3_asr", weights=str(Path(TINY)))


def test_a_real_model_gives_its_memory_back_when_idle_and_comes_again(
    tiny_model: SpeechModel, fresh_worker: None, settings: Any
) -> None:
    settings.IDLE_UNLOAD_SECONDS = 600.0
    clip = Clip(samples=speak("Cloud tiger."))
    engines = runtime().engines
    ready = engines.ready(tiny_model)
    assert ready is not None
    [text] = [result.text for result in ready.engine.transcribe([clip])]
    assert text == "Cloud tiger."
    weights = weakref.ref(ready.engine._recognizer.checkpoint.model)
    assert weights() is not None
    ready.last_used -= 601.0
    ticker.tick("engine", runtime(), 0)
    worker = Worker.objects.get()
    assert worker.loaded == []
    assert worker.unloaded[-1]["unloaded_because"] == "idle for 10 minutes"
    assert weights() is None  # nothing holds them any more
    again = engines.ready(tiny_model)
    assert again is not None
    assert [result.text for result in again.engine.transcribe([clip])] == [text]
    assert again.loaded.digest == ready.loaded.digest
