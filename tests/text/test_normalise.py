import pytest

from transcription.text.normalise import normalise
from transcription.text.numerals import (
    chinese_number,
    english_number,
    english_ordinal,
    english_year,
    french_number,
    french_ordinal,
)


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("The Quick, brown FOX!", "the quick brown fox"),
        ("It's the dog’s", "its the dogs"),
        ("well-known — twice", "well known twice"),
        ("1, 2, 3.", "one two three"),
        ("25 or twenty-five", "twenty five or twenty five"),
        ("1,250,000", "one million two hundred fifty thousand"),
        ("one hundred and five or 105", "one hundred five or one hundred five"),
        ("salt and pepper", "salt and pepper"),
        ("3.14", "three point one four"),
        ("50%", "fifty percent"),
        ("$1,250.50", "one thousand two hundred fifty point five zero dollars"),
        ("the 21st and 3rd", "the twenty first and third"),
        ("in 1984, 1905, 2005, 2024", "in nineteen eighty four nineteen oh five "
         "two thousand five twenty twenty four"),
        ("007 and 4915123456789", "zero zero seven and " + " ".join(
            english_number(int(digit)) for digit in "4915123456789")),
        ("uh, um… yes", "uh um yes"),
    ],
)  # fmt: skip
def test_two_ways_to_write_the_same_english_are_levelled(written, compared):
    assert normalise(written, language="en") == compared


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("Bonjour\u00a0! L'ami…", "bonjour l ami"),
        ("un, deux, 3, 10", "un deux trois dix"),
        ("quatre-vingt-un, 81", "quatre vingt un quatre vingt un"),
        ("deux cents, 200", "deux cent deux cent"),
        ("vingt et un, 21", "vingt et un vingt et un"),
        ("1\u202f250,5\u00a0%", "mille deux cent cinquante virgule cinq pour cent"),
        ("1.250 €", "mille deux cent cinquante euros"),
        ("le 1er, la 1re, le 2e, la 9ème", "le premier la première le deuxième la neuvième"),
        ("Où ça ? ÉTÉ", "où ça été"),
    ],
)
def test_two_ways_to_write_the_same_french_are_levelled(written, compared):
    assert normalise(written, language="fr") == compared


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("你好，世界。", "你好世界"),
        ("歡迎 使用", "欢迎使用"),
        ("２５个", "二十五个"),
        ("2024年", "二零二四年"),
        ("二〇二四年", "二零二四年"),
        ("50%", "百分之五十"),
        ("3.5公斤", "三点五公斤"),
        ("兩百元，200元", "二百元二百元"),
        ("13812345678", "一三八一二三四五六七八"),
        ("我用 Python", "我用python"),
    ],
)
def test_two_ways_to_write_the_same_chinese_are_levelled(written, compared):
    assert normalise(written, language="zh") == compared


def test_other_languages_keep_their_digits_and_lose_case_and_marks():
    assert normalise("¿Qué, 25 AÑOS?", language="es") == "qué 25 años"
    assert normalise("今日は、３つ。", language="ja") == "今日は3つ"
    assert normalise("25 Grüße!", language=None) == "25 grüsse"


@pytest.mark.parametrize("language", ["en", "fr", "zh", "yue", "ja", "de", None])
def test_normalising_twice_changes_nothing_more(language):
    text = "It's 1,250.5% of $3 on the 21st — l'ami, 2024年 两百 和 Straße 1er 007"
    once = normalise(text, language=language)
    assert normalise(once, language=language) == once


def test_different_words_stay_different():
    assert normalise("au juge blond", language="fr") != normalise("aux juges blancs", language="fr")
    assert normalise("fifteen", language="en") != normalise("50", language="en")


def test_english_numbers_are_spoken():
    assert english_number(0) == "zero"
    assert english_number(13) == "thirteen"
    assert english_number(999_999) == ("nine hundred ninety nine thousand nine hundred ninety nine")
    assert [english_ordinal(n) for n in (1, 2, 12, 20, 100)] == [
        "first", "second", "twelfth", "twentieth", "one hundredth",
    ]  # fmt: skip
    assert [english_year(n) for n in (1900, 2000, 2010)] == [
        "nineteen hundred", "two thousand", "twenty ten",
    ]  # fmt: skip


def test_french_numbers_are_spoken():
    spoken = {
        16: "seize", 17: "dix sept", 61: "soixante et un", 70: "soixante dix",
        71: "soixante et onze", 80: "quatre vingt", 91: "quatre vingt onze", 100: "cent",
        1000: "mille", 2001: "deux mille un", 1_000_000: "un million",
    }  # fmt: skip
    assert {n: french_number(n) for n in spoken} == spoken
    assert [french_ordinal(n) for n in (4, 5, 9)] == ["quatrième", "cinquième", "neuvième"]


def test_chinese_numbers_are_spoken():
    spoken = {
        0: "零", 10: "十", 15: "十五", 110: "一百一十", 1001: "一千零一", 1010: "一千零一十",
        10_050: "一万零五十", 100_000: "十万", 12_345_678: "一千二百三十四万五千六百七十八",
        100_010_000: "一亿零一万", 1_000_200_030: "十亿零二十万零三十",
    }  # fmt: skip
    assert {n: chinese_number(n) for n in spoken} == spoken


@pytest.mark.parametrize("say", [english_number, french_number, chinese_number])
def test_every_number_has_a_reading_of_its_own(say):
    numbers = [*range(20_000), *range(990_000, 1_010_000, 7)]
    assert len({say(number) for number in numbers}) == len(numbers)


@pytest.mark.parametrize("say", [english_number, french_number, chinese_number])
def test_a_number_out_of_range_is_refused(say):
    with pytest.raises(ValueError, match="from 0 to"):
        say(-1)
    with pytest.raises(ValueError, match="from 0 to"):
        say(10**16)
