"""Chinese in simplified or in traditional characters.

Whisper writes Mandarin in either, sometimes both in one file; Qwen3-ASR writes simplified. Which
one a reader gets is a setting. OpenCC changes characters only, never words ("软件" becomes
"軟件", not "軟體"): the text stays what was said. It reads its tables from its own package and
needs no network.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import opencc

__all__ = ["SCRIPTS", "Script", "convert"]

Script = Literal["simplified", "traditional", "as_is"]
SCRIPTS: tuple[Script, ...] = get_args(Script)

#: (language, script) → OpenCC's configuration. Traditional Mandarin follows Taiwan's standard
#: ("為", "裡"), Cantonese Hong Kong's ("為", "裏"); OpenCC's own standard ("爲") is read nowhere.
_CONFIGURATIONS = {
    ("zh", "simplified"): "t2s",
    ("zh", "traditional"): "s2tw",
    ("yue", "simplified"): "t2s",
    ("yue", "traditional"): "s2hk",
}

_loading = threading.Lock()


def convert(text: str, script: Script, *, language: str | None) -> str:
    """The text in the wanted script, if its language is Chinese ("zh") or Cantonese ("yue").

    Any other language, and ``"as_is"``, gives the text back unchanged. Text that is in the
    wanted script already stays as it is, and so does everything in it that is not Chinese.
    Safe to call from several threads. Raises ``ValueError`` for a script that does not exist.
    """
    if script not in SCRIPTS:
        raise ValueError(f"Unknown script {script!r}: it is one of {', '.join(SCRIPTS)}.")
    if language is None:
        return text
    configuration = _CONFIGURATIONS.get((language, script))
    if configuration is None or not text:
        return text
    # Loading takes up to 0.3 s and 40 MB, so it waits for the first Chinese text, and two
    # threads that come at once do not load twice. Converting needs no lock: OpenCC's tables are
    # read-only once they are loaded.
    with _loading:
        converter = _converter(configuration)
    converted: str = converter.convert(text)
    return converted


@cache
def _converter(configuration: str) -> opencc.OpenCC:
    import opencc

    return opencc.OpenCC(configuration)
