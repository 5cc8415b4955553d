"""The engines of a worker: loaded on demand, anew on a reload, never lost by a broken one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from transcription.engines.base import EngineConfig, EngineMemoryError, Loaded
from transcription.engines.devices import DeviceMemory
from transcription.engines.fake import FakeEngine
from transcription.engines.registry import build
from transcription.models import SpeechModel
from transcription.work import engine_host
from transcription.work.engine_config import config_of
from transcription.work.engine_host import EngineHost
from transcription.work.engine_records import Ready, Recipe
from transcription.work.locks import LockTakenError

MIB = 1024 * 1024


def model(name: str = "fake", generation: int = 1, **options: object) -> SpeechModel:
    return SpeechModel(name=name, engine="fake", generation=generation, options=options)


def tended(host: EngineHost, *models: SpeechModel, **more: Any) -> EngineHost:
    """The host once it has followed the rows and every load is over."""
    host.tend(models, **more)
    assert host.wait_until_loaded(30.0)
    return host


class Workshop:
    """Builds fake engines whose loads can be held up and made to fail, and remembers them."""

    def __init__(self) -> None:
        self.built: list[FakeEngine] = []
        self.unloaded: list[FakeEngine] = []
        self.gate = threading.Event()
        self.gate.set()
        self.at_gate = threading.Event()
        self.loads = 0
        #: Errors of the next loads, in order.
        self.errors: list[Exception] = []

    def build(self, name: str, config: EngineConfig) -> FakeEngine:
        workshop = self

        class Engine(FakeEngine):
            def load(self) -> Loaded:
                workshop.loads += 1
                workshop.at_gate.set()
                assert workshop.gate.wait(30.0)
                if workshop.errors:
                    raise workshop.errors.pop(0)
                return super().load()

            def unload(self) -> None:
                workshop.unloaded.append(self)
                super().unload()

        engine = Engine(config)
        self.built.append(engine)
        return engine

    def host(self, **more: Any) -> EngineHost:
        return EngineHost(build_engine=self.build, **more)


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
def limit_mib(settings: Any) -> Callable[[int], None]:
    def set_limit(mib: int) -> None:
        settings.MODEL_MEMORY_BYTES = mib * MIB

    return set_limit


# --- loading and reloading


def test_a_model_is_loaded_once() -> None:
    host = EngineHost()
    first = host.ready(model())
    assert first is not None
    assert host.ready(model()) is first


def test_a_raised_generation_loads_anew() -> None:
    host = EngineHost()
    old = host.ready(model())
    tended(host, model(generation=2, voice="other"))
    [new] = host.loaded()
    assert old is not None
    assert new.generation == 2
    assert new.loaded.digest != old.loaded.digest


def test_the_same_weights_loaded_anew_have_the_same_digest() -> None:
    host = EngineHost()
    old = host.ready(model())
    tended(host, model(generation=2))
    [new] = host.loaded()
    assert old is not None
    assert (new.generation, new.loaded.digest) == (2, old.loaded.digest)


def test_the_old_engine_serves_while_the_new_one_is_loaded(workshop) -> None:
    host = workshop.host()
    old = host.ready(model())
    workshop.gate.clear()
    workshop.at_gate.clear()
    host.tend([model(generation=2)])
    assert workshop.at_gate.wait(30.0)
    assert host.report()["loading"][0]["generation"] == 2
    with host.use("fake") as ready:
        assert ready is old
    assert workshop.unloaded == []
    workshop.gate.set()
    assert host.wait_until_loaded(30.0)
    with host.use("fake") as ready:
        assert ready is not None
        assert ready.generation == 2
    assert workshop.unloaded == [old.engine]


def test_an_engine_is_not_unloaded_under_a_batch(workshop) -> None:
    host = workshop.host()
    host.ready(model())
    with host.use("fake") as old:
        host.tend([model(generation=2)])
        # The new one is in its place for the next batch, while this one goes on.
        while old in host.loaded():
            host.wait_for_change(0.05)
        assert workshop.unloaded == []
    assert host.wait_until_loaded(30.0)
    assert workshop.unloaded == workshop.built[:1]


def test_a_broken_reload_keeps_the_old_one_and_says_why() -> None:
    host = EngineHost()
    old = host.ready(model())
    broken = model(generation=2, load_error="model.bin is missing")
    tended(host, broken)
    assert host.loaded() == [old]
    assert "generation 2 could not be loaded: model.bin is missing" in host.errors()
    assert host.failed_names() == []  # it still serves
    assert host.report()["failed"][0]["generation"] == 2


def test_a_repaired_model_is_loaded_at_its_next_generation_at_once() -> None:
    host = EngineHost()
    assert host.ready(model(load_error="broken")) is None
    assert host.failed_names() == ["fake"]
    assert host.ready(model(generation=2)) is not None
    assert host.errors() == ""


def test_an_unknown_engine_or_option_is_an_error_in_words_not_a_crash() -> None:
    host = EngineHost()
    assert host.ready(model(no_such_option=1)) is None
    assert "no_such_option" in host.errors()
    other = SpeechModel(name="x", engine="telepathy", generation=1)
    assert host.ready(other) is None
    assert "telepathy" in host.errors()


def test_a_reload_that_comes_during_another_is_not_forgotten(workshop) -> None:
    host = workshop.host()
    host.ready(model())
    workshop.gate.clear()
    host.tend([model(generation=2)])
    host.tend([model(generation=3, voice="third")])
    workshop.gate.set()
    assert host.wait_until_loaded(30.0)
    tended(host, model(generation=3, voice="third"))
    assert [ready.generation for ready in host.loaded()] == [3]


# --- trying again


def test_broken_weights_are_not_tried_again_by_themselves(workshop, monkeypatch) -> None:
    monkeypatch.setattr(engine_host, "TRY_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(engine_host, "FILES_SETTLE_SECONDS", 0.0)
    host = workshop.host()
    for _ in range(3):
        assert host.ready(model(load_error="broken")) is None
        tended(host, model(load_error="broken"))
    assert workshop.loads == 1


def test_broken_weights_are_tried_again_when_their_files_change(
    workshop, monkeypatch, tmp_path
) -> None:
    host = workshop.host()
    row = SpeechModel(
        name="fake", engine="fake", weights=str(tmp_path), options={"load_error": "b"}
    )
    assert host.ready(row) is None
    (tmp_path / "model.bin").write_bytes(b"more")
    tended(host, row)
    assert workshop.loads == 1  # the copy may be going on
    monkeypatch.setattr(engine_host, "FILES_SETTLE_SECONDS", 0.0)
    tended(host, row)
    assert workshop.loads == 2
    tended(host, row)
    assert workshop.loads == 2


def test_what_failed_for_a_passing_reason_is_tried_again_after_a_pause(
    workshop, monkeypatch
) -> None:
    host = workshop.host()
    workshop.errors = [EngineMemoryError("out of memory")]
    assert host.ready(model()) is None
    assert host.ready(model()) is None
    assert workshop.loads == 1
    monkeypatch.setattr(engine_host, "TRY_AGAIN_SECONDS", 0.0)
    assert host.ready(model()) is not None
    assert host.errors() == ""


def test_a_device_that_another_worker_keeps_is_a_passing_reason(workshop, monkeypatch) -> None:
    taken = [LockTakenError("Another worker keeps it.")]

    def lock() -> None:
        if taken:
            raise taken.pop()

    host = workshop.host(before_load=lock)
    assert host.ready(model()) is None
    assert "Another worker keeps it" in host.errors()
    assert workshop.loads == 0
    monkeypatch.setattr(engine_host, "TRY_AGAIN_SECONDS", 0.0)
    assert host.ready(model()) is not None


# --- a worker that starts while the wanted model is broken


def good(row: SpeechModel, generation: int = 1, **options: object) -> SpeechModel:
    recipe = Recipe(
        name=row.name, generation=generation, engine="fake", weights="", options=options
    )
    row.last_good = recipe.as_last_good()
    return row


def test_a_fresh_worker_serves_with_what_was_last_good_and_says_so() -> None:
    host = EngineHost()
    ready = host.ready(good(model(generation=2, load_error="cut off"), voice="old"))
    assert ready is not None
    assert (ready.generation, ready.stands_in_for) == (1, 2)
    assert ready.because == "generation 2 could not be loaded"
    assert "cut off" in host.errors()
    assert host.failed_names() == []
    [entry] = host.report()["loaded"]
    assert (entry["generation"], entry["stands_in_for"]) == (1, 2)


def test_the_stand_in_leaves_when_a_later_generation_can_be_loaded() -> None:
    host = EngineHost()
    host.ready(good(model(generation=2, load_error="cut off"), voice="old"))
    tended(host, good(model(generation=2, load_error="cut off"), voice="old"))
    assert host.loaded()[0].generation == 1
    tended(host, good(model(generation=3), voice="old"))
    assert [(one.generation, one.stands_in_for) for one in host.loaded()] == [(3, None)]
    assert host.errors() == ""


def test_where_even_the_last_good_one_is_broken_both_are_named() -> None:
    host = EngineHost()
    broken = good(model(generation=2, load_error="cut off"), load_error="burnt")
    assert host.ready(broken) is None
    assert "cut off" in host.errors()
    assert "burnt" in host.errors()
    assert host.failed_names() == ["fake"]


def test_what_was_last_good_is_not_tried_where_it_is_the_same_that_has_just_failed(
    workshop,
) -> None:
    host = workshop.host()
    row = good(model(generation=2, load_error="cut off"), load_error="cut off")
    assert host.ready(row) is None
    assert workshop.loads == 1


# --- memory


def sized(name: str, mib: int, generation: int = 1, **options: object) -> SpeechModel:
    return model(name, generation, memory_bytes=mib * MIB, **options)


def names(ready: list[Ready]) -> list[str]:
    return [one.name for one in ready]


def test_models_that_fit_are_in_memory_together(limit_mib) -> None:
    limit_mib(100)
    host = EngineHost()
    host.ready(sized("a", 60))
    assert not host.needs_a_swap(sized("b", 40))
    host.ready(sized("b", 40))
    assert names(host.loaded()) == ["a", "b"]
    assert host.report()["unloaded"] == []


def test_one_that_does_not_fit_is_swapped_for_the_least_recently_used_and_says_why(
    limit_mib,
) -> None:
    limit_mib(1000)
    host = EngineHost()
    host.ready(sized("a", 400))
    host.ready(sized("b", 400))
    with host.use("a"):
        pass
    assert host.needs_a_swap(sized("c", 500))
    host.ready(sized("c", 500))
    assert names(host.loaded()) == ["a", "c"]
    [gone] = host.report()["unloaded"]
    assert gone["name"] == "b"
    assert gone["unloaded_because"] == "swapped for c: 1.4 of 1.0 GB"


def test_a_model_larger_than_the_limit_is_refused_in_words(limit_mib) -> None:
    limit_mib(30)
    host = EngineHost()
    host.ready(sized("a", 20))
    assert host.ready(sized("b", 40)) is None
    assert "ASR_MODEL_MEMORY_MB allows 31.5 MB" in host.errors()
    assert names(host.loaded()) == ["a"]


def test_without_a_limit_the_device_tells() -> None:
    free = [DeviceMemory(total_bytes=100 * MIB, free_bytes=100 * MIB)]
    host = EngineHost(device_memory=lambda: free[0])
    host.ready(sized("a", 60))
    free[0] = replace(free[0], free_bytes=40 * MIB)
    assert host.needs_a_swap(sized("b", 30))  # 15 % are left to the batches
    assert not host.needs_a_swap(sized("c", 25))
    host.ready(sized("b", 30))
    assert names(host.loaded()) == ["b"]


def test_a_reload_that_does_not_fit_twice_unloads_first_and_says_so(limit_mib, workshop) -> None:
    limit_mib(100)
    host = workshop.host()
    host.ready(sized("a", 60))
    tended(host, sized("a", 60, generation=2))
    assert [one.generation for one in host.loaded()] == [2]
    [gone] = host.report()["unloaded"]
    assert (gone["name"], gone["generation"]) == ("a", 1)
    assert gone["unloaded_because"].startswith("swapped for a")


def test_a_broken_one_that_did_not_fit_beside_brings_the_old_one_back(limit_mib) -> None:
    limit_mib(100)
    host = EngineHost()
    old = host.ready(sized("a", 60))
    tended(host, sized("a", 60, generation=2, load_error="damaged"))
    [back] = host.loaded()
    assert old is not None
    assert (back.generation, back.stands_in_for) == (1, 2)
    assert back.loaded.digest == old.loaded.digest
    assert "damaged" in host.errors()


def test_out_of_memory_beside_another_unloads_the_other_and_tries_once_more(workshop) -> None:
    host = workshop.host()
    host.ready(model("a"))
    workshop.errors = [EngineMemoryError("CUDA out of memory")]
    assert host.ready(model("b")) is not None
    assert names(host.loaded()) == ["b"]
    assert host.report()["unloaded"][0]["unloaded_because"] == ("out of memory while b was loaded")


def test_out_of_memory_twice_is_reported_and_the_worker_lives(workshop) -> None:
    host = workshop.host()
    host.ready(model("a"))
    workshop.errors = [EngineMemoryError("CUDA out of memory")] * 2
    assert host.ready(model("b")) is None
    assert "CUDA out of memory" in host.errors()
    assert host.ready(model("a")) is not None


def test_a_model_that_was_deleted_or_disabled_leaves_the_memory(workshop) -> None:
    host = workshop.host()
    for name in ("a", "b", "c"):
        host.ready(model(name))
    disabled, needed = model("b"), model("c")
    disabled.enabled = needed.enabled = False
    tended(host, disabled, needed, has_work=lambda name: name == "c")
    assert names(host.loaded()) == ["c"]  # it finishes what it has begun
    assert len(workshop.unloaded) == 2
    reasons = [one["unloaded_because"] for one in host.report()["unloaded"]]
    assert reasons == ["its model was deleted", "its model was disabled"]
    tended(host, disabled, needed)
    assert host.loaded() == []


# --- idle


def test_an_idle_model_gives_its_memory_back_and_comes_again_when_needed(
    settings, workshop
) -> None:
    host = workshop.host()
    ready = host.ready(model())
    assert ready is not None
    settings.IDLE_UNLOAD_SECONDS = 600.0
    tended(host, model())
    assert host.loaded() == [ready]
    ready.last_used -= 601.0
    with host.use("fake"):
        tended(host, model())
        assert host.loaded() == [ready]  # at work is not idle
    tended(host, model())
    assert host.loaded() == [ready]  # it was used just now
    ready.last_used -= 601.0
    tended(host, model())
    assert host.loaded() == []
    assert workshop.unloaded == [ready.engine]
    assert host.report()["unloaded"][0]["unloaded_because"] == "idle for 10 minutes"
    tended(host, model())
    assert host.loaded() == []
    assert host.ready(model()) is not None


def test_without_the_setting_nothing_is_unloaded(settings) -> None:
    assert settings.IDLE_UNLOAD_SECONDS == 0.0
    host = EngineHost()
    ready = host.ready(model())
    assert ready is not None
    ready.last_used -= 1e6
    tended(host, model())
    assert host.loaded() == [ready]


def test_a_reload_of_a_model_that_sleeps_is_tried_at_once(settings) -> None:
    host = EngineHost()
    ready = host.ready(model())
    assert ready is not None
    settings.IDLE_UNLOAD_SECONDS = 600.0
    ready.last_used -= 601.0
    tended(host, model())
    tended(host, model(generation=2, load_error="cut off"))
    assert "cut off" in host.errors()
    tended(host, model(generation=3))
    assert [one.generation for one in host.loaded()] == [3]


def test_a_reload_of_a_model_that_sleeps_pushes_nobody_out(limit_mib) -> None:
    limit_mib(100)
    host = EngineHost()
    tended(host, sized("a", 60), sized("b", 60))
    host.ready(sized("a", 60))
    tended(host, sized("a", 60), sized("b", 60, generation=2))
    assert names(host.loaded()) == ["a"]
    assert host.errors() == ""
    assert host.report()["seen"] == {"a": 1, "b": 2}


# --- what engines are built from


@pytest.mark.parametrize("weights", ["whisper-base", "/srv/weights/whisper-base"])
def test_weights_are_a_name_below_the_weights_directory_or_an_absolute_path(
    weights, settings
) -> None:
    settings.WEIGHTS_DIR = "/data/weights"
    row = SpeechModel(name="m", engine="whisper", weights=weights)
    expected = weights if weights.startswith("/") else f"/data/weights/{weights}"
    assert str(config_of(row).weights_dir) == expected
    assert config_of(SpeechModel(name="m", engine="fake")).weights_dir is None


TINY = Path(__file__).parents[1] / "engines" / "tiny-qwen3-asr"


def test_the_memory_of_real_weights_is_known_before_they_are_loaded() -> None:
    pytest.importorskip("torch")
    for dtype, share in (("float32", 2.0), ("float16", 1.0), ("auto", 1.0)):
        engine = build("qwen3_asr", EngineConfig(weights_dir=TINY, options={"dtype": dtype}))
        estimate = engine.estimate_memory_bytes()
        stored = (TINY / "model.safetensors").stat().st_size
        assert estimate == pytest.approx(share * stored, rel=0.05)
        loaded = engine.load()
        assert loaded.memory_bytes is not None
        assert loaded.memory_bytes <= estimate * 1.05
        engine.unload()
