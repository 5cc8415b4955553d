import unicodedata

import pytest

from transcription.text.polish import polish


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        # As Whisper base writes the Chinese sample, at two beam widths.
        (
            "大家好 歡迎使用語音識別服務 請上傳錄音文件 然後等待識別結果",
            "大家好，歡迎使用語音識別服務，請上傳錄音文件，然後等待識別結果。",
        ),
        ("大家好,歡迎使用,請上傳。", "大家好，歡迎使用，請上傳。"),
        ("几点了?现在10:30.", "几点了？现在10:30。"),
        ("你吃饭了吗", "你吃饭了吗？"),
        ("我用Python写代码,然后Node.js 3.5版", "我用 Python 写代码，然后 Node.js 3.5版。"),
        ("你 好 世 界", "你好世界。"),
        ("你 好", "你好。"),
        ("他说 你 好 世 界 然后 好 对 走了", "他说，你好世界，然后，好，对，走了。"),
        ("(真的)很好...再见", "（真的）很好……再见。"),
        ("价格是1,000元,对不对?", "价格是1,000元，对不对？"),
        ("OK , 好的 !", "OK，好的！"),
        ("Hello world", "Hello world."),
    ],
)
def test_chinese_gets_full_width_marks_and_pauses_become_commas(heard, written):
    assert polish(heard, language="zh") == written


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("今日は,いい天気ですね 行きましょう", "今日は、いい天気ですね、行きましょう。"),
        ("お元気ですか", "お元気ですか？"),
        ("そうです.", "そうです。"),
    ],
)
def test_japanese_has_its_own_comma(heard, written):
    assert polish(heard, language="ja") == written


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("hello world . how are you ? fine", "Hello world. How are you? Fine."),
        ("i think i'm right ,aren't i", "I think I'm right, aren't I."),
        ("see dr. smith, e.g. at 3.5 percent", "See dr. smith, e.g. at 3.5 percent."),
        ("look at example.org today", "Look at example.org today."),
        ("this is the end.Next one", "This is the end. Next one."),
        ("iPhone users know", "iPhone users know."),
        ("well… maybe", "Well… maybe."),
        ("he said no. then he left!", "He said no. Then he left!"),
        ('she said "yes. of course"', 'She said "yes. Of course"'),
    ],
)
def test_english_sentences_begin_with_a_capital_and_end_with_a_stop(heard, written):
    assert polish(heard, language="en") == written


@pytest.mark.parametrize(
    ("language", "heard", "written"),
    [
        ("fr", "ça va\u00a0? oui, l'école est finie", "Ça va\u00a0? Oui, l'école est finie."),
        ("es", "¿qué tal? bien", "¿Qué tal? Bien."),
        ("de", "das ist z.B. richtig", "Das ist z.B. richtig."),
        ("ru", "привет. как дела", "Привет. Как дела."),
        ("hi", "नमस्ते दुनिया", "नमस्ते दुनिया।"),
        ("ko", "안녕하세요 여러분", "안녕하세요 여러분."),
        ("th", "สวัสดีครับ วันนี้", "สวัสดีครับ วันนี้"),
        ("ar", "مرحبا بالعالم", "مرحبا بالعالم."),
    ],
)
def test_each_language_has_its_own_stop(language, heard, written):
    assert polish(heard, language=language) == written


@pytest.mark.parametrize(
    ("language", "heard", "written"),
    [
        ("en", "to the park. then home", "to the park. Then home"),
        ("de", "und dann", "und dann"),
        ("zh", "然后我们,就走了", "然后我们，就走了"),
        ("ja", "そうですか", "そうですか"),
    ],
)
def test_a_part_of_a_sentence_gets_no_capital_in_front_and_no_stop_behind(language, heard, written):
    assert polish(heard, language=language, begins=False, ends=False) == written


def test_well_written_text_stays_as_it_is():
    for language, text in (
        ("en", "Good morning. I'm Dr. Smith (really), and this is e.g. “fine”: 3.5 p.m. is OK!"),
        ("zh", "大家好！我用 Qwen3-ASR 1.7B，准确率是97.5%。真的吗？“当然。”"),
        ("fr", "Bonjour\u00a0! Ça va\u00a0? L'été, c'est fini."),
        ("ja", "今日は、いい天気ですね。「はい」"),
    ):
        assert polish(text, language=language) == text


def test_without_a_language_only_blanks_are_tidied():
    assert polish("  hello \n world ,好 ", language=None) == "hello world ,好"
    assert polish(" ", language="zh") == ""


MESSY = [
    "大家好 歡迎,使用Python3.5 版 . 你 好 ?yes(no) , 10:30 ...",
    "hello ,world .this is i.e. a test!really… ok i'm J. Smith.And you ? é ß",
    '今日は,OK です ... (笑) "はい"',
    "«bonjour» ! ça,va ;bien : 3,5 % e.g.x",
]


@pytest.mark.parametrize("language", ["zh", "yue", "ja", "en", "fr", "de", "th", "hi", "ko", None])
@pytest.mark.parametrize("text", MESSY)
def test_no_letter_or_digit_is_ever_added_lost_or_moved(text, language):
    def said(written):
        return "".join(
            character.casefold()
            for character in written
            if unicodedata.category(character)[0] in "LMN"
        )

    polished = polish(text, language=language)
    assert said(polished) == said(text)
    assert polish(polished, language=language) == polished
