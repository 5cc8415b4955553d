"""Which engines there are, by name. An adapter is imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from transcription.engines.base import Engine, EngineConfig, EngineError

#: Name of an engine -> where its class is: ``module:Class``, built from one ``EngineConfig``.
ADAPTERS: dict[str, str] = {
    "fake": "transcription.engines.fake:FakeEngine",
    "qwen3_asr": "transcription.engines.qwen3_asr:Qwen3AsrEngine",
    "whisper": "transcription.engines.whisper:WhisperEngine",
}


def build(name: str, config: EngineConfig) -> Engine:
    """The engine ``name``, configured and not yet loaded.

    Raises ``EngineError`` for a name that is not in ``ADAPTERS``, for a library that the
    adapter needs and that is not installed, and for options that the engine refuses.
    """
    try:
        module_name, _, class_name = ADAPTERS[name].partition(":")
    except KeyError:
        raise EngineError(
            f"There is no engine named '{name}'. There are: {', '.join(sorted(ADAPTERS))}."
        ) from None
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise EngineError(
            f"The engine '{name}' cannot be used: {error}. Install what requirements.txt lists."
        ) from error
    adapter: Callable[[EngineConfig], Engine] = getattr(module, class_name)
    return adapter(config)
