"""What goes into a Whisper model besides weights: features of the audio, tokens of the prompt."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer

from transcription.engines.base import SAMPLE_RATE_HZ, EngineError, WeightsError

FRAMES_PER_SECOND = 100

#: The model has 448 positions for text: 224 for the new tokens, four at most for the start
#: sequence, and these for the context with the token before it.
MAX_CONTEXT_TOKENS = 220

#: A language that older Whisper models have no token for -> the nearest one that they have.
NEAREST_LANGUAGE = {"yue": "zh"}


class Vocabulary:
    """The tokens of one model, read from its folder. Raises ``WeightsError`` where they are bad."""

    def __init__(self, folder: Path, *, multilingual: bool) -> None:
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises nothing more exact
            raise WeightsError(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
        self.multilingual = multilingual
        self._any_language = self._in_language("en")
        self.end_of_text = self._any_language.eot
        self.extractor = FeatureExtractor(feature_size=_mel_bands(folder))

    def language_token(self, language: str) -> int:
        """The token of a language code. Raises ``EngineError`` where this model has none."""
        token = self._tokenizer.token_to_id(f"<|{language}|>")
        if token is None and language in NEAREST_LANGUAGE:
            token = self._tokenizer.token_to_id(f"<|{NEAREST_LANGUAGE[language]}|>")
        if token is None or (not self.multilingual and language != "en"):
            raise EngineError(f"This Whisper model knows no language '{language}'.")
        return int(token)

    def context_tokens(self, context: str) -> tuple[int, ...]:
        """The tokens that stand before the transcript; () without a context.

        Of a context that is too long the end is kept, as it is nearest to what follows.
        """
        text = context.strip()
        if not text:
            return ()
        tokens = self._any_language.encode(" " + text)[-(MAX_CONTEXT_TOKENS - 1) :]
        return (self._any_language.sot_prev, *tokens)

    def start_sequence(self, language: str) -> list[int]:
        """The tokens that say: transcribe, in this language."""
        if not self.multilingual:
            return [self._any_language.sot]
        return [
            self._any_language.sot,
            self.language_token(language),
            self._any_language.transcribe,
        ]

    def prompt(self, context_tokens: Sequence[int], language: str) -> list[int]:
        """Everything before the first token of the text."""
        return [
            *context_tokens,
            *self.start_sequence(language),
            self._any_language.no_timestamps,
        ]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of the tokens, with its leading space where it has one."""
        return str(self._any_language.decode(list(tokens)))

    def words(self, tokens: Sequence[int], language: str) -> tuple[list[str], list[int]]:
        """The words of the text, spaces included, and how many tokens each has."""
        spoken = NEAREST_LANGUAGE.get(language, language)
        words, word_tokens = self._in_language(spoken).split_to_word_tokens(list(tokens))
        return words, [len(group) for group in word_tokens]

    @functools.cache  # noqa: B019 - as many as there are languages, and it goes with the model
    def _in_language(self, language: str) -> Tokenizer:
        return Tokenizer(self._tokenizer, self.multilingual, task="transcribe", language=language)


def features_of(
    samples: npt.NDArray[np.float32], window_seconds: float, vocabulary: Vocabulary
) -> npt.NDArray[np.float32]:
    """Log-mel features of the clip and the silence after it, up to the window's length.

    float32, shape (mel bands, frames). The silence is added to the samples, as OpenAI's code
    does, not to the features: there it would be a level that no silence has.
    """
    length = round(window_seconds * SAMPLE_RATE_HZ)
    padded = np.zeros(length, dtype=np.float32)
    padded[: len(samples)] = samples
    features: npt.NDArray[np.float32] = vocabulary.extractor(padded, padding=0)
    return np.ascontiguousarray(features, dtype=np.float32)


def _mel_bands(folder: Path) -> int:
    """80, or what the model says: large-v3 has 128."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return 80
    try:
        return int(json.loads(path.read_text(encoding="utf-8")).get("feature_size", 80))
    except (ValueError, AttributeError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
