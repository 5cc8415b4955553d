"""What the warnings of a transcription mean: stable codes for programs, words for people."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _T

WARNINGS = {
    "no_speech": _T("No speech was heard."),
    "partial_audio": _T("Parts of the file could not be decoded: their text is missing."),
    "partial_text": _T("Parts of the recording could not be recognised: their text is missing."),
    "text_cut_off": _T("The text of a part was cut off, since it became too long."),
    "repetition": _T("The model repeated itself in a part; its text may be wrong."),
    "no_words": _T("There are no times of single words."),
    "polished_by_rules": _T(
        "The text was brought into written form by the rules alone: there was no punctuation model."
    ),
}


def warnings_in_words(codes: Iterable[str]) -> list[str]:
    """Return the words for warnings in the active language; an unknown code as it stands."""
    return [gettext(WARNINGS[code]) if code in WARNINGS else code for code in codes]
