"""Options of the Qwen3-ASR engine, as they stand in the row of a model."""

from __future__ import annotations

from dataclasses import dataclass, field

from transcription.engines.options import TEXT_UNCHANGED

#: Longest clip that the model recognises well; at 1,200 s it was measured to be poor.
MAX_CLIP_SECONDS = 180.0

DTYPES = ("auto", "bfloat16", "float16", "float32", "int8")
ATTENTIONS = ("sdpa", "eager", "flash_attention_2")


@dataclass(frozen=True, kw_only=True)
class Qwen3AsrOptions:
    """Options of the engine ``qwen3_asr``."""

    #: "auto", "bfloat16", "float16", "float32", or "int8" (the CPU's: linear layers with 8-bit
    #: weights). "auto": bfloat16 on a GPU that has it, else float16; on a CPU the fastest.
    dtype: str = "auto"
    #: "sdpa", "eager", or "flash_attention_2" where the package flash-attn is installed.
    attention: str = "sdpa"
    #: Longest clip that is taken, in seconds.
    max_clip_seconds: float = field(default=MAX_CLIP_SECONDS, metadata=TEXT_UNCHANGED)
    #: Most seconds of audio that go through the model together, each clip counted as long as the
    #: longest: this bounds the memory, however many clips one call brings.
    max_batch_seconds: float = field(default=480.0, metadata=TEXT_UNCHANGED)
    #: Most clips that go through the model together.
    max_batch_clips: int = field(default=16, metadata=TEXT_UNCHANGED)
    #: A text is cut off after this many tokens for each second of audio…
    tokens_per_second: float = 20.0
    #: …and this many more.
    tokens_reserve: int = 128
    #: A context is cut off after this many tokens.
    max_context_tokens: int = 1024
    #: Below this probability of the detected language, a clip's likely language is taken.
    language_threshold: float = 0.6
    #: Where a text runs into a loop, it is written a second time with this much taken from the
    #: logit of the token that would go on with a loop, times the repetitions. 0: no second time.
    loop_penalty: float = 1.0

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype has to be one of {', '.join(DTYPES)}, not '{self.dtype}'")
        if self.attention not in ATTENTIONS:
            raise ValueError(
                f"attention has to be one of {', '.join(ATTENTIONS)}, not '{self.attention}'"
            )
        if not 0 < self.max_clip_seconds <= MAX_CLIP_SECONDS:
            raise ValueError(
                f"max_clip_seconds has to be more than 0 and at most {MAX_CLIP_SECONDS:g}"
            )
        for name in ("max_batch_seconds", "max_batch_clips", "max_context_tokens"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} has to be more than 0")
        for name in ("tokens_per_second", "tokens_reserve", "loop_penalty"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        if self.tokens_per_second == 0 and self.tokens_reserve == 0:
            raise ValueError("tokens_per_second and tokens_reserve must not both be 0")
        if not 0 <= self.language_threshold <= 1:
            raise ValueError("language_threshold has to be within 0 and 1")
