"""The written text of a file: segments and text agree, whatever the engine's habits."""

import random
from itertools import pairwise

import pytest

from transcription.text.characters import said
from transcription.text.joining import Piece, join
from transcription.text.polish import polish
from transcription.text.written import Stretch, same_words, text_of, written


def heard(*texts, language="en", pause=0.1):
    """Segments of two seconds with this pause between."""
    return [
        Stretch(
            text=text,
            language=language,
            start_seconds=at * (2.0 + pause),
            end_seconds=at * (2.0 + pause) + 2.0,
        )
        for at, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    ("language", "texts", "parts"),
    [
        # An engine without marks or capitals: a chunk's start is not the start of a sentence.
        ("en", ["we walk", "to the park", "then home"], ["We walk", "to the park", "then home."]),
        ("en", ["we walk .", "then home"], ["We walk.", "Then home."]),
        ("en", ["he said no.", "then i left!"], ["He said no.", "Then I left!"]),
        ("en", ["see dr.", "smith at", "noon"], ["See dr.", "smith at", "noon."]),
        ("de", ["das ist z.B.", "richtig"], ["Das ist z.B.", "richtig."]),
        ("fr", ["ça va", "? oui"], ["Ça va?", "Oui."]),
        ("ko", ["안녕하세요", "여러분"], ["안녕하세요", "여러분."]),
        ("th", ["สวัสดี", "ครับ"], ["สวัสดี", "ครับ"]),
        ("zh", ["今天天气,", "很好", "吗"], ["今天天气，", "很好", "吗？"]),
        ("zh", ["我用", "python", "写代码"], ["我用", "python", "写代码。"]),
        ("ja", ["今日は", ",いい天気"], ["今日は、", "いい天気。"]),
    ],
)
def test_a_cut_is_neither_the_start_nor_the_end_of_a_sentence(language, texts, parts):
    assert written(heard(*texts, language=language), complete=True) == parts


def test_the_end_of_the_text_so_far_is_no_end_of_a_sentence():
    assert written(heard("we walk", "to the"), complete=False) == ["We walk", "to the"]
    assert written(heard("我们", "走到", language="zh"), complete=False) == ["我们", "走到"]


def test_the_pause_of_a_chinese_speaker_is_a_comma_between_segments_as_within_one():
    texts = ["大家好", "欢迎 使用", "请上传。", "好的"]
    assert written(heard(*texts, language="zh", pause=0.8), complete=True) == [
        "大家好，",
        "欢迎，使用，",
        "请上传。",
        "好的。",
    ]
    # Cut where no silence was: the word may go on.
    assert written(heard("大家", "好", language="zh", pause=0.0), complete=True) == ["大家", "好。"]


def test_a_pause_in_a_language_with_spaces_gets_no_mark_however_long():
    assert written(heard("well i", "think so", pause=30.0), complete=True) == [
        "Well I",
        "think so.",
    ]


def test_whispers_capital_and_stop_at_a_cut_stay_as_it_heard_them():
    """Neither can be taken away safely: "To" may be a name's, and the stop may be right."""
    texts = ["We walk.", "To the park."]
    assert written(heard(*texts), complete=True) == texts
    texts = ["我们走。", "到公园去。"]
    assert written(heard(*texts, language="zh"), complete=True) == texts


def test_a_mark_that_a_cut_tore_off_is_not_written_twice():
    assert written(heard("That is all.", ", thank you."), complete=True) == [
        "That is all.",
        "Thank you.",
    ]
    assert written(heard("好的。", "，谢谢。", language="zh"), complete=True) == [
        "好的。",
        "谢谢。",
    ]
    assert written(heard("On.", ".NET and .5"), complete=True) == ["On.", ".NET and .5."]


def test_a_word_said_twice_at_a_cut_stays_twice():
    assert written(heard("no", "no", "no way"), complete=True) == ["No", "no", "no way."]


def test_where_the_language_changes_each_part_follows_its_own_rules():
    segments = [
        *heard("good morning.", "how are you", language="en"),
        *heard("你好,世界", language="zh"),
        *heard("fine", language="en"),
    ]
    parts = written(segments, complete=True)
    assert parts == ["Good morning.", "How are you", "你好，世界", "fine."]
    assert text_of(segments, parts) == "Good morning. How are you 你好，世界 fine."


def test_opening_marks_and_quotes_stay_with_the_words_they_open():
    texts = ["he said", '"yes" and', "(really)", '"no"', "then left"]
    assert written(heard(*texts), complete=True) == [
        "He said",
        '"yes" and',
        "(really)",
        '"no"',
        "then left.",
    ]
    assert written(heard("¿qué tal?", "¿bien?", language="es"), complete=True) == [
        "¿Qué tal?",
        "¿Bien?",
    ]


def test_a_segment_of_marks_alone_leaves_them_to_its_neighbour():
    assert written(heard("well", "...", "yes"), complete=True) == ["Well...", "", "yes."]
    assert written(heard("- -", "hello"), complete=True) == ["", "- - hello."]
    assert written(heard("...", "。"), complete=True) == ["...", ""]
    assert written([], complete=True) == []
    assert written(heard("", " "), complete=True) == ["", ""]


def test_a_punctuation_model_sees_the_running_text_of_each_language():
    seen = []

    def punctuate(text, language):
        seen.append((text, language))
        return text.replace("you i", "you? I")

    segments = [*heard("how are", "you", "i am fine"), *heard("好", language="zh")]
    assert written(segments, complete=True, punctuate=punctuate) == [
        "How are",
        "you?",
        "I am fine",
        "好。",
    ]
    assert seen == [("how are you i am fine", "en"), ("好", "zh")]


def test_a_punctuation_model_that_changes_a_word_is_not_believed(caplog):
    segments = [*heard("we walk"), *heard("走", language="zh")]
    parts = written(segments, complete=True, punctuate=lambda text, language: "we talk")
    assert parts == ["We walk", "走。"]
    assert "punctuation model changed words" in caplog.text
    assert "walk" not in caplog.text


# --- texts of any kind, cut anywhere ------------------------------------------------------------

SAMPLES = {
    "en": 'well ,i said "no" (twice). hello world . e.g. J. Smith paid $3.50, ok? yes!No… -- so',
    "zh": "大家好 歡迎,使用Python3.5 版 . 你 好 世 界 ?是(不)是,10:30...OK“好”的 1,000元 吗",
    "yue": "我哋 去食飯,好唔好?OK . 第3間 ,係咪",
    "ja": '今日は,OK です ... (笑) "はい" そうですか 3つ . 「行く」と',
    "fr": "«bonjour» ! ça,va ;bien : 3,5 % l'été… j'ai dit",
    "de": "das ist z.B. richtig .und dann ? die Straße ß hat 3.500 Häuser",
    "es": "¿qué tal? bien ¡hola! dijo. ¿sí",
    "ko": "안녕하세요 여러분. 오늘은,좋아요 ? 네",
    "th": "สวัสดีครับ วันนี้ อากาศดี 3 วัน",
    "my": "မင်္ဂလာပါ ကျေးဇူး တင်ပါတယ်",
    "hi": "नमस्ते दुनिया . क्या हाल है ? ठीक",
    "ar": "مرحبا بالعالم ،كيف الحال؟ جيد .",
    "el": "γεια σου ;τι κάνεις . ΟΔΟΣ Σίσυφος",
    "tr": "istanbul'da .İyi misin ?ılık",
    None: "hello ,world 好 . Привет",
}


def cut_anywhere(chance, text):
    """The text in pieces, cut between two words, or between two signs where there are none."""
    pieces, start = [], 0
    for at in range(1, len(text)):
        between_words = text[at] == " " or (ord(text[at]) > 0x2E7F and ord(text[at - 1]) > 0x2E7F)
        if between_words and chance.random() < 0.25:
            pieces.append(text[start:at])
            start = at
    return [*pieces, text[start:]]


def any_file(chance):
    """Segments of one to four languages, with pauses of any length."""
    segments, now = [], 0.0
    for _ in range(chance.randint(1, 4)):
        language = chance.choice(list(SAMPLES))
        for text in cut_anywhere(chance, SAMPLES[language]):
            now += chance.choice([0.0, 0.0, 0.2, 0.7, 5.0])
            segments.append(
                Stretch(text=text, language=language, start_seconds=now, end_seconds=now + 1.5)
            )
            now += 1.5
    return segments


@pytest.mark.parametrize("seed", range(40))
def test_the_segments_joined_are_the_text_and_every_segment_has_its_own_words(seed):
    chance = random.Random(seed)
    for _ in range(25):
        segments = any_file(chance)
        complete = chance.random() < 0.5
        parts = written(segments, complete=complete)
        for segment, part in zip(segments, parts, strict=True):
            assert said(part) == said(segment.text)
            assert part == part.strip()
        text = text_of(segments, parts)
        assert text == join(
            [
                Piece(text=part, language=segment.language)
                for segment, part in zip(segments, parts, strict=True)
            ]
        )
        assert same_words(text, "".join(segment.text for segment in segments))


WITH_SPACES = {
    "en": "well, i said so. then we left; he stayed! why? e.g. for J. Smith (really) at 3.5 p.m.",
    "fr": "ça va, dit-il. l'été est fini… j'ai dit non! pourquoi? parce que",
    "de": "das ist z.B. richtig. und dann? die Straße ß hat 3.500 Häuser",
    "tr": "istanbul'da. iyi misin? ılık bir gün",
    "ko": "안녕하세요 여러분. 오늘은 좋아요? 네",
    "hi": "नमस्ते दुनिया। क्या हाल है? ठीक",
    "ar": "مرحبا بالعالم، كيف الحال؟ جيد",
    "el": "γεια σου. τι κάνεις; ΟΔΟΣ Σίσυφος",
}


@pytest.mark.parametrize("language", WITH_SPACES)
def test_wherever_a_text_with_spaces_is_cut_it_is_written_as_if_it_were_not(language):
    chance = random.Random(7)
    text = WITH_SPACES[language]
    whole = polish(text, language=language)
    assert whole != text
    for _ in range(100):
        pieces: list[str] = []
        for word in text.split(" "):
            if pieces and chance.random() < 0.6:
                pieces[-1] += f" {word}"
            else:
                pieces.append(word)
        segments = heard(*pieces, language=language, pause=chance.choice([0.0, 3.0]))
        assert text_of(segments, written(segments, complete=True)) == whole


CHINESE = "今天天气很好，我们去公园3次。用 Python 写代码，对不对"


def test_wherever_a_chinese_text_is_cut_without_a_pause_it_is_written_as_if_it_were_not():
    chance = random.Random(8)
    whole = polish(CHINESE, language="zh")
    assert whole == CHINESE + "？"
    for _ in range(200):
        # Between any two signs, but not inside a Latin word.
        cuts = [at for at in range(1, len(CHINESE)) if not CHINESE[at - 1 : at + 1].isascii()]
        at = [0, *sorted(chance.sample(cuts, chance.randint(1, 8))), len(CHINESE)]
        pieces = [CHINESE[a:b] for a, b in pairwise(at)]
        segments = heard(*pieces, language="zh", pause=0.0)
        assert text_of(segments, written(segments, complete=True)) == whole


def test_qwen3_asr_ends_every_chunk_with_a_mark_and_nothing_is_doubled_or_lost():
    segments = [
        *heard("大家好，欢迎使用语音识别服务。", "请上传录音文件，", language="zh"),
        *heard("然后等待，识别结果？", language="zh"),
        *heard("Hello, and thanks.", "Goodbye!", language="en"),
    ]
    parts = written(segments, complete=True)
    assert parts == [segment.text for segment in segments]
    assert text_of(segments, parts) == (
        "大家好，欢迎使用语音识别服务。请上传录音文件，然后等待，识别结果？"
        "Hello, and thanks. Goodbye!"
    )
