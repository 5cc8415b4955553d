import pytest

from transcription.text.joining import Piece, Share, join, language_shares


def joined(*texts: str, language: str | None) -> str:
    return join([Piece(text=text, language=language) for text in texts])


def test_english_chunks_are_joined_by_one_space():
    assert joined("We walk", "to the park.", "Then home.", language="en") == (
        "We walk to the park. Then home."
    )


def test_chinese_chunks_are_joined_without_a_space():
    assert (
        joined("今天天气", "很好，", "我们去公园。", language="zh") == "今天天气很好，我们去公园。"
    )


@pytest.mark.parametrize(
    ("left", "right", "language", "whole"),
    [
        ("今日は", "いい天気", "ja", "今日はいい天気"),
        ("我哋喺度", "食緊嘢", "yue", "我哋喺度食緊嘢"),
        ("สวัสดี", "ครับ", "th", "สวัสดีครับ"),
        ("ສະບາຍດີ", "ຂອບໃຈ", "lo", "ສະບາຍດີຂອບໃຈ"),
        ("សួស្តី", "អរគុណ", "km", "សួស្តីអរគុណ"),
        ("မင်္ဂလာပါ", "ကျေးဇူး", "my", "မင်္ဂလာပါကျေးဇူး"),
        ("བཀྲ་ཤིས་", "བདེ་ལེགས", "bo", "བཀྲ་ཤིས་བདེ་ལེགས"),
        ("안녕하세요", "여러분", "ko", "안녕하세요 여러분"),
        ("大韓", "民國", "ko", "大韓 民國"),
        ("Xin chào", "các bạn", "vi", "Xin chào các bạn"),
        ("Привет", "мир", "ru", "Привет мир"),
        ("नमस्ते", "दुनिया", "hi", "नमस्ते दुनिया"),
    ],
)
def test_each_language_has_its_own_spacing(left, right, language, whole):
    assert joined(left, right, language=language) == whole


@pytest.mark.parametrize(
    ("left", "right", "whole"),
    [
        ("我用", "Python", "我用 Python"),
        ("Python", "写代码", "Python 写代码"),
        ("open", "source 软件", "open source 软件"),
        ("一共", "3个", "一共3个"),
        ("2024", "年", "2024年"),
        ("你好。", "Hello", "你好。Hello"),
        ("OK.", "好的", "OK. 好的"),
        ("他说", "“你好”", "他说“你好”"),
        ("他说“你好”", "然后走了", "他说“你好”然后走了"),
        ("他说", "“Hello”", "他说“Hello”"),
    ],
)
def test_a_word_of_another_script_in_a_chinese_file_is_set_apart_sensibly(left, right, whole):
    assert joined(left, right, language="zh") == whole


def test_where_the_language_changes_the_characters_decide():
    pieces = [
        Piece(text="Good morning.", language="en"),
        Piece(text="大家好。", language="zh"),
        Piece(text="안녕하세요.", language="ko"),
    ]
    assert join(pieces) == "Good morning. 大家好。안녕하세요."


def test_a_mark_that_was_cut_off_its_word_goes_back_to_it():
    assert joined("that is all", ", thank you", language="en") == "that is all, thank you"
    assert joined("the platform", ".NET runs", language="en") == "the platform .NET runs"


def test_blanks_and_lines_inside_a_chunk_become_one_space():
    assert joined("  one \n two\t", "\u3000three", language="en") == "one two three"


def test_the_french_space_in_front_of_a_mark_stays():
    assert joined("Bonjour\u00a0!", "Ça va ?", language="fr") == "Bonjour\u00a0! Ça va ?"


def test_a_word_said_twice_at_a_cut_stays_twice():
    assert joined("yes", "yes", language="en") == "yes yes"


def test_chunks_without_text_leave_no_trace():
    assert joined("", "one", "  ", "two", "", language="en") == "one two"
    assert join([]) == ""
    assert joined("", " ", language="zh") == ""


def test_no_character_is_lost_or_added_but_spaces():
    texts = ["今天 is", "a good天", "3 天。", '"quoted"', "(そう)", "— right?"]
    assert joined(*texts, language=None).replace(" ", "") == "".join(texts).replace(" ", "")


def test_every_language_of_a_file_has_its_share_of_the_seconds_the_largest_first():
    heard = [("en", 4.0), ("zh", 9.0), (None, 100.0), ("en", 2.0), ("", 5.0)]
    assert language_shares(heard) == [
        Share(language="zh", share=0.6),
        Share(language="en", share=0.4),
    ]
    assert language_shares([]) == []
    assert language_shares([("cy", 0.0)]) == []


@pytest.mark.parametrize(
    "heard",
    [
        [("en", 1.0), ("zh", 1.0), ("fr", 1.0)],
        [("en", 3600.0), ("zh", 0.1)],
        [(code, 1.0) for code in ("en", "zh", "fr", "de", "es", "it", "ja")],
        [("en", 0.1 + 0.2), ("zh", 0.3)],
    ],
)
def test_shares_of_three_digits_add_up_to_one(heard):
    shares = language_shares(heard)
    assert round(sum(one.share for one in shares), 9) == 1.0
    assert [one.share for one in shares] == sorted((one.share for one in shares), reverse=True)
    assert {one.language for one in shares} == {language for language, _seconds in heard}
    total = sum(seconds for _language, seconds in heard)
    for one in shares:
        seconds = sum(seconds for language, seconds in heard if language == one.language)
        assert one.share == pytest.approx(seconds / total, abs=0.001)


def test_of_two_equal_languages_the_first_wins():
    heard = [("de", 2.0), ("en", 2.0)]
    assert [one.language for one in language_shares(heard)] == ["de", "en"]
