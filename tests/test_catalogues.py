"""The catalogues of what people read: whole, well-formed, and compiled as they stand."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polib
import pytest
from django.core.management import call_command
from django.utils import translation

from transcription.services.errors import ERRORS, message_of
from transcription.services.language_names import language_name
from transcription.text.languages import LANGUAGES

BASE_DIR = Path(__file__).resolve().parent.parent
LOCALES = ("en", "zh_Hans")
#: Where strings for people are.
SOURCES = ("asr_project", "transcription", "templates")

_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}|</?\w+[^>]*>")
_HAN = r"[\u3400-\u9fff]"
#: Marks that Chinese writes full-width, where they touch a Chinese character.
_HALF_WIDTH = re.compile(rf"{_HAN}\s*[,;:!?()\"']|[,;:!?()\"']\s*{_HAN}|{_HAN}\.(?:\s|$|{_HAN})")
_TOUCHING = re.compile(rf"{_HAN}[A-Za-z0-9]|[A-Za-z0-9]{_HAN}")


def catalogue(locale: str, folder: Path = BASE_DIR / "locale") -> polib.POFile:
    return polib.pofile(str(folder / locale / "LC_MESSAGES" / "django.po"))


def translations(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


# --- the rules, each a list of what is wrong


def unfinished(po: polib.POFile) -> list[str]:
    """Entries without a translation, in doubt (fuzzy), or of a string that is gone."""
    return [
        entry.msgid
        for entry in po
        if entry.obsolete or entry.fuzzy or not all(text.strip() for text in translations(entry))
    ]


def other_placeholders(po: polib.POFile) -> list[str]:
    """Entries whose translation is not filled with what the original is, or lacks its markup."""
    return [
        f"{entry.msgid!r} -> {text!r}"
        for entry in po
        for text in translations(entry)
        if text
        and Counter(_PLACEHOLDER.findall(text))
        != Counter(_PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
    ]


def other_edges(po: polib.POFile) -> list[str]:
    """Entries whose translation begins or ends with a blank or a line break otherwise."""
    return [
        entry.msgid
        for entry in po
        for text in translations(entry)
        if text
        and (text[:1].isspace(), text[-1:].isspace())
        != (entry.msgid[:1].isspace(), entry.msgid[-1:].isspace())
    ]


def badly_set(po: polib.POFile) -> list[str]:
    """Chinese with marks of half width, or with Latin letters and figures glued to it."""
    wrong = []
    for entry in po:
        for text in translations(entry):
            bare = _PLACEHOLDER.sub("\0", text)
            wrong += [
                f"{found.group()!r} in {text!r}"
                for rule in (_HALF_WIDTH, _TOUCHING)
                for found in rule.finditer(bare)
            ]
    return wrong


def contents(entries: Any) -> dict[tuple[str | None, str, str], list[str]]:
    return {
        (entry.msgctxt or None, entry.msgid, entry.msgid_plural or ""): translations(entry)
        for entry in entries
        if any(translations(entry))
    }


# --- the catalogues keep them


def test_chinese_is_whole() -> None:
    assert unfinished(catalogue("zh_Hans")) == []


def test_english_stands_in_the_sources_alone() -> None:
    po = catalogue("en")
    assert [entry.msgid for entry in po if any(translations(entry)) or entry.fuzzy] == []
    assert [entry.msgid for entry in po.obsolete_entries()] == []


def test_both_have_the_same_entries() -> None:
    ids = [[(entry.msgid, entry.msgid_plural) for entry in catalogue(name)] for name in LOCALES]
    assert ids[0] == ids[1]


@pytest.mark.parametrize("rule", [other_placeholders, other_edges, badly_set])
def test_chinese_is_well_formed(rule: Callable[[polib.POFile], list[str]]) -> None:
    assert rule(catalogue("zh_Hans")) == []


@pytest.mark.parametrize("locale", LOCALES)
def test_what_is_compiled_is_what_is_written(locale: str) -> None:
    folder = BASE_DIR / "locale" / locale / "LC_MESSAGES"
    compiled = contents(polib.mofile(str(folder / "django.mo")))
    assert compiled == contents(catalogue(locale)), "run make words"


@pytest.fixture
def sources(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources and the catalogues, for ``manage.py words`` to work on."""
    if shutil.which("xgettext") is None:
        pytest.skip("GNU gettext is not installed (apt install gettext): no search of the sources")
    for name in (*SOURCES, "locale"):
        shutil.copytree(
            BASE_DIR / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "static")
        )
    settings.LOCALE_PATHS = [tmp_path / "locale"]
    monkeypatch.chdir(tmp_path)
    return tmp_path


def differences(folder: Path, locale: str) -> tuple[list[str], list[str]]:
    """Return what the sources have and the catalogue lacks, and the other way round."""
    made = {(one.msgid, one.msgid_plural) for one in catalogue(locale, folder / "locale")}
    kept = {(one.msgid, one.msgid_plural) for one in catalogue(locale)}
    return sorted(one[0] for one in made - kept), sorted(one[0] for one in kept - made)


def test_the_catalogues_have_every_string_of_the_sources_and_no_other(sources: Path) -> None:
    call_command("words", verbosity=0)
    for locale in LOCALES:
        assert differences(sources, locale) == ([], []), "run make words"


def test_a_string_that_is_new_or_gone_is_noticed(sources: Path) -> None:
    login = sources / "templates" / "account" / "login.html"
    login.write_text("{% load i18n %}{% translate 'Never seen before' %}", encoding="utf-8")
    (sources / "made.py").write_text(
        "from django.utils.translation import gettext as _, gettext_noop as _T\n"
        "here, later = _('Another') + 'not this', _T('A third')\n",
        encoding="utf-8",
    )
    call_command("words", verbosity=0)
    assert differences(sources, "zh_Hans") == (
        ["A third", "Another", "Never seen before"],
        ["I forgot my password"],
    )


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_is_said_in_chinese(code: str) -> None:
    with translation.override("zh-hans"):
        assert re.search(_HAN, message_of(code))


def test_every_language_has_a_chinese_name() -> None:
    with translation.override("zh-hans"):
        names = [language_name(code) for code in LANGUAGES]
    assert [name for name in names if not re.fullmatch(rf"{_HAN}+\s?", name)] == []


# --- and the rules find what they are for


@pytest.mark.parametrize(
    ("rule", "entry"),
    [
        (unfinished, {"msgid": "Save", "msgstr": ""}),
        (unfinished, {"msgid": "Save", "msgstr": "保存", "flags": ["fuzzy"]}),
        (unfinished, {"msgid": "Save", "msgstr": "保存", "obsolete": True}),
        (unfinished, {"msgid": "%d row", "msgid_plural": "%d rows", "msgstr_plural": {0: ""}}),
        (other_placeholders, {"msgid": "%(count)d left", "msgstr": "剩余 %(number)d"}),
        (other_placeholders, {"msgid": "more than {limit}", "msgstr": "更多"}),
        (other_placeholders, {"msgid": "<b>one</b>", "msgstr": "<b>一"}),
        (
            other_placeholders,
            {"msgid": "one", "msgid_plural": "%d rows", "msgstr_plural": {0: "一行"}},
        ),
        (other_edges, {"msgid": "Save ", "msgstr": "保存"}),
        (badly_set, {"msgid": "x", "msgstr": "保存,退出"}),
        (badly_set, {"msgid": "x", "msgstr": "已保存."}),
        (badly_set, {"msgid": "x", "msgstr": "名称: 值"}),
        (badly_set, {"msgid": "x", "msgstr": "大小(字节)"}),
        (badly_set, {"msgid": "x", "msgstr": "使用API令牌"}),
        (badly_set, {"msgid": "x", "msgstr": "7天"}),
    ],
)
def test_a_fault_is_found(rule: Callable[[polib.POFile], list[str]], entry: dict[str, Any]) -> None:
    po = polib.POFile()
    po.append(polib.POEntry(**entry))
    assert rule(po)


def test_good_chinese_has_no_fault() -> None:
    po = polib.POFile()
    po.append(
        polib.POEntry(
            msgid="Send '{value}' in %(count)d s: <code>{name}</code>.",
            msgstr="请在 %(count)d 秒内发送“{value}”：<code>{name}</code>。",
        )
    )
    for rule in (unfinished, other_placeholders, other_edges, badly_set):
        assert rule(po) == []
