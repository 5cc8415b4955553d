import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from transcription.text.script import convert

TRADITIONAL = "大家好，歡迎使用語音識別服務，請上傳錄音文件，然後等待識別結果。"
SIMPLIFIED = "大家好，欢迎使用语音识别服务，请上传录音文件，然后等待识别结果。"


def test_what_whisper_wrote_in_traditional_characters_is_read_in_simplified_ones():
    assert convert(TRADITIONAL, "simplified", language="zh") == SIMPLIFIED


def test_simplified_text_becomes_traditional():
    assert convert(SIMPLIFIED, "traditional", language="zh") == TRADITIONAL


def test_words_are_not_exchanged_only_characters():
    assert convert("软件里面的头发为什么湿", "traditional", language="zh") == (
        "軟件裡面的頭髮為什麼溼"
    )


@pytest.mark.parametrize(
    ("text", "script"), [(TRADITIONAL, "traditional"), (SIMPLIFIED, "simplified")]
)
def test_text_in_the_wanted_script_stays_as_it_is(text, script):
    assert convert(text, script, language="zh") == text


def test_as_is_leaves_a_mixture_alone():
    assert convert("歡迎使用语音", "as_is", language="zh") == "歡迎使用语音"


def test_cantonese_is_converted_by_the_standard_of_hong_kong():
    assert convert("我哋喺里面食紧嘢", "traditional", language="yue") == "我哋喺裏面食緊嘢"
    assert convert("我哋喺裏面食緊嘢", "simplified", language="yue") == "我哋喺里面食紧嘢"


@pytest.mark.parametrize("language", ["ja", "ko", "en", None])
def test_other_languages_are_never_touched(language):
    assert convert("發展と國語", "simplified", language=language) == "發展と國語"


def test_an_unknown_script_is_refused():
    with pytest.raises(ValueError, match="simplified, traditional, as_is"):
        convert("好", "klingon", language="zh")  # type: ignore[arg-type]


def test_many_threads_may_convert_at_once():
    with ThreadPoolExecutor(max_workers=8) as pool:
        results = set(
            pool.map(lambda _: convert(TRADITIONAL * 20, "simplified", language="zh"), range(200))
        )
    assert results == {SIMPLIFIED * 20}


def test_opencc_is_not_loaded_before_the_first_chinese_text():
    program = (
        "import sys; from transcription.text.script import convert; "
        "convert('hello', 'simplified', language='en'); "
        "assert 'opencc' not in sys.modules; "
        "convert('歡', 'simplified', language='zh'); "
        "assert 'opencc' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
