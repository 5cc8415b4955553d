"""Models and workers in the admin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from transcription.models import SpeechModel, Worker

LIST = "/admin/transcription/speechmodel/"


@pytest.fixture
def weights(settings: Any, tmp_path: Path) -> Path:
    settings.WEIGHTS_DIR = tmp_path
    (tmp_path / "tiny").mkdir()
    return tmp_path


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "title": "Tiny",
        "engine": "whisper",
        "weights": "tiny",
        "enabled": "on",
        "order": "5",
        "max_seconds": "",
        "languages": '["zh", "en"]',
        "chunk_seconds": "30",
        "options": "{}",
        **changes,
    }


def test_a_model_is_entered_and_changed(staff: Client, weights: Path) -> None:
    assert staff.post(f"{LIST}add/", fields()).status_code == 302
    model = SpeechModel.objects.get()
    assert (model.name, model.engine, model.languages, model.enabled) == (
        "tiny",
        "whisper",
        ["zh", "en"],
        True,
    )

    staff.post(f"{LIST}{model.pk}/change/", fields(name="other", order="7"))
    model.refresh_from_db()
    # Callers know it by its name.
    assert (model.name, model.order) == ("tiny", 7)
    # Nothing of this is anything that a worker has to load.
    assert model.generation == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "auto"}, "asks for the routing"),
        ({"name": "no good"}, "valid"),
        ({"weights": ""}, "needs the directory"),
        ({"weights": "absent"}, "There is no directory"),
        ({"languages": '["klingon"]'}, "is not known"),
        ({"languages": '["auto"]'}, "Name each language"),
        ({"languages": '"zh"'}, "Expected a list of codes"),
        ({"languages": "zh"}, "Enter a valid JSON"),
        ({"options": "[1]"}, "Expected names and values"),
        ({"max_seconds": "0"}, "greater than or equal"),
        ({"chunk_seconds": "0"}, "greater than or equal"),
        ({"engine": "magic"}, "Select a valid choice"),
        ({"chunk_seconds": "31"}, "no more than 30 seconds"),
        ({"engine": "qwen3_asr", "chunk_seconds": "181"}, "no more than 180 seconds"),
        (
            {
                "engine": "qwen3_asr",
                "chunk_seconds": "120",
                "options": '{"max_clip_seconds": 90}',
            },
            "no more than 90 seconds",
        ),
    ],
)
def test_what_would_fail_in_a_worker_is_refused_here(
    staff: Client, weights: Path, changes: dict[str, str], words: str
) -> None:
    response = staff.post(f"{LIST}add/", fields(**changes))

    assert response.status_code == 200
    assert words in response.content.decode()
    assert not SpeechModel.objects.exists()


def test_a_model_may_be_entered_before_its_weights_are_there_if_it_is_off(
    staff: Client, weights: Path
) -> None:
    entered = fields(weights="absent")
    del entered["enabled"]

    assert staff.post(f"{LIST}add/", entered).status_code == 302
    assert SpeechModel.objects.get().enabled is False


def test_languages_are_brought_to_the_services_own_codes(staff: Client, weights: Path) -> None:
    staff.post(f"{LIST}add/", fields(languages='["zh-CN", "Chinese", "EN"]'))

    assert SpeechModel.objects.get().languages == ["zh", "en"]


def test_other_weights_are_loaded_without_being_asked_for(staff: Client, weights: Path) -> None:
    (weights / "better").mkdir()
    staff.post(f"{LIST}add/", fields())
    model = SpeechModel.objects.get()

    staff.post(f"{LIST}{model.pk}/change/", fields(weights="better"))

    model.refresh_from_db()
    assert (model.weights, model.generation) == ("better", 2)


def test_models_are_loaded_anew_when_asked_to(staff: Client) -> None:
    model = SpeechModel.objects.create(name="tiny", engine="fake")

    response = staff.post(
        LIST, {"action": "reload", "_selected_action": [str(model.pk)]}, follow=True
    )

    model.refresh_from_db()
    assert model.generation == 2
    assert "1 model is being loaded anew" in response.content.decode()


def test_workers_are_shown_as_they_report_themselves(staff: Client) -> None:
    worker = Worker.objects.create(
        host="box",
        pid=17,
        cluster="engine-0",
        loaded=[{"name": "tiny", "generation": 3, "device": "cpu"}],
        error="out of memory",
    )

    page = staff.get("/admin/transcription/worker/").content.decode()

    for shown in ("engine-0", "tiny (generation 3, cpu)", "out of memory"):
        assert shown in page
    assert staff.get(f"/admin/transcription/worker/{worker.pk}/change/").status_code == 200
    assert staff.get("/admin/transcription/worker/add/").status_code == 403


def test_a_long_chunk_is_fine_for_an_engine_that_takes_it(staff: Client, weights: Path) -> None:
    entered = fields(engine="qwen3_asr", chunk_seconds="120")
    assert staff.post(f"{LIST}add/", entered).status_code == 302
    assert SpeechModel.objects.get().split_seconds == 120.0


def test_a_broken_reload_is_told_with_what_goes_on_serving(staff: Client) -> None:
    good = {"generation": 1, "engine": "fake", "weights": "old", "options": {}}
    model = SpeechModel.objects.create(name="tiny", engine="fake", generation=2, last_good=good)
    Worker.objects.create(
        host="box",
        pid=17,
        cluster="engine-0@1",
        loaded=[{"name": "tiny", "generation": 1, "stands_in_for": 2, "device": "cpu"}],
        failed=[{"name": "tiny", "generation": 2, "message": "model.bin is cut off"}],
        unloaded=[{"name": "big", "unloaded_because": "swapped for tiny: 3.4 of 4.0 GB"}],
        seen={"tiny": 2},
    )

    page = staff.get(LIST).content.decode()
    assert "Model tiny on engine-0: model.bin is cut off (generation 1 goes on serving)" in page
    assert "failed (generation 1 serves)" in page

    page = staff.get(f"{LIST}{model.pk}/change/").content.decode()
    assert "generation 1 from old" in page

    page = staff.get("/admin/transcription/worker/").content.decode()
    assert "tiny (generation 1 in place of 2, cpu)" in page
    assert "big: swapped for tiny: 3.4 of 4.0 GB" in page


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"loaded": [{"name": "tiny", "generation": 1}], "seen": {"tiny": 1}}, ">loaded<"),
        ({"seen": {"tiny": 1}}, ">unloaded<"),
        ({"seen": {}}, ">reloading<"),
    ],
)
def test_the_list_shows_how_far_the_workers_are(
    staff: Client, facts: dict[str, Any], shown: str
) -> None:
    SpeechModel.objects.create(name="tiny", engine="fake")
    Worker.objects.create(host="box", pid=1, cluster="engine-0@1", **facts)
    assert shown in staff.get(LIST).content.decode()


def test_without_workers_the_list_says_so(staff: Client) -> None:
    SpeechModel.objects.create(name="tiny", engine="fake")
    SpeechModel.objects.create(name="spare", engine="fake", enabled=False)
    page = staff.get(LIST).content.decode()
    assert ">no worker<" in page
    assert ">off<" in page


def test_the_list_costs_as_few_queries_for_many_models_as_for_one(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    def asked() -> int:
        with django_assert_max_num_queries(20) as queries:
            staff.get(LIST)
        return len(queries.captured_queries)

    SpeechModel.objects.create(name="m", engine="fake")
    before = asked()
    for number in range(10):
        SpeechModel.objects.create(name=f"m{number}", engine="fake")
    assert asked() == before
