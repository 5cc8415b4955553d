"""Text as it is compared: what two writers of the same speech may write differently is levelled.

Word and character error rates are about what was heard. Case, punctuation, the width of letters,
the script of Chinese, and whether a number is in digits or in words say nothing about that, so
they are levelled on both sides. Nothing that was said is taken away: hesitations ("uh") stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from transcription.text import numerals, script
from transcription.text.languages import is_written_without_spaces

__all__ = ["normalise"]


def normalise(text: str, *, language: str | None) -> str:
    """The text in the form in which it is compared with another: lower case, words alone.

    ``language`` is a code; None: unknown, and only what holds for every language is done. One
    space stands between words, none at all in languages written without. Numbers become words in
    English, French, Chinese and Cantonese, and stay digits elsewhere. Chinese becomes simplified.
    Idempotent: a normalised text is not changed again.
    """
    level = unicodedata.normalize("NFKC", text)
    level = script.convert(level, "simplified", language=language).casefold()
    spell = _SPELLERS.get(language or "")
    if spell is not None:
        level = spell(level)
    # An apostrophe inside an English word is no border ("don't" is one word, whether written
    # with it or not); in French it is ("l'ami" is two).
    if language == "en":
        level = re.sub(r"(?<=\w)['’](?=\w)", "", level)
    level = "".join(
        character if unicodedata.category(character)[0] in "LMN" else " " for character in level
    )
    words = level.split()
    if language == "en":
        words = _without_and(words)
    elif language == "fr":
        words = [_FRENCH_PLURALS.get(word, word) for word in words]
    return ("" if is_written_without_spaces(language) else " ").join(words)


# --- English ----------------------------------------------------------------------------------

#: Digits, with the commas of thousands: "1,250,000".
_ENGLISH_INTEGER = r"\d{1,3}(?:,\d{3})+(?!\d)|\d+"
_ENGLISH_CURRENCIES = {"$": "dollars", "£": "pounds", "€": "euros"}
_ENGLISH_NUMBER_WORDS = frozenset(
    word for value in range(100) for word in numerals.english_number(value).split()
)


def _spell_english(text: str) -> str:
    text = re.sub(
        rf"([$£€])\s?((?:{_ENGLISH_INTEGER})(?:\.\d+)?(?:\s(?:million|billion|thousand))?)",
        lambda found: f"{found[2]} {_ENGLISH_CURRENCIES[found[1]]}",
        text,
    )
    text = re.sub(r"(?<=\d)\s?%", " percent", text)
    text = re.sub(
        r"(?<![\w.,])(\d{1,9})(?:st|nd|rd|th)\b",
        lambda found: numerals.english_ordinal(int(found[1])),
        text,
    )
    return re.sub(
        rf"({_ENGLISH_INTEGER})(?:\.(\d+))?",
        lambda found: _spaced(_english(found[1]), found[2], "point", _english),
        text,
    )


def _english(digits: str) -> str:
    plain = digits.replace(",", "")
    if _is_read_by_digits(plain, longest=9):
        return " ".join(numerals.english_number(int(digit)) for digit in plain)
    if plain == digits and len(plain) == 4:
        # Four digits without a comma are a year far more often than an amount.
        return numerals.english_year(int(plain))
    return numerals.english_number(int(plain))


def _without_and(words: list[str]) -> list[str]:
    """ "One hundred and five" and "one hundred five" are the same number."""
    return [
        word
        for index, word in enumerate(words)
        if not (
            word == "and"
            and 0 < index < len(words) - 1
            and words[index - 1] in {"hundred", "thousand", "million"}
            and words[index + 1] in _ENGLISH_NUMBER_WORDS
        )
    ]


# --- French -----------------------------------------------------------------------------------

#: Digits, with the points or no-break spaces of thousands (which NFKC has made plain spaces
#: of): "1 250 000". Three digits must follow each, and the list "1 200 300" is read as one number
#: by people too.
_FRENCH_INTEGER = r"\d{1,3}(?:[ .]\d{3})+(?!\d)|\d+"
_FRENCH_PLURALS = {"vingts": "vingt", "cents": "cent", "millions": "million"}


def _spell_french(text: str) -> str:
    text = re.sub(r"(?<=\d)\s?%", " pour cent", text)
    text = re.sub(r"(?<=\d)\s?€", " euros", text)
    text = re.sub(
        r"(?<![\w.,])(\d{1,9})(?:ers?|ères?|ères?|res?|e|es|è|ème|èmes|eme|ième|ièmes)\b",
        _french_ordinal,
        text,
    )
    return re.sub(
        rf"({_FRENCH_INTEGER})(?:,(\d+))?",
        lambda found: _spaced(_french(found[1]), found[2], "virgule", _french),
        text,
    )


def _french_ordinal(found: re.Match[str]) -> str:
    value = int(found[1])
    if value == 1 and "r" in found[0] and found[0].rstrip("s").endswith("e"):
        return "première"
    return numerals.french_ordinal(value)


def _french(digits: str) -> str:
    plain = re.sub(r"[ .]", "", digits)
    if _is_read_by_digits(plain, longest=9):
        return " ".join(numerals.french_number(int(digit)) for digit in plain)
    return numerals.french_number(int(plain))


# --- Chinese and Cantonese ---------------------------------------------------------------------

_CHINESE_INTEGER = r"\d{1,3}(?:,\d{3})+(?!\d)|\d+"


def _spell_chinese(text: str) -> str:
    text = re.sub(rf"((?:{_CHINESE_INTEGER})(?:\.\d+)?)\s?%", r"百分之\1", text)
    text = re.sub(
        rf"({_CHINESE_INTEGER})(?:\.(\d+))?(\s?年)?",
        lambda found: _chinese(found[1], found[2], is_year=found[3] is not None) + (found[3] or ""),
        text,
    )
    # Two ways to say or write one and the same number.
    return text.replace("〇", "零").replace("两", "二")


def _chinese(digits: str, decimals: str | None, *, is_year: bool) -> str:
    plain = digits.replace(",", "")
    by_digits = _is_read_by_digits(plain, longest=8) or (is_year and len(plain) == 4)
    spoken = numerals.chinese_digits(plain) if by_digits else numerals.chinese_number(int(plain))
    return f"{spoken}点{numerals.chinese_digits(decimals)}" if decimals else spoken


_SPELLERS: dict[str, Callable[[str], str]] = {
    "en": _spell_english,
    "fr": _spell_french,
    "zh": _spell_chinese,
    "yue": _spell_chinese,
}


def _is_read_by_digits(digits: str, *, longest: int) -> bool:
    """Telephone numbers and the like: too long for an amount, or with a zero in front."""
    return len(digits) > longest or (len(digits) > 1 and digits[0] == "0")


def _spaced(whole: str, decimals: str | None, point: str, read: Callable[[str], str]) -> str:
    """A spoken number with blanks around it, its decimals digit by digit."""
    spoken = whole
    if decimals:
        spoken = f"{whole} {point} {' '.join(read(digit) for digit in decimals)}"
    return f" {spoken} "
