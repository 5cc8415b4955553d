import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from transcription.text.languages import (
    CODE_BY_QWEN_NAME,
    LANGUAGES,
    UnknownLanguage,
    code_from_qwen_name,
    english_name,
    is_written_without_spaces,
    native_name,
    normalise_code,
    qwen_name,
)


def constant_in(package: str, file: str, name: str) -> Any:
    """A constant of a library's source, read without importing the library (and torch with it)."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    source = (Path(spec.origin).parent / file).read_text(encoding="utf-8")
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return ast.literal_eval(value)
    raise AssertionError(f"{package} has no constant {name} in {file} any more")


WHISPER_CODES = constant_in("faster_whisper", "tokenizer.py", "_LANGUAGE_CODES")
QWEN_NAME_BY_CODE = constant_in(
    "transformers", "models/qwen3_asr/processing_qwen3_asr.py", "LANGUAGE_CODE_TO_NAME"
)


def test_every_language_of_whisper_has_a_row_and_no_other():
    assert set(LANGUAGES) == set(WHISPER_CODES)


def test_every_language_of_qwen3_asr_is_known_by_the_name_the_model_writes():
    assert set(CODE_BY_QWEN_NAME) == set(QWEN_NAME_BY_CODE.values())
    for code, name in QWEN_NAME_BY_CODE.items():
        assert CODE_BY_QWEN_NAME[name] == normalise_code(code)
        assert normalise_code(name) == normalise_code(code)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("zh", "zh"),
        ("ZH", "zh"),
        ("zh-CN", "zh"),
        ("zh_TW", "zh"),
        ("zh-Hant-HK", "zh"),
        ("cmn-Hans-CN", "zh"),
        ("zh-cmn", "zh"),
        ("Chinese", "zh"),
        ("中文", "zh"),
        ("普通话", "zh"),
        ("  English ", "en"),
        ("en-US", "en"),
        ("eng", "en"),
        ("yue", "yue"),
        ("yue-HK", "yue"),
        ("zh-yue", "yue"),
        ("Cantonese", "yue"),
        ("廣東話", "yue"),
        ("pt_BR", "pt"),
        ("es-419", "es"),
        ("fil", "tl"),
        ("Filipino", "tl"),
        ("nb-NO", "no"),
        ("haitian   creole", "ht"),
        ("Français", "fr"),
    ],
)
def test_whatever_a_caller_writes_for_a_language_becomes_its_one_code(given, code):
    assert normalise_code(given) == code


@pytest.mark.parametrize("given", [None, "", "  ", "auto", "AUTO", "none", "unknown"])
def test_nothing_and_auto_ask_for_detection(given):
    assert normalise_code(given) is None


@pytest.mark.parametrize("given", ["klingon", "xx", "en-", "en-U", "en-US; DROP", "e", "汉"])
def test_an_unknown_language_is_refused_with_what_is_accepted(given):
    with pytest.raises(UnknownLanguage) as refused:
        normalise_code(given)
    assert refused.value.given == given
    assert "'zh-CN'" in str(refused.value)
    assert "yue" in str(refused.value)
    assert isinstance(refused.value, ValueError)


def test_a_long_made_up_language_does_not_fill_the_message():
    with pytest.raises(UnknownLanguage) as refused:
        normalise_code("x" * 100_000)
    assert len(str(refused.value)) < 1_000


def test_every_code_and_every_name_in_the_table_leads_back_to_its_code():
    for code, language in LANGUAGES.items():
        assert normalise_code(code) == code
        assert normalise_code(language.english_name) == code
        assert normalise_code(language.native_name) == code


def test_names_are_given_in_english_and_in_the_language_itself():
    assert english_name("zh") == "Chinese"
    assert native_name("zh") == "中文"
    assert native_name("bo") == "བོད་སྐད་"
    with pytest.raises(UnknownLanguage):
        english_name("zh-CN")


def test_the_names_of_qwen3_asr_go_both_ways():
    assert qwen_name("yue") == "Cantonese"
    assert qwen_name("cy") is None
    assert code_from_qwen_name("Cantonese") == "yue"
    assert code_from_qwen_name("None") is None
    with pytest.raises(UnknownLanguage):
        code_from_qwen_name("Klingonese")


def test_chinese_japanese_and_thai_are_written_without_spaces_and_korean_is_not():
    unspaced = {code for code in LANGUAGES if is_written_without_spaces(code)}
    assert unspaced == {"zh", "yue", "ja", "th", "lo", "km", "my", "bo"}
    assert not is_written_without_spaces(None)
