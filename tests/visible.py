"""What a person sees of a page: its text, and what is said of its fields and pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from html.parser import HTMLParser
from typing import Any

#: Elements whose content nobody reads as the page's own words: programs, names, values.
UNREAD = frozenset({"script", "style", "template", "code", "kbd", "pre", "samp", "textarea"})
#: Elements without an end.
VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
SPOKEN = ("title", "placeholder", "aria-label", "aria-description", "alt", "label")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’]{2,}")
#: Runs of characters that are one name, address or value, and no words.
_NAMES = re.compile(
    r"(?:python )?manage\.py [a-z_]+|[0-9a-f]{8}-[0-9a-f-]{27}|[a-z]+-\d\S*"
    # What a script fills in, as {count}.
    r"|\{[a-z_]+\}"
    r"|\S*(?:://|[/_@=]|\d[-.:]|[a-z]\.[a-z]|--)\S*"
)


class _Reader(HTMLParser):
    def __init__(self, language: str) -> None:
        super().__init__()
        self.language = language
        self.read: list[str] = []
        self._within: list[tuple[str, bool]] = []
        self._json: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        # What is marked as another language is meant to be it, as in the choice of languages.
        foreign = "lang" in given and not given["lang"].startswith(self.language)
        hidden = self._is_unread() or tag in UNREAD or foreign
        if not self._is_unread() and not foreign:
            self.read += [given[name] for name in SPOKEN if name in given]
            if tag == "input" and given.get("type") in {"submit", "button", "reset"}:
                self.read.append(given.get("value", ""))
        # The words of a page's JavaScript are handed to it in such an element.
        is_json = tag == "script" and given.get("type") == "application/json"
        if is_json and given.get("id", "").endswith("words"):
            self._json = ""
        if tag not in VOID:
            self._within.append((tag, hidden))

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._json is not None:
            self.read += _strings(json.loads(self._json))
            self._json = None
        for index in range(len(self._within) - 1, -1, -1):
            if self._within[index][0] == tag:
                del self._within[index:]
                return

    def handle_data(self, data: str) -> None:
        if self._json is not None:
            self._json += data
        elif not self._is_unread():
            self.read.append(data)

    def _is_unread(self) -> bool:
        return bool(self._within) and self._within[-1][1]


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for one in inner for text in _strings(one)]


def read_texts(html: str, language: str) -> list[str]:
    """Return the texts of a page that are meant for people, without what is marked as foreign."""
    reader = _Reader(language)
    reader.feed(html)
    reader.close()
    return [text for text in (" ".join(one.split()) for one in reader.read) if text]


def english_in(html: str, allowed: Collection[str]) -> list[str]:
    """Return the texts of a Chinese page that hold an English word of three letters or more.

    Names with a mark of a path, an address or a value in them are none; ``allowed`` are names.
    """
    found = []
    for text in read_texts(html, "zh"):
        words = [word for word in _WORD.findall(_NAMES.sub(" ", text)) if word not in allowed]
        if words:
            found.append(f"{', '.join(dict.fromkeys(words))} in {text[:160]!r}")
    return list(dict.fromkeys(found))
