"""The engines of a worker: loaded on demand, anew on a reload, never lost by a broken one."""

from __future__ import annotations

import pytest

from transcription.models import SpeechModel
from transcription.work import engine_host
from transcription.work.engine_host import EngineHost, config_of


def model(name: str = "fake", generation: int = 1, **options: object) -> SpeechModel:
    return SpeechModel(name=name, engine="fake", generation=generation, options=options)


def test_a_model_is_loaded_once() -> None:
    host = EngineHost()
    first = host.ready(model())
    assert first is not None
    assert host.ready(model()) is first


def test_a_raised_generation_loads_anew() -> None:
    host = EngineHost()
    old = host.ready(model())
    new = host.ready(model(generation=2, voice="other"))
    assert old is not None
    assert new is not None
    assert new.generation == 2
    assert new.loaded.digest != old.loaded.digest
    assert [ready.generation for ready in host.loaded()] == [2]


def test_a_broken_reload_keeps_the_old_one_and_says_why() -> None:
    host = EngineHost()
    old = host.ready(model())
    assert host.ready(model(generation=2, load_error="model.bin is missing")) is old
    assert "model.bin is missing" in host.errors()
    assert host.failed_names() == []  # it still serves


def test_a_broken_model_is_not_tried_again_at_every_batch(monkeypatch) -> None:
    tries = []
    host = EngineHost(before_load=lambda: tries.append(1))
    for _ in range(5):
        assert host.ready(model(load_error="broken")) is None
    assert len(tries) == 1
    assert host.failed_names() == ["fake"]
    monkeypatch.setattr(engine_host, "TRY_AGAIN_SECONDS", 0.0)
    host.ready(model(load_error="broken"))
    assert len(tries) == 2


def test_a_repaired_model_is_loaded_at_its_next_generation_at_once() -> None:
    host = EngineHost()
    assert host.ready(model(load_error="broken")) is None
    assert host.ready(model(generation=2)) is not None
    assert host.errors() == ""


def test_an_unknown_engine_or_option_is_an_error_in_words_not_a_crash() -> None:
    host = EngineHost()
    assert host.ready(model(no_such_option=1)) is None
    assert "no_such_option" in host.errors()
    other = SpeechModel(name="x", engine="telepathy", generation=1)
    assert host.ready(other) is None
    assert "telepathy" in host.errors()


@pytest.mark.parametrize("weights", ["whisper-base", "/srv/weights/whisper-base"])
def test_weights_are_a_name_below_the_weights_directory_or_an_absolute_path(
    weights, settings
) -> None:
    settings.WEIGHTS_DIR = "/data/weights"
    row = SpeechModel(name="m", engine="whisper", weights=weights)
    expected = weights if weights.startswith("/") else f"/data/weights/{weights}"
    assert str(config_of(row).weights_dir) == expected
    assert config_of(SpeechModel(name="m", engine="fake")).weights_dir is None
