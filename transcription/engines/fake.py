"""An engine that hears nothing and writes something: for tests and for work on front ends.

Official and deterministic: the text is a function of the samples, the language and the
``voice`` alone, so that a test can say which text belongs to which audio, and a reload with
another voice can be seen in the text. It takes no weights and needs no library.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from transcription.engines.base import (
    Clip,
    EngineConfig,
    EngineError,
    EngineMemoryError,
    FinishReason,
    Loaded,
    Result,
    Segment,
    WeightsError,
    Word,
)
from transcription.engines.options import TEXT_UNCHANGED, read_options, text_options
from transcription.engines.weights import load_digest

#: Below this peak a clip counts as silence: less than one step of 16-bit audio.
SILENCE_PEAK = 1 / 32768

WORDS_PER_SEGMENT = 8

#: Languages written without spaces, which get the second list of words.
UNSPACED_LANGUAGES = frozenset({"zh", "yue", "ja"})

_WORDS: Sequence[str] = (
    *("amber", "basin", "cedar", "delta", "ember", "fable", "grove", "haven", "inlet", "jolly"),
    *("kettle", "lemon", "meadow", "nectar", "olive", "pebble", "quartz", "river", "saddle"),
    *("timber", "umber", "velvet", "willow", "yarrow", "zephyr", "anchor", "bramble", "copper"),
    *("drift", "elder", "falcon", "garnet"),
)
_UNSPACED_WORDS: Sequence[str] = (
    *("春天", "河水", "山路", "明月", "大海", "花园", "老树", "白云", "清风", "远方", "小桥"),
    *("书本", "灯火", "早晨", "星光", "田野", "朋友", "城市", "秋雨", "石头", "草地", "音乐"),
    *("时间", "窗户", "故事", "飞鸟", "火车", "茶杯", "雪花", "竹林", "码头", "阳光"),
)

#: What a context may order, where the option ``obey_context`` allows it: ``[fake:kill]``.
_COMMAND = re.compile(r"\[fake:(\w+)\]")


@dataclass(frozen=True, kw_only=True)
class FakeOptions:
    """Options of the fake engine."""

    #: First word of every text.
    voice: str = "fake"
    #: Language that it claims to hear where the clip gives no hint.
    language: str = "en"
    words_per_second: float = 2.0
    #: Seconds of work that it pretends to need for a second of audio.
    seconds_per_second: float = field(default=0.0, metadata=TEXT_UNCHANGED)
    #: Seconds that it pretends to need for loading.
    load_seconds: float = field(default=0.0, metadata=TEXT_UNCHANGED)
    #: Whether it tells the times of words.
    gives_words: bool = field(default=True, metadata=TEXT_UNCHANGED)
    #: Not empty: loading fails with this message, as a broken model would.
    load_error: str = field(default="", metadata=TEXT_UNCHANGED)
    #: Bytes of memory that it pretends to take.
    memory_bytes: int = field(default=0, metadata=TEXT_UNCHANGED)
    max_clip_seconds: float = field(default=30.0, metadata=TEXT_UNCHANGED)
    #: Obey orders in a clip's context, for tests of what a service does when an engine goes
    #: wrong: ``[fake:kill]`` ends the process by SIGKILL, ``[fake:hang]`` never returns,
    #: ``[fake:error]`` raises ``EngineError``, ``[fake:memory]`` raises ``EngineMemoryError``,
    #: ``[fake:length]`` and ``[fake:repetition]`` end the text for that reason, ``[fake:leak]``
    #: writes the rest of the context down instead of what it hears.
    #: Never on where strangers choose the context.
    obey_context: bool = False

    def __post_init__(self) -> None:
        for name in ("words_per_second", "seconds_per_second", "load_seconds", "memory_bytes"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        if self.max_clip_seconds <= 0:
            raise ValueError("max_clip_seconds must be more than 0")


class FakeEngine:
    """The engine named ``fake``; see ``transcription.engines.base.Engine``."""

    def __init__(self, config: EngineConfig) -> None:
        self.options = read_options(FakeOptions, config.options, engine="fake")
        self.max_clip_seconds = self.options.max_clip_seconds
        self.gives_words = self.options.gives_words
        self._loaded = False

    def estimate_memory_bytes(self) -> int:
        """What it will pretend to take."""
        return self.options.memory_bytes

    def load(self) -> Loaded:
        """Pretend to load. Raises ``WeightsError`` with the message of ``load_error``."""
        started = time.monotonic()
        time.sleep(self.options.load_seconds)
        if self.options.load_error:
            raise WeightsError(self.options.load_error)
        self._loaded = True
        return Loaded(
            digest=load_digest(engine="fake", weights="", options=text_options(self.options)),
            device="cpu",
            dtype="none",
            memory_bytes=self.options.memory_bytes,
            load_seconds=time.monotonic() - started,
            words=self.gives_words,
        )

    def transcribe(self, clips: Sequence[Clip]) -> list[Result]:
        """Write a text for each clip; see ``Engine.transcribe``."""
        if not self._loaded:
            raise EngineError("The fake engine is not loaded. Call load() first.")
        started = time.monotonic()
        too_long = [clip for clip in clips if clip.duration_seconds > self.max_clip_seconds]
        if too_long:
            raise EngineError(
                f"A clip of {too_long[0].duration_seconds:.1f} s is longer than the "
                f"{self.max_clip_seconds:g} s that this engine takes. Cut it first."
            )
        if not self.gives_words and any(clip.words for clip in clips):
            raise EngineError("This fake engine gives no times of words. Ask for segments.")
        reasons = [self._obey(clip) for clip in clips]
        audio_seconds = sum(clip.duration_seconds for clip in clips)
        time.sleep(audio_seconds * self.options.seconds_per_second)
        spent_seconds = time.monotonic() - started
        return [
            fake_result(
                clip,
                options=self.options,
                finish_reason=reason,
                instead=self._leaked(clip),
                engine_seconds=spent_seconds * clip.duration_seconds / max(audio_seconds, 1e-9),
            )
            for clip, reason in zip(clips, reasons, strict=True)
        ]

    def unload(self) -> None:
        """Forget that it was loaded."""
        self._loaded = False

    def _obey(self, clip: Clip) -> FinishReason:
        """Do what the clip's context orders, where that is allowed; why its text will end."""
        orders = _COMMAND.findall(clip.context) if self.options.obey_context else []
        for order in orders:
            if order == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif order == "hang":
                threading.Event().wait()
            elif order == "error":
                raise EngineError("The context ordered the fake engine to fail.")
            elif order == "memory":
                raise EngineMemoryError("The context ordered the fake engine to be out of memory.")
            elif order == "length":
                return "length"
            elif order == "repetition":
                return "repetition"
            elif order != "leak":
                raise EngineError(f"The fake engine knows no order named '{order}'.")
        return "eos"

    def _leaked(self, clip: Clip) -> str:
        """What it writes instead of what it hears, where the context orders that."""
        if not self.options.obey_context or "leak" not in _COMMAND.findall(clip.context):
            return ""
        return " ".join(_COMMAND.sub(" ", clip.context).split())


def fake_result(
    clip: Clip,
    *,
    options: FakeOptions,
    finish_reason: FinishReason = "eos",
    instead: str = "",
    engine_seconds: float = 0.0,
) -> Result:
    """What the fake engine hears in ``clip``: the same for the same samples, wherever it runs.

    ``instead``: the text that it writes whatever it hears. Silence (a peak below one step of
    16-bit audio) gives an empty text without a language.
    """
    if instead:
        whole = Segment(start_seconds=0.0, end_seconds=clip.duration_seconds, text=instead)
        return Result(
            text=instead,
            language=clip.language or options.language,
            segments=(whole,),
            finish_reason=finish_reason,
            engine_seconds=engine_seconds,
        )
    if len(clip.samples) == 0 or float(np.abs(clip.samples).max()) < SILENCE_PEAK:
        return Result(text="", language=None, engine_seconds=engine_seconds)
    language = clip.language or options.language
    words = _timed_words(clip, options=options, spaced=language not in UNSPACED_LANGUAGES)
    glue = "" if language in UNSPACED_LANGUAGES else " "
    segments = []
    for first in range(0, len(words), WORDS_PER_SEGMENT):
        group = words[first : first + WORDS_PER_SEGMENT]
        segments.append(
            Segment(
                start_seconds=group[0].start_seconds,
                end_seconds=group[-1].end_seconds,
                text=glue.join(word.text for word in group),
                words=group if clip.words else (),
                avg_logprob=-0.1,
                no_speech_probability=0.0,
            )
        )
    return Result(
        text=glue.join(segment.text for segment in segments),
        language=language,
        language_probability=None if clip.language else 1.0,
        segments=tuple(segments),
        finish_reason=finish_reason,
        engine_seconds=engine_seconds,
    )


def _timed_words(clip: Clip, *, options: FakeOptions, spaced: bool) -> tuple[Word, ...]:
    """The voice, eight digits of the samples' digest, then words in step with the duration."""
    digest = hashlib.sha256(np.ascontiguousarray(clip.samples, dtype="<f4").tobytes())
    vocabulary = _WORDS if spaced else _UNSPACED_WORDS
    texts = [options.voice, digest.hexdigest()[:8]]
    wanted = max(len(texts), round(clip.duration_seconds * options.words_per_second))
    # One byte a word, and more bytes by hashing on: no generator whose output a new version
    # of a library may change.
    block = digest.digest()
    while len(texts) < wanted:
        texts.extend(vocabulary[byte % len(vocabulary)] for byte in block)
        block = hashlib.sha256(block).digest()
    del texts[wanted:]
    step_seconds = clip.duration_seconds / len(texts)
    return tuple(
        Word(
            start_seconds=round(index * step_seconds, 3),
            end_seconds=round((index + 1) * step_seconds, 3),
            text=text,
            probability=1.0,
        )
        for index, text in enumerate(texts)
    )
