"""Why a model was loaded, or left the memory, in the reader's language.

A worker writes the reason down in English, as its log has it: it does not know who will read it.
Whoever shows it has it said in the language that is active then.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _T

#: What the workers write, and the words for it; a test compares this with their code.
REASONS: tuple[tuple[str, str], ...] = (
    (r"recordings wait for it", _T("recordings wait for it")),
    (r"it is the first in order", _T("it is the first in order")),
    (r"generation (?P<number>\d+) was asked for", _T("generation %(number)s was asked for")),
    (
        r"generation (?P<number>\d+) could not be loaded",
        _T("generation %(number)s could not be loaded"),
    ),
    (r"its model was deleted", _T("its model was deleted")),
    (r"its model was disabled", _T("its model was disabled")),
    (r"idle for (?P<minutes>[\d.e+]+) minutes", _T("idle for %(minutes)s minutes")),
    (
        r"out of memory while (?P<model>.+) was loaded",
        _T("out of memory while %(model)s was loaded"),
    ),
    (
        r"swapped for (?P<model>[^:]+): (?P<part>.+) of (?P<whole>.+)",
        _T("swapped for %(model)s: %(part)s of %(whole)s"),
    ),
)


def because_in_words(reason: str) -> str:
    """Return a worker's reason in the active language; one of an older version as it stands."""
    for pattern, words in REASONS:
        if found := re.fullmatch(pattern, reason):
            return gettext(words) % found.groupdict()
    return reason
