"""What kind of sign a character is: the few questions that joining and line breaking ask."""

from __future__ import annotations

import re
import unicodedata

#: First and last code point of the scripts whose words follow each other without a space.
_OTHER_UNSPACED_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x19E0, 0x19FF),  # Khmer symbols
    (0xA9E0, 0xA9FF),  # Burmese of the minorities
    (0xAA60, 0xAA7F),
)
_HAN_AND_KANA_RANGES = (
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),  # 々〆〇
    (0x3021, 0x3029),  # Suzhou numerals
    (0x3031, 0x303C),  # kana repeat marks and the like
    (0x3041, 0x30FF),  # Hiragana, Katakana
    (0x3100, 0x312F),  # Bopomofo
    (0x31A0, 0x31FF),  # Bopomofo and Katakana extensions
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x20000, 0x323AF),  # Han of the later extensions
)


def _class_of(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


#: What stands between the brackets of a regular expression for one character of such a script.
UNSPACED_CLASS = _class_of(_OTHER_UNSPACED_RANGES + _HAN_AND_KANA_RANGES)
_HAN_OR_KANA = re.compile(f"[{_class_of(_HAN_AND_KANA_RANGES)}]")
_UNSPACED = re.compile(f"[{UNSPACED_CLASS}]")


def is_unspaced_script(character: str) -> bool:
    """Whether the character belongs to a script that puts no space between words."""
    return _UNSPACED.match(character) is not None


def is_han_or_kana(character: str) -> bool:
    """Whether the character is one of Chinese or Japanese: as wide as it is high."""
    return _HAN_OR_KANA.match(character) is not None


def is_full_width_mark(character: str) -> bool:
    """Whether the character is a mark that brings its own space: "，", "。", "「", "！"…"""
    return (
        unicodedata.category(character)[0] in "PS"
        and unicodedata.east_asian_width(character) in "WF"
    )


def is_said(character: str) -> bool:
    """Whether the character is part of what was said: no mark and no blank."""
    return not character.isspace() and unicodedata.category(character)[0] != "P"


def said(text: str) -> str:
    """What was said of a text, without marks, blanks and case: to compare two ways to write it."""
    # Turkish has two letters here, each with a capital of its own; case folding mixes them up.
    plain = "".join(filter(is_said, text)).replace("\u0130", "i").replace("\u0131", "i")
    return plain.casefold()


def _is_shared_mark(character: str) -> bool:
    return (
        unicodedata.category(character)[0] == "P" and unicodedata.east_asian_width(character) == "A"
    )


def space_between(left: str, right: str, language: str | None) -> str:
    """What stands between two neighbouring stretches of text: "" or one space.

    ``left`` ends and ``right`` begins with a visible character. The two characters decide, not
    the language: a Chinese file may have English in it, and an English one Chinese.

    - Between two signs of a script without spaces there is none, except for Han in Korean.
    - A full-width mark has its space inside.
    - A Latin word beside Chinese or Japanese gets a space ("用 Python 写"), a number does not
      ("共3个"), as the engines write it themselves.
    """
    end, start = left[-1], right[0]
    if is_full_width_mark(end) or is_full_width_mark(start):
        return ""
    end_unspaced, start_unspaced = is_unspaced_script(end), is_unspaced_script(start)
    if end_unspaced and start_unspaced:
        return " " if language == "ko" else ""
    # Quotation marks and dashes that Chinese shares with Latin: full-width beside Chinese.
    if (end_unspaced and _is_shared_mark(start)) or (start_unspaced and _is_shared_mark(end)):
        return ""
    if (end_unspaced and start.isdigit()) or (start_unspaced and end.isdigit()):
        return ""
    return " "
