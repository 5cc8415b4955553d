"""Finding words in a text, to replace them."""

from __future__ import annotations

import re

from transcription.text.characters import UNSPACED_CLASS

__all__ = ["pattern_of"]


def pattern_of(find: str, *, match_case: bool, whole_words: bool) -> re.Pattern[str]:
    """Return what finds the words.

    A word is whole where no letter of a script with spaces stands beside it: in Chinese and the
    like every place may be the border of a word.
    """
    letter = f"[^\\W{UNSPACED_CLASS}]"
    before = after = ""
    if whole_words:
        before = f"(?<!{letter})" if re.match(letter, find) else ""
        after = f"(?!{letter})" if re.match(letter, find[-1]) else ""
    flags = 0 if match_case else re.IGNORECASE
    return re.compile(f"{before}{re.escape(find)}{after}", flags)
