"""What languages are called in the language of whoever reads."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _T

from transcription.text.languages import LANGUAGES

#: Names that Django's own catalogues lack, or have wrong; it translates the others.
NAMES = (
    *(_T("Amharic"), _T("Assamese"), _T("Bashkir"), _T("Breton"), _T("Cantonese"), _T("Chinese")),
    *(_T("Faroese"), _T("Filipino"), _T("Gujarati"), _T("Haitian Creole"), _T("Hausa")),
    *(_T("Hawaiian"), _T("Hindi"), _T("Javanese"), _T("Kannada"), _T("Lao"), _T("Latin")),
    *(_T("Lingala"), _T("Malagasy"), _T("Maltese"), _T("Maori"), _T("Norwegian"), _T("Nynorsk")),
    *(_T("Occitan"), _T("Pashto"), _T("Punjabi"), _T("Sanskrit"), _T("Shona"), _T("Sindhi")),
    *(_T("Sinhala"), _T("Somali"), _T("Sundanese"), _T("Tibetan"), _T("Turkmen"), _T("Yiddish")),
    _T("Yoruba"),
)


def language_name(code: str) -> str:
    """Return the name of a language in the active language; an unknown code is its own name."""
    known = LANGUAGES.get(code)
    return gettext(known.english_name) if known else code
