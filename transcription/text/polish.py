"""Recognised text by the rules of written text: marks, spacing, capitals.

For engines that leave them out. Whisper writes Chinese with half-width commas, or with blanks
where a speaker paused; models of other families write neither capitals nor stops. Only marks,
blanks and case are touched: no letter, sign or digit is added, lost or moved, so that a wrong
guess never makes a wrong word. Polishing twice changes nothing more.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from transcription.text.characters import is_han_or_kana, is_unspaced_script
from transcription.text.joining import tidy

__all__ = ["polish", "rules_language"]

_HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_KANA = "\u3041-\u3096\u30a1-\u30fa\u30fc"
_CJK = f"[{_HAN}{_KANA}]"

_FULL_WIDTH = {",": "，", "?": "？", "!": "！", ":": "：", ";": "；"}
_CHINESE_QUESTION = re.compile(r"(?:吗|呢|嗎|呀吗|是不是|对不对|對不對|好不好|咩)$")
_JAPANESE_QUESTION = re.compile(r"(?:ですか|ますか|でしょうか|ませんか|でしたか|ましたか)$")

#: Signs that stand one by one.
_SPELLED = re.compile(
    rf"(?<![{_HAN}])[{_HAN}](?: [{_HAN}]){{2,}}(?![{_HAN}])|^[{_HAN}] [{_HAN}](?=\W*$)"
)

#: Full stops of the languages that have one of their own; "" where none is written.
_STOPS = {
    "hi": "।", "mr": "।", "ne": "।", "bn": "।", "as": "।", "pa": "।", "sa": "।",
    "hy": "։", "am": "።", "ur": "۔", "my": "။", "km": "។", "bo": "།", "th": "", "lo": "",
}  # fmt: skip

#: The dot of a Turkish letter stays on its capital.
_TURKISH_CAPITALS = {"i": "İ", "ı": "I"}

_LATER_START = r"[.!?…][\"'”’»)\]]*\s+"
_FIRST_LETTER = r"([\"'“‘«¿¡(\[]*\s?)([^\W\d_])(\w*)"
_SENTENCE_STARTS = re.compile(rf"(^|{_LATER_START}){_FIRST_LETTER}")
_LATER_SENTENCE_STARTS = re.compile(rf"({_LATER_START}){_FIRST_LETTER}")

#: A full stop behind one of these ends no sentence; nor behind an initial ("J. Smith", "U.S.").
_ABBREVIATION = re.compile(
    r"mrs?|ms|dr|prof|st|vs|etc|nr|approx|fig|vol|jr|sr|inc|ltd|cf|bzw|usw|mme|mlle|sra"
    r"|(?:\w\.)*[^\W\d_]",
    re.IGNORECASE,
)


def polish(text: str, *, language: str | None, begins: bool = True, ends: bool = True) -> str:
    """The text with the marks, blanks and capitals of its written language.

    ``language`` is a code; None or one without rules of its own: only blanks are tidied.
    ``begins`` and ``ends`` say whether the text begins and ends a sentence, as a whole file
    does; a part that was cut out in mid-sentence gets no capital in front and no stop behind.
    """
    plain = tidy(text)
    if not plain or language is None:
        return plain
    language = rules_language(plain, language)
    if language in {"zh", "yue"}:
        written, stop = _chinese(plain), "。"
        asks: re.Pattern[str] | None = _CHINESE_QUESTION
    elif language == "ja":
        written, stop, asks = _japanese(plain), "。", _JAPANESE_QUESTION
    elif is_unspaced_script(plain[0]):
        # Thai and its neighbours: blanks are their commas, and there are no capitals.
        written, stop, asks = plain, _STOPS.get(language, ""), None
    else:
        written = _capitalised(_spaced(plain, language), language, begins=begins)
        stop, asks = _STOPS.get(language, "."), None
    return _with_stop(written, stop, "？", asks) if ends else written


def rules_language(text: str, language: str) -> str:
    """The language whose rules the text wants: English for a few words of it in a Chinese file."""
    if language in {"zh", "yue", "ja"} and not any(map(is_han_or_kana, text)):
        return "en"
    return language


# --- Chinese and Japanese ----------------------------------------------------------------------


def _chinese(text: str) -> str:
    text = _pauses(_full_width_marks(text, comma="，"), comma="，")
    return _apart_from_latin(text)


def _japanese(text: str) -> str:
    return _pauses(_full_width_marks(text, comma="、"), comma="、")


def _full_width_marks(text: str, *, comma: str) -> str:
    """Half-width marks that belong to Chinese or Japanese words, in full width.

    A mark inside a number or a name ("3.5", "10:30", "Node.js") stays: it has no such word
    beside it.
    """
    marks = {**_FULL_WIDTH, ",": comma}
    closing = "”’」』）】》"
    after = rf"(?<=[{_HAN}{_KANA}{closing}])"
    text = re.sub(rf"{after} ?\.{{3,}} ?|(?<=[{_HAN}{_KANA}]) ?…+ ?", "……", text)
    text = re.sub(rf"{after} ?([,?!:;]) ?", lambda found: marks[found[1]], text)
    text = re.sub(rf" ?([,?!:;]) ?(?={_CJK})", lambda found: marks[found[1]], text)
    text = re.sub(rf"{after} ?\.(?![\w.]) ?|(?<=\w)\.$", "。", text)
    text = re.sub(r"\(([^()]*)\)", _full_width_brackets, text)
    # A full-width mark brings its own space.
    marks_class = "，。？！：；、"
    return re.sub(rf" ?([{marks_class}]) ?", r"\1", text)


def _full_width_brackets(found: re.Match[str]) -> str:
    return f"（{found[1]}）" if any(map(is_han_or_kana, found[1])) else found[0]


def _pauses(text: str, *, comma: str) -> str:
    """Blanks between Chinese or Japanese words are the pauses of the speaker: commas.

    Unless every sign stands by itself ("你 好 世 界"): then the blanks mean nothing. Two signs in
    a row may be two short words ("好 对"), if there is more of the text.
    """
    text = _SPELLED.sub(lambda found: found[0].replace(" ", ""), text)
    return re.sub(rf"(?<={_CJK}) (?={_CJK})", comma, text)


def _apart_from_latin(text: str) -> str:
    """A blank between a Chinese word and a Latin one ("用 Python 写"), as ``joining`` has it."""
    text = re.sub(rf"([{_HAN}])([A-Za-zÀ-ɏ])", r"\1 \2", text)
    return re.sub(rf"([A-Za-zÀ-ɏ])([{_HAN}])", r"\1 \2", text)


# --- Languages with spaces ---------------------------------------------------------------------


def _spaced(text: str, language: str) -> str:
    """Blanks after marks and none before them."""
    # French puts a blank (a no-break one where people care) before its high marks.
    before = ",." if language == "fr" else ",.;:!?،؛؟।۔։"
    text = re.sub(rf"(?<=\w) ([{before}])(?=\s|$)", r"\1", text)
    text = re.sub(
        r"(?<=[^\W\d_]) ?([,;])(?=[^\W\d_])|(?<=[^\W\d_])([!?])(?=[A-ZÀ-ÖØ-Þ])", r"\1\2 ", text
    )
    # "end.Next" is two sentences; "example.org" and "3.5" are not.
    return re.sub(r"(?<=[^\W\d_A-Z]{2})\.(?=[A-ZÀ-ÖØ-Þ][^\W\d_])", ". ", text)


def _capitalised(text: str, language: str, *, begins: bool) -> str:
    """A capital at the start of each sentence, and on the English "I"."""
    if language == "en":
        text = re.sub(r"(?<![\w.'’-])i(?=$|[\s,;!?]|['’](?:m|ve|d|ll)\b)", "I", text)
    capitals = _TURKISH_CAPITALS if language in {"tr", "az"} else {}
    starts = _SENTENCE_STARTS if begins else _LATER_SENTENCE_STARTS
    return starts.sub(lambda found: _capital(found, capitals), text)


def _capital(found: re.Match[str], capitals: Mapping[str, str]) -> str:
    gap, opening, letter, rest = found.groups()
    # The longest abbreviation is short, and the text of a whole file is not.
    before = found.string[max(0, found.start() - 40) : found.start()]
    if gap.startswith(".") and _ends_in_abbreviation(before):
        return found[0]
    if gap.startswith("…") or (gap.startswith(".") and before.endswith(".")):
        # A sentence may go on behind a hesitation.
        return found[0]
    # "iPhone" is written by its owner's rules. One letter stays one: "ß" has no capital here.
    capital = capitals.get(letter, letter.upper())
    if any(map(str.isupper, rest)) or len(capital) != 1:
        return found[0]
    return f"{gap}{opening}{capital}{rest}"


def _ends_in_abbreviation(text: str) -> bool:
    words = text.rsplit(maxsplit=1)
    return bool(words) and _ABBREVIATION.fullmatch(words[-1].strip("\"'“‘«([")) is not None


def _with_stop(
    text: str, stop: str, question: str = "", asks: re.Pattern[str] | None = None
) -> str:
    """A full stop at the end, where the text ends with a word and with no mark at all."""
    if unicodedata.category(text[-1])[0] not in "LMN":
        return text
    return text + (question if asks is not None and asks.search(text) else stop)
