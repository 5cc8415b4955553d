"""The 30 languages of Qwen3-ASR: our code, and the name that the model was trained with."""

from __future__ import annotations

from transcription.engines.base import EngineError

#: Code -> name. The 22 Chinese dialects that the model hears are written and named "Chinese".
LANGUAGE_NAMES: dict[str, str] = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fa": "Persian",
    "fi": "Finnish",
    "fil": "Filipino",
    "fr": "French",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "mk": "Macedonian",
    "ms": "Malay",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "vi": "Vietnamese",
    "yue": "Cantonese",
    "zh": "Chinese",
}
_CODES = {name.lower(): code for code, name in LANGUAGE_NAMES.items()}

#: ISO 639-3 for text in a language that has no code here.
UNDETERMINED = "und"


def known_code(code: str | None) -> str | None:
    """The code without region or script ("zh-CN" -> "zh"); None where the model has it not."""
    plain = (code or "").replace("_", "-").partition("-")[0].lower()
    return plain if plain in LANGUAGE_NAMES else None


def name_of(code: str) -> str:
    """The model's name of a language. Raises ``EngineError`` for one that it has not."""
    known = known_code(code)
    if known is None:
        raise EngineError(
            f"Qwen3-ASR does not know the language '{code}'. It knows: {', '.join(LANGUAGE_NAMES)}."
        )
    return LANGUAGE_NAMES[known]


def code_of(name: str) -> str:
    """The code of a language by the model's name; "und" for a name that is not in the list."""
    return _CODES.get(name.strip().lower(), UNDETERMINED)
