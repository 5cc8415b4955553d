"""The languages that the engines know: codes, names, and how each is written.

A language has one code everywhere in the service. It is the code that Whisper uses, which is the
two-letter code of ISO 639-1 but for a few (``yue`` and ``haw`` have only three letters; ``jw`` is
Whisper's name for Javanese, ``tl`` stands for Filipino too). What people and other programs write
instead (``zh-CN``, ``Chinese``, ``中文``, ``fil``) is brought to it by ``normalise_code``.

Sources: the list of languages in Whisper's tokenizer (99, and Cantonese since large-v3), and the
30 languages that Qwen3-ASR names in its model card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "CODE_BY_QWEN_NAME",
    "LANGUAGES",
    "Language",
    "UnknownLanguage",
    "code_from_qwen_name",
    "english_name",
    "is_written_without_spaces",
    "native_name",
    "normalise_code",
    "qwen_name",
]


class UnknownLanguage(ValueError):
    """The language is none that the service knows; the message says what is accepted."""

    def __init__(self, given: str) -> None:
        self.given = given
        # Somebody else's text goes into a message: keep it short and on one line.
        shown = given if len(given) <= 40 else given[:40] + "…"
        super().__init__(
            f"Unknown language {shown!r}. Give a code such as 'zh', 'en' or 'yue', a tag such as "
            "'zh-CN', an English name such as 'Chinese', or 'auto' (or nothing) to have it "
            f"detected. Known codes: {', '.join(LANGUAGES)}."
        )


@dataclass(frozen=True, kw_only=True)
class Language:
    """One language, as the service names it."""

    #: The service's code: "zh", "en", "yue"…
    code: str
    #: "Chinese"
    english_name: str
    #: "中文"
    native_name: str


_TABLE = """
    en   English        English
    zh   Chinese        中文
    de   German         Deutsch
    es   Spanish        Español
    ru   Russian        Русский
    ko   Korean         한국어
    fr   French         Français
    ja   Japanese       日本語
    pt   Portuguese     Português
    tr   Turkish        Türkçe
    pl   Polish         Polski
    ca   Catalan        Català
    nl   Dutch          Nederlands
    ar   Arabic         العربية
    sv   Swedish        Svenska
    it   Italian        Italiano
    id   Indonesian     Bahasa Indonesia
    hi   Hindi          हिन्दी
    fi   Finnish        Suomi
    vi   Vietnamese     Tiếng Việt
    he   Hebrew         עברית
    uk   Ukrainian      Українська
    el   Greek          Ελληνικά
    ms   Malay          Bahasa Melayu
    cs   Czech          Čeština
    ro   Romanian       Română
    da   Danish         Dansk
    hu   Hungarian      Magyar
    ta   Tamil          தமிழ்
    no   Norwegian      Norsk
    th   Thai           ไทย
    ur   Urdu           اردو
    hr   Croatian       Hrvatski
    bg   Bulgarian      Български
    lt   Lithuanian     Lietuvių
    la   Latin          Latina
    mi   Maori          Māori
    ml   Malayalam      മലയാളം
    cy   Welsh          Cymraeg
    sk   Slovak         Slovenčina
    te   Telugu         తెలుగు
    fa   Persian        فارسی
    lv   Latvian        Latviešu
    bn   Bengali        বাংলা
    sr   Serbian        Српски
    az   Azerbaijani    Azərbaycanca
    sl   Slovenian      Slovenščina
    kn   Kannada        ಕನ್ನಡ
    et   Estonian       Eesti
    mk   Macedonian     Македонски
    br   Breton         Brezhoneg
    eu   Basque         Euskara
    is   Icelandic      Íslenska
    hy   Armenian       Հայերեն
    ne   Nepali         नेपाली
    mn   Mongolian      Монгол
    bs   Bosnian        Bosanski
    kk   Kazakh         Қазақша
    sq   Albanian       Shqip
    sw   Swahili        Kiswahili
    gl   Galician       Galego
    mr   Marathi        मराठी
    pa   Punjabi        ਪੰਜਾਬੀ
    si   Sinhala        සිංහල
    km   Khmer          ខ្មែរ
    sn   Shona          ChiShona
    yo   Yoruba         Yorùbá
    so   Somali         Soomaali
    af   Afrikaans      Afrikaans
    oc   Occitan        Occitan
    ka   Georgian       ქართული
    be   Belarusian     Беларуская
    tg   Tajik          Тоҷикӣ
    sd   Sindhi         سنڌي
    gu   Gujarati       ગુજરાતી
    am   Amharic        አማርኛ
    yi   Yiddish        ייִדיש
    lo   Lao            ລາວ
    uz   Uzbek          Oʻzbekcha
    fo   Faroese        Føroyskt
    ht   Haitian_Creole Kreyòl ayisyen
    ps   Pashto         پښتو
    tk   Turkmen        Türkmençe
    nn   Nynorsk        Nynorsk
    mt   Maltese        Malti
    sa   Sanskrit       संस्कृतम्
    lb   Luxembourgish  Lëtzebuergesch
    my   Burmese        မြန်မာဘာသာ
    bo   Tibetan        བོད་སྐད་
    tl   Filipino       Filipino
    mg   Malagasy       Malagasy
    as   Assamese       অসমীয়া
    tt   Tatar          Татарча
    haw  Hawaiian       ʻŌlelo Hawaiʻi
    ln   Lingala        Lingála
    ha   Hausa          Hausa
    ba   Bashkir        Башҡортса
    jw   Javanese       Basa Jawa
    su   Sundanese      Basa Sunda
    yue  Cantonese      粵語
"""


def _read_table() -> dict[str, Language]:
    languages: dict[str, Language] = {}
    for line in _TABLE.strip().splitlines():
        code, english, native = line.split(maxsplit=2)
        languages[code] = Language(
            code=code, english_name=english.replace("_", " "), native_name=native
        )
    return languages


#: Code → language, the languages with most training data first, as Whisper lists them.
LANGUAGES: Mapping[str, Language] = MappingProxyType(_read_table())

#: Qwen3-ASR's own name of a language → code. It is what the model writes in front of its text
#: ("language Chinese<asr_text>…") and what it wants as a hint.
CODE_BY_QWEN_NAME: Mapping[str, str] = MappingProxyType(
    {
        "Chinese": "zh",
        "English": "en",
        "Cantonese": "yue",
        "Arabic": "ar",
        "German": "de",
        "French": "fr",
        "Spanish": "es",
        "Portuguese": "pt",
        "Indonesian": "id",
        "Italian": "it",
        "Korean": "ko",
        "Russian": "ru",
        "Thai": "th",
        "Vietnamese": "vi",
        "Japanese": "ja",
        "Turkish": "tr",
        "Hindi": "hi",
        "Malay": "ms",
        "Dutch": "nl",
        "Swedish": "sv",
        "Danish": "da",
        "Finnish": "fi",
        "Polish": "pl",
        "Czech": "cs",
        "Filipino": "tl",
        "Persian": "fa",
        "Greek": "el",
        "Romanian": "ro",
        "Hungarian": "hu",
        "Macedonian": "mk",
    }
)
_QWEN_NAME_BY_CODE = {code: name for name, code in CODE_BY_QWEN_NAME.items()}

#: No spaces between words. Korean and Vietnamese do put them; Thai, Lao, Khmer and Burmese put
#: a space between phrases only, Tibetan a dot between syllables.
_WITHOUT_SPACES = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my", "bo"})

#: What else people and programs write: the codes of ISO 639-2 and -3, withdrawn codes, members of
#: a macrolanguage, other names.
_ALIASES = """
    en   eng, 英文, 英语, 英語
    zh   chi, cmn, zho, mandarin, mandarin chinese, simplified chinese, traditional chinese
    zh   汉语, 漢語, 普通话, 普通話, 国语, 國語, 简体中文, 繁體中文
    de   deu, ger, 德语, 德文
    es   spa, 西班牙语, castilian
    ru   rus, 俄语
    ko   kor, 韩文, 韩语, 韓語
    fr   fra, fre, 法语, 法文
    ja   jpn, 日文, 日语, 日語
    pt   por
    tr   tur
    pl   pol
    ca   valencian
    nl   dut, nld, flemish
    ar   ara
    sv   swe
    it   ita
    id   in, ind
    hi   hin
    fi   fin
    vi   vie
    he   iw
    el   ell, gre
    ms   may, msa
    cs   ces, cze
    ro   mo, ron, rum, moldavian, moldovan
    da   dan
    hu   hun
    no   nb, norwegian bokmål, bokmål
    th   tha
    fa   fas, per, farsi
    sr   sh
    mk   mac, mkd
    pa   panjabi
    si   sinhalese
    yi   ji
    ht   haitian
    ps   pushto
    nn   norwegian nynorsk
    lb   letzeburgesch
    my   myanmar
    tl   fil, tgl, tagalog
    jw   jav, jv
    yue  粤语, 广东话, 廣東話
"""


def _read_aliases() -> dict[str, str]:
    code_by_alias: dict[str, str] = {}
    for line in _ALIASES.strip().splitlines():
        code, aliases = line.split(maxsplit=1)
        code_by_alias.update(dict.fromkeys(aliases.split(", "), code))
    return code_by_alias


#: What asks for detection. "unknown" and "none" are what other services answer where they
#: detected nothing; sent back to us they mean the same.
_DETECT = frozenset({"", "auto", "none", "null", "unknown", "und", "detect"})


def _name_index() -> dict[str, str]:
    index: dict[str, str] = {}
    for language in LANGUAGES.values():
        index[language.english_name.casefold()] = language.code
        index[language.native_name.casefold()] = language.code
    return index | _CODE_BY_ALIAS


_CODE_BY_ALIAS = _read_aliases()
_CODE_BY_NAME = _name_index()


def normalise_code(given: str | None) -> str | None:
    """The service's code for whatever a caller wrote as a language; None where it asks to detect.

    Takes codes in any case, tags with a region or a script ("zh-CN", "pt_BR", "zh-Hant-TW": only
    the language counts, so "zh-HK" is Chinese and "yue-HK" or "zh-yue" Cantonese), names in
    English and in the language itself. None, "", "auto" and the like give None.

    Raises ``UnknownLanguage``.
    """
    wanted = " ".join((given or "").split()).casefold()
    if wanted in _DETECT:
        return None
    by_name = _CODE_BY_NAME.get(wanted)
    if by_name is not None:
        return by_name
    primary, *rest = wanted.replace("_", "-").split("-")
    if rest and rest[0] in {"yue", "cmn"} and primary == "zh":
        primary = rest[0]
    code = _CODE_BY_ALIAS.get(primary, primary)
    # Every further subtag is short and plain: "CN", "Hant", "419".
    if code not in LANGUAGES or not all(
        subtag.isascii() and subtag.isalnum() and 2 <= len(subtag) <= 8 for subtag in rest
    ):
        raise UnknownLanguage(given or "")
    return code


def english_name(code: str) -> str:
    """The name of a code: "zh" → "Chinese". Raises ``UnknownLanguage``."""
    return _known(code).english_name


def native_name(code: str) -> str:
    """The name of a code: "zh" → "中文". Raises ``UnknownLanguage``."""
    return _known(code).native_name


def qwen_name(code: str) -> str | None:
    """What Qwen3-ASR calls the language; None where it does not know it.

    Raises ``UnknownLanguage``.
    """
    return _QWEN_NAME_BY_CODE.get(_known(code).code)


def code_from_qwen_name(name: str) -> str | None:
    """The code of a name that Qwen3-ASR wrote; None for "None", its word for no speech.

    Raises ``UnknownLanguage`` for a name that is in no list of the model's.
    """
    plain = name.strip()
    if plain in {"", "None"}:
        return None
    code = CODE_BY_QWEN_NAME.get(plain)
    if code is None:
        raise UnknownLanguage(plain)
    return code


def is_written_without_spaces(code: str | None) -> bool:
    """Whether words of this language follow each other without a space.

    False for None and for codes that the table does not have: a space is the safer guess.
    """
    return code in _WITHOUT_SPACES


def _known(code: str) -> Language:
    language = LANGUAGES.get(code)
    if language is None:
        raise UnknownLanguage(code)
    return language
