"""Engines are built by name, and imported only then."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from transcription.engines import registry
from transcription.engines.base import EngineConfig, EngineError
from transcription.engines.fake import FakeEngine

REPOSITORY = Path(__file__).resolve().parents[2]


def test_an_engine_is_built_by_name() -> None:
    engine = registry.build("fake", EngineConfig(options={"voice": "ann"}))
    assert isinstance(engine, FakeEngine)
    assert engine.options.voice == "ann"


def test_an_unknown_engine_is_answered_with_the_known_ones() -> None:
    with pytest.raises(EngineError, match=r"no engine named 'wisper'.*fake.*whisper"):
        registry.build("wisper", EngineConfig())


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ADAPTERS, "gone", "a_library_nobody_has.engine:Engine")
    with pytest.raises(EngineError, match=r"a_library_nobody_has.*requirements\.txt"):
        registry.build("gone", EngineConfig())


@pytest.mark.parametrize("name", sorted(registry.ADAPTERS))
def test_every_adapter_is_where_the_registry_says(name: str) -> None:
    module, _, adapter = registry.ADAPTERS[name].partition(":")
    assert callable(getattr(import_module(module), adapter))


def test_the_fake_engine_brings_no_library_with_it() -> None:
    script = (
        "import sys\n"
        "from transcription.engines.base import EngineConfig\n"
        "from transcription.engines.registry import build\n"
        "build('fake', EngineConfig()).load()\n"
        "heavy = {'torch', 'transformers', 'ctranslate2', 'faster_whisper', 'django'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
