"""Numbers as they are spoken, in English, French and Chinese.

One engine writes "25", the next "twenty-five", and a reference may hold either: before texts are
compared, all digits become words. Only what a listener would say is written here; a number
whose reading cannot be known (a telephone number, a part number) is read digit by digit.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = [
    "chinese_digits",
    "chinese_number",
    "english_number",
    "english_ordinal",
    "english_year",
    "french_number",
    "french_ordinal",
]

# fmt: off
_ENGLISH_SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
]
_ENGLISH_TENS = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
]
_FRENCH_SMALL = [
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix",
    "onze", "douze", "treize", "quatorze", "quinze", "seize",
]
_FRENCH_TENS = ["", "dix", "vingt", "trente", "quarante", "cinquante", "soixante"]
# fmt: on
_ENGLISH_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}

_CHINESE_DIGITS = "零一二三四五六七八九"
_CHINESE_UNITS = ("", "十", "百", "千")
_CHINESE_MYRIADS = ("", "万", "亿", "万亿")


def english_number(value: int) -> str:
    """25 → "twenty five", without hyphens and without "and". 0 <= value < 10**9."""
    _check(value, below=10**9)
    if value < 20:
        return _ENGLISH_SMALL[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _with_rest(_ENGLISH_TENS[tens], ones, english_number)
    for size, name in ((10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if value >= size:
            count, rest = divmod(value, size)
            return _with_rest(f"{english_number(count)} {name}", rest, english_number)
    raise AssertionError(value)


def english_ordinal(value: int) -> str:
    """21 → "twenty first"."""
    *before, last = english_number(value).split()
    if last in _ENGLISH_ORDINALS:
        last = _ENGLISH_ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return " ".join([*before, last])


def english_year(value: int) -> str:
    """1984 → "nineteen eighty four", 2024 → "twenty twenty four", 1905 → "nineteen oh five".

    What is not read in two halves (2000 to 2009, round thousands) is read as a number.
    """
    century, rest = divmod(value, 100)
    if not 11 <= century <= 20 or 2000 <= value <= 2009:
        return english_number(value)
    if rest == 0:
        return f"{english_number(century)} hundred"
    second = english_number(rest) if rest >= 10 else f"oh {english_number(rest)}"
    return f"{english_number(century)} {second}"


def french_number(value: int) -> str:
    """81 → "quatre vingt un", without hyphens and plural marks. 0 <= value < 10**9."""
    _check(value, below=10**9)
    if value <= 16:
        return _FRENCH_SMALL[value]
    if value < 70:
        tens, ones = divmod(value, 10)
        if ones == 1 and tens > 1:
            return f"{_FRENCH_TENS[tens]} et un"
        return _with_rest(_FRENCH_TENS[tens], ones, french_number)
    if value < 80:
        return "soixante et onze" if value == 71 else f"soixante {french_number(value - 60)}"
    if value < 100:
        return _with_rest("quatre vingt", value - 80, french_number)
    for size, name in ((10**6, "million"), (1000, "mille"), (100, "cent")):
        if value >= size:
            count, rest = divmod(value, size)
            # "mille" and "cent" stand alone for one; "un million" does not.
            head = name if count == 1 and size < 10**6 else f"{french_number(count)} {name}"
            return _with_rest(head, rest, french_number)
    raise AssertionError(value)


def french_ordinal(value: int) -> str:
    """1 → "premier", 21 → "vingt et unième"."""
    if value == 1:
        return "premier"
    *before, last = french_number(value).split()
    last = {"cinq": "cinqu", "neuf": "neuv"}.get(last, last.removesuffix("e")) + "ième"
    return " ".join([*before, last])


def chinese_number(value: int) -> str:
    """25 → "二十五", 10050 → "一万零五十". 0 <= value < 10**16."""
    _check(value, below=10**16)
    if value == 0:
        return "零"
    groups: list[int] = []
    while value:
        value, group = divmod(value, 10_000)
        groups.append(group)
    spoken = ""
    for index in reversed(range(len(groups))):
        group = groups[index]
        if group == 0:
            continue
        # A gap inside the number is said as one "零".
        if spoken and (group < 1000 or groups[index + 1] == 0):
            spoken += "零"
        spoken += _chinese_group(group) + _CHINESE_MYRIADS[index]
    # Ten to nineteen at the front are "十…", not "一十…".
    return spoken.removeprefix("一") if spoken.startswith("一十") else spoken


def chinese_digits(digits: str) -> str:
    """Digit by digit: "2024" → "二零二四"."""
    return "".join(_CHINESE_DIGITS[int(digit)] for digit in digits)


def _chinese_group(value: int) -> str:
    """1 to 9999, with the "一" of 10 to 19 kept."""
    spoken = ""
    gap = False
    for power in (3, 2, 1, 0):
        digit = value // 10**power % 10
        if digit == 0:
            gap = bool(spoken)
            continue
        if gap:
            spoken += "零"
            gap = False
        spoken += _CHINESE_DIGITS[digit] + _CHINESE_UNITS[power]
    return spoken


def _with_rest(head: str, rest: int, say: Callable[[int], str]) -> str:
    return f"{head} {say(rest)}" if rest else head


def _check(value: int, *, below: int) -> None:
    if not 0 <= value < below:
        raise ValueError(f"{value} is not read here: give a number from 0 to {below - 1}.")
