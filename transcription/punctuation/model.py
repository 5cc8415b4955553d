"""One punctuation model of the family ``punct_cap_seg``, run by onnxruntime on the CPU.

The network reads a text without marks and in lower case, as token ids with BOS and EOS around
them, and answers for each token: the mark before it, the mark after it, which of its characters
are capitals, and whether a sentence ends there. (Its maker's own code:
https://github.com/1-800-BAD-CODE/punctuators.)

It only adds. An engine that wrote a mark or a capital has heard the voice, and the network has
not; so a mark that is there stays, and none is put beside it.
"""

from __future__ import annotations

import logging
import math
import os
import re
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from transcription.punctuation.files import PunctuationModelError, find_files
from transcription.text.characters import is_han_or_kana, is_said, is_unspaced_script
from transcription.text.written import same_words

logger = logging.getLogger(__name__)

#: Tokens that two neighbouring windows share; half of them is judged by either.
OVERLAP_TOKENS = 16
#: The label of an abbreviation spelled by letters ("U.S."): written as the engine had it.
ACRONYM = "<ACRONYM>"

_SENTENCE_MARKS = frozenset(".,;:!?…，。；：！？、،؛؟।۔։-–—")
_SENTENCE_ENDS = frozenset(".!?…。！？؟।۔")
#: Marks that belong to a word when they stand inside it: "don't", "3.5", "well-known".
_INSIDE_WORDS = frozenset("'’.,:-/@&_·")


@dataclass(frozen=True, kw_only=True)
class _Config:
    """What config.yaml says."""

    #: Longest input of the network in tokens, BOS and EOS included.
    max_length: int
    languages: frozenset[str]
    #: None: no mark.
    pre_labels: tuple[str | None, ...]
    post_labels: tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True)
class _Verdict:
    """What the network says of one token."""

    before: str | None
    after: str | None
    #: One for each character of the piece, the "▁" of a word's first piece included.
    capitals: npt.NDArray[np.bool_]
    ends_sentence: bool


@dataclass(frozen=True, kw_only=True)
class _Token:
    """One token of the text that the network reads."""

    id: int
    piece: str
    #: First character and one past the last, in the text that the network reads.
    start: int
    end: int


class PunctuationModel:
    """A loaded model. Calls from several threads may run at once."""

    def __init__(self, folder: Path) -> None:
        """Load the model of that folder. Raises ``PunctuationModelError``."""
        files = find_files(folder)
        self._config = _read_config(files.config)
        # It reports its use to its maker and writes below the home directory unless told not to.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime
        import sentencepiece

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = 1
        # The arena keeps the largest window it ever saw, for good.
        options.enable_cpu_mem_arena = False
        try:
            self._tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(files.tokenizer))
            self._session = onnxruntime.InferenceSession(
                str(files.network), providers=["CPUExecutionProvider"], sess_options=options
            )
        except Exception as error:
            # Both libraries raise classes of their own that they do not export.
            raise PunctuationModelError(
                f"The punctuation model in {folder} cannot be loaded: {error}. Fetch it again."
            ) from error
        self._require_signature(folder)

    @property
    def languages(self) -> frozenset[str]:
        """Codes of the languages that the model was trained for."""
        return self._config.languages

    def __call__(
        self, text: str, language: str | None, *, deadline_seconds: float = math.inf
    ) -> str:
        """The text with marks and capitals added where it had none.

        ``language`` is a code; a text in one that the model does not know comes back as it was.
        Raises ``PunctuationModelError`` when ``time.monotonic`` passes ``deadline_seconds``.
        No letter is ever changed but for its case: a sentence that would come out with other
        words stays as it was, which is logged.
        """
        if language not in self._config.languages:
            return text
        bare, place_of = _bare(text)
        tokens = self._tokens(bare)
        if not tokens:
            return text
        inserts: dict[int, str] = {}
        capitals: set[int] = set()
        ends = []
        for token, verdict in zip(tokens, self._verdicts(tokens, deadline_seconds), strict=True):
            if verdict.after and _ends_word(bare, token.end):
                at = _behind(text, place_of[token.end - 1] + 1)
                if not _has_mark(text, place_of[token.end - 1] + 1):
                    inserts[at] = verdict.after
            if verdict.before and _begins_word(bare, token.start):
                at = place_of[token.start]
                if at == 0 or text[at - 1].isspace():
                    inserts[at] = verdict.before + inserts.get(at, "")
            capitals.update(place_of[at] for at in _raised(token, verdict))
            if verdict.ends_sentence and _ends_word(bare, token.end):
                ends.append(_behind(text, place_of[token.end - 1] + 1))
        return "".join(_sentences(text, inserts, capitals, ends))

    def _tokens(self, bare: str) -> list[_Token]:
        encoded = self._tokenizer.encode(bare, return_type="proto")
        # Places come in bytes of UTF-8.
        character_at = {}
        at_byte = 0
        for at, character in enumerate(bare):
            character_at[at_byte] = at
            at_byte += len(character.encode())
        character_at[at_byte] = len(bare)
        tokens = []
        for piece in encoded.pieces:
            start, end = character_at[piece.begin], character_at[piece.end]
            while start < end and bare[start] == " ":
                start += 1
            while end > start and bare[end - 1] == " ":
                end -= 1
            # A blank alone can be a token; there is nothing to write at it.
            if start < end:
                tokens.append(_Token(id=piece.id, piece=piece.piece, start=start, end=end))
        return tokens

    def _verdicts(self, tokens: Sequence[_Token], deadline_seconds: float) -> Iterator[_Verdict]:
        """The network's word on each token, out of windows that overlap."""
        size = self._config.max_length - 2
        step = size - OVERLAP_TOKENS
        for start in range(0, max(1, len(tokens) - OVERLAP_TOKENS), step):
            if time.monotonic() > deadline_seconds:
                raise PunctuationModelError(
                    f"The punctuation model had no time for more than {start} of {len(tokens)} "
                    "tokens. A smaller model is faster."
                )
            window = tokens[start : start + size]
            verdicts = self._run([token.id for token in window])
            first = OVERLAP_TOKENS // 2 if start else 0
            is_last = start + size >= len(tokens)
            last = len(window) if is_last else len(window) - OVERLAP_TOKENS // 2
            yield from verdicts[first:last]

    def _run(self, ids: Sequence[int]) -> list[_Verdict]:
        framed = [self._tokenizer.bos_id(), *ids, self._tokenizer.eos_id()]
        before, after, capitals, ends = self._session.run(
            None, {"input_ids": np.array([framed], dtype=np.int64)}
        )
        return [
            _Verdict(
                before=self._config.pre_labels[int(before[0, at])],
                after=self._config.post_labels[int(after[0, at])],
                capitals=np.asarray(capitals[0, at], dtype=np.bool_),
                ends_sentence=bool(ends[0, at]),
            )
            for at in range(1, len(framed) - 1)
        ]

    def _require_signature(self, folder: Path) -> None:
        inputs = [(one.name, one.type) for one in self._session.get_inputs()]
        outputs = [one.name for one in self._session.get_outputs()]
        if inputs != [("input_ids", "tensor(int64)")] or len(outputs) != 4:
            raise PunctuationModelError(
                f"The network in {folder} is of another kind: its inputs are {inputs} and its "
                f"outputs {outputs}, not input_ids and the four of punct_cap_seg."
            )
        if min(self._tokenizer.bos_id(), self._tokenizer.eos_id()) < 0:
            raise PunctuationModelError(
                f"The tokenizer in {folder} has no tokens for begin and end: it is another model's."
            )


def _read_config(path: Path) -> _Config:
    try:
        plain: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        null = str(plain.get("null_token", "<NULL>"))
        config = _Config(
            max_length=int(plain["max_length"]),
            languages=frozenset(map(str, plain["languages"])),
            pre_labels=_labels(plain["pre_labels"], null),
            post_labels=_labels(plain["post_labels"], null),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise PunctuationModelError(
            f"{path} cannot be read as the description of a punctuation model: {error!r}. "
            "Fetch it again."
        ) from error
    if config.max_length <= OVERLAP_TOKENS + 2:
        raise PunctuationModelError(f"{path} has a max_length of only {config.max_length}.")
    return config


def _labels(plain: Sequence[Any], null: str) -> tuple[str | None, ...]:
    return tuple(None if label in {null, ACRONYM} else str(label) for label in plain)


def _bare(text: str) -> tuple[str, list[int]]:
    """The text as the network reads it, and for each of its characters its place in ``text``.

    In lower case, without marks but for those inside of words, and without blanks between two
    signs of Chinese or Japanese.
    """
    characters: list[str] = []
    places: list[int] = []
    for at, character in enumerate(text):
        if is_said(character):
            if is_han_or_kana(character) and _blank_behind_sign(characters):
                characters.pop()
                places.pop()
            lower = character.lower()
            characters.append(lower if len(lower) == 1 else character)
            places.append(at)
        elif _is_inside_word(text, at):
            characters.append(character)
            places.append(at)
        elif characters and characters[-1] != " ":
            characters.append(" ")
            places.append(at)
    return "".join(characters), places


def _blank_behind_sign(characters: Sequence[str]) -> bool:
    return len(characters) > 1 and characters[-1] == " " and is_han_or_kana(characters[-2])


def _is_inside_word(text: str, at: int) -> bool:
    if text[at] not in _INSIDE_WORDS or not 0 < at < len(text) - 1:
        return False
    neighbours = (text[at - 1], text[at + 1])
    return all(is_said(one) and not is_unspaced_script(one) for one in neighbours)


def _ends_word(bare: str, end: int) -> bool:
    """Whether a mark may stand at ``end``: between words, or between signs without spaces."""
    if end == len(bare) or bare[end] == " ":
        return True
    return is_unspaced_script(bare[end - 1]) or is_unspaced_script(bare[end])


def _begins_word(bare: str, start: int) -> bool:
    return start == 0 or bare[start - 1] == " "


def _has_mark(text: str, at: int) -> bool:
    """Whether a mark of sentences stands between the word that ends at ``at`` and the next."""
    while at < len(text) and not is_said(text[at]):
        if text[at] in _SENTENCE_MARKS:
            return True
        at += 1
    return False


def _behind(text: str, at: int) -> int:
    """The place behind the closing marks of the word that ends at ``at``: after “quoted”, 50%."""
    while (
        at < len(text)
        and not is_said(text[at])
        and not text[at].isspace()
        and unicodedata.category(text[at]) not in {"Ps", "Pi"}
    ):
        at += 1
    return at


def _raised(token: _Token, verdict: _Verdict) -> Iterator[int]:
    """Places, in the text that the network reads, of the token's capitals."""
    offset = 1 if token.piece.startswith("▁") else 0
    if len(token.piece) - offset != token.end - token.start:
        # The tokenizer writes some signs as several; which of them is meant is not known.
        return
    for at in np.flatnonzero(verdict.capitals[offset : len(token.piece)]).tolist():
        yield token.start + at


def _sentences(
    text: str, inserts: dict[int, str], capitals: set[int], ends: Sequence[int]
) -> Iterator[str]:
    """The text sentence by sentence with its marks and capitals; unchanged where words would."""
    own_ends = [
        found.end() for found in re.finditer(f"[{re.escape(''.join(_SENTENCE_ENDS))}]", text)
    ]
    bounds = sorted({0, len(text), *ends, *own_ends})
    for number, (start, end) in enumerate(pairwise(bounds)):
        plain = text[start:end]
        better = []
        for at in range(start, end):
            # What stands at the start of a sentence is the mark at the end of the one before,
            # which that one wrote.
            if at > start or number == 0:
                better.append(inserts.get(at, ""))
            upper = text[at].upper()
            better.append(upper if at in capitals and len(upper) == 1 else text[at])
        better.append(inserts.get(end, ""))
        result = "".join(better)
        if not same_words(plain, result):
            # Without the text, which is nobody's business who reads a log.
            logger.error(
                "The punctuation model changed words in a sentence of %d characters, which stays "
                "as it was.",
                len(plain),
            )
            result = plain
        yield result
