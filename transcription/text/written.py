"""The written text of a file: its segments polished together, so that they and the text agree.

A segment is not a sentence: an engine begins one at a pause, and a chunk may be cut in the middle
of a sentence. So marks and capitals are decided over the running text, and each segment then
gets back the stretch of it that holds its own letters. What people read as the text is the
segments joined, and nothing else.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from transcription.text.characters import is_han_or_kana, is_said, said
from transcription.text.joining import Piece, gap, join, tidy
from transcription.text.polish import polish, rules_language

__all__ = ["Punctuate", "Stretch", "same_words", "text_of", "written"]

logger = logging.getLogger(__name__)

#: The text of one language with better marks, blanks and case: (text, language code) → text.
Punctuate = Callable[[str, str | None], str]

#: Silence between two stretches of Chinese or Japanese that is written as a comma, as a blank
#: inside of one is: a speaker's pause, not the breath of a word.
PAUSE_SECONDS = 0.5

_SENTENCE_END = re.compile(r"[.!?…。！？｡؟।။៕։۔][\"'”’»)）】」』\]]*$")
_LOOSE_MARKS = re.compile(r"^[,.;:，。；：、]+\s*")
_ENDS_IN_MARK = re.compile(r"[,.;:!?…，。；：！？、]$")
_BESIDE_WORDS = "\"'“”‘’-—–"


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """One segment as the engine wrote it."""

    text: str
    #: Code; None where it is not known.
    language: str | None
    #: In the recording.
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Neighbouring stretches of one language: a running text."""

    language: str | None
    #: Places in the list of all stretches.
    places: tuple[int, ...]


def same_words(one: str, other: str) -> bool:
    """Whether two texts differ in marks, blanks and case alone."""
    return said(one) == said(other)


def text_of(stretches: Sequence[Stretch], texts: Sequence[str]) -> str:
    """The text of a file whose stretches are written so: joined by the rules of ``joining``."""
    return join(
        [
            Piece(text=text, language=stretch.language)
            for stretch, text in zip(stretches, texts, strict=True)
        ]
    )


def written(
    stretches: Sequence[Stretch], *, complete: bool, punctuate: Punctuate | None = None
) -> list[str]:
    """The texts of the stretches by the rules of written text, one for each, in order.

    ``complete`` says whether the last one ends the file, which is the only place that gets a
    full stop where the engine wrote none. A pause, however long, gets none: engines that write
    stops heard the pause and left the sentence open, and for engines that write none at all
    there is the punctuation model. ``punctuate`` is that model; it comes before the rules. What
    it or the rules answer for a running text is thrown away, with a line in the log, if any word
    of it is another than the engine's.

    A stretch of nothing but marks leaves them to its neighbour and is "" itself.
    """
    texts = _without_doubled_marks([tidy(stretch.text) for stretch in stretches])
    if not any(map(_has_words, texts)):
        return texts
    result = [""] * len(texts)
    runs = _runs(stretches, texts)
    before = ""
    for number, run in enumerate(runs):
        plain = _running_text(run, stretches, texts)
        polished = plain
        if punctuate is not None:
            polished = _kept(plain, punctuate(plain, run.language), "The punctuation model")
        by_rules = polish(
            polished,
            language=run.language,
            begins=not before or _SENTENCE_END.search(before) is not None,
            ends=complete and number == len(runs) - 1,
        )
        polished = _kept(polished, by_rules, "A rule of written text")
        for place, part in zip(run.places, _parts(polished, run, texts), strict=True):
            result[place] = part
        before = polished
    return result


def _kept(plain: str, better: str, author: str) -> str:
    """``better`` if it has the words of ``plain``, letter for letter; else ``plain``."""
    if same_words(plain, better):
        return better
    # Without the text, which is nobody's business who reads a log.
    logger.error("%s changed words, not only marks: its answer is thrown away.", author)
    return plain


def _runs(stretches: Sequence[Stretch], texts: Sequence[str]) -> list[_Run]:
    """Neighbours of one language together; stretches without words go with the one before."""
    found: list[tuple[str | None, list[int]]] = []
    leading: list[int] = []
    for place, (stretch, text) in enumerate(zip(stretches, texts, strict=True)):
        if not text:
            continue
        if not _has_words(text):
            (found[-1][1] if found else leading).append(place)
            continue
        language = stretch.language and rules_language(text, stretch.language)
        if found and found[-1][0] == language:
            found[-1][1].append(place)
        else:
            found.append((language, [*leading, place]))
            leading = []
    return [_Run(language=language, places=tuple(places)) for language, places in found]


def _running_text(run: _Run, stretches: Sequence[Stretch], texts: Sequence[str]) -> str:
    pieces = [texts[run.places[0]]]
    for left, right in pairwise(run.places):
        between = gap(
            texts[left], texts[right], stretches[left].language, stretches[right].language
        )
        silence = stretches[right].start_seconds - stretches[left].end_seconds
        if (
            silence >= PAUSE_SECONDS
            and is_han_or_kana(texts[left][-1])
            and is_han_or_kana(texts[right][0])
        ):
            # The rules make a comma of it.
            between = " "
        pieces += [between, texts[right]]
    return "".join(pieces)


def _parts(polished: str, run: _Run, texts: Sequence[str]) -> Iterator[str]:
    """Cut the polished text of a run so that each of its stretches has its own letters."""
    said_at = [at for at, character in enumerate(polished) if is_said(character)]
    counts = [sum(map(is_said, texts[place])) for place in run.places]
    spoken = [place for place, count in zip(run.places, counts, strict=True) if count]
    following = dict(pairwise(spoken))
    start = done = 0
    for place, count in zip(run.places, counts, strict=True):
        if not count:
            yield ""
            continue
        done += count
        end = len(polished)
        if place in following:
            end = _cut(polished, said_at[done - 1] + 1, said_at[done], texts[following[place]])
        yield polished[start:end].strip()
        start = end


def _cut(polished: str, first: int, last: int, following: str) -> int:
    """Where to cut the marks and blanks ``polished[first:last]`` between two stretches.

    Opening marks belong to the right one, and so do quotes and dashes that it had in front.
    """
    leading = following[: next(at for at, one in enumerate(following) if is_said(one))]
    # The stop of ".NET" and "...and" is part of the word; that of ". And" belongs to the left.
    own_marks = _BESIDE_WORDS if leading.endswith(" ") else _BESIDE_WORDS + "."
    own = [one for one in leading if one in own_marks]
    cut = last
    for at in range(last - 1, first - 1, -1):
        character = polished[at]
        if character.isspace():
            continue
        if own and character == own[-1]:
            own.pop()
        elif unicodedata.category(character) != "Ps" and character not in "¿¡«":
            break
        cut = at
    return cut


def _without_doubled_marks(texts: list[str]) -> list[str]:
    """A comma or stop at the start of a stretch goes, where the one before ended in a mark."""
    left = ""
    for at, text in enumerate(texts):
        if _ENDS_IN_MARK.search(left):
            loose = _LOOSE_MARKS.match(text)
            # ".NET" and ".5" are words.
            if loose and (
                loose[0][-1].isspace() or loose[0] == text or loose[0][0] in "，。；：、"
            ):
                texts[at] = text[loose.end() :]
        left = texts[at] or left
    return texts


def _has_words(text: str) -> bool:
    return any(map(is_said, text))
