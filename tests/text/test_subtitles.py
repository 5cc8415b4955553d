import random
from itertools import pairwise

import pytest

from transcription.text.lines import columns, line_columns, units, wrap
from transcription.text.subtitles import MAX_CUE_SECONDS, TimedText, TimedWord, build_cues

ENGLISH = (
    "Good morning. Thank you for calling. The next train to the city leaves in the afternoon. "
    "Please bring your ticket and something warm to wear."
)
CHINESE = (
    "如果你正在开发一个会议记录App、在线教育平台的字幕功能，或者企业内部的知识管理工具，"
    "光靠界面远远不够。你可能已经试过用Qwen3-ASR跑通了本地界面，上传音频、点一下按钮、"
    "几秒后看到带标点的中文或英文文本，整个过程干净利落。"
)
THAI = "สวัสดีครับวันนี้อากาศดีมากเราจะไปเดินเล่นที่สวนสาธารณะด้วยกันแล้วกลับบ้านมากินข้าวเย็น"


def said(text, start_seconds=0.0, end_seconds=10.0, words=()):
    return TimedText(
        start_seconds=start_seconds, end_seconds=end_seconds, text=text, words=tuple(words)
    )


def words_of(*timed):
    return [
        TimedWord(start_seconds=start, end_seconds=end, text=text) for start, end, text in timed
    ]


def test_a_short_sentence_is_one_cue_with_its_own_times():
    [cue] = build_cues([said("Good morning.", 1.25, 2.5)])
    assert (cue.start_ms, cue.end_ms, cue.lines) == (1250, 2500, ("Good morning.",))


def test_a_long_segment_is_cut_at_the_ends_of_its_sentences():
    cues = build_cues([said(ENGLISH, 0.0, 8.5)])
    assert [" ".join(cue.lines) for cue in cues] == [
        "Good morning. Thank you for calling.",
        "The next train to the city leaves in the afternoon.",
        "Please bring your ticket and something warm to wear.",
    ]


def test_the_time_of_a_segment_is_shared_out_by_the_length_of_the_text():
    cues = build_cues([said(ENGLISH, 10.0, 18.5)])
    assert cues[0].start_ms == 10_000
    assert cues[-1].end_ms == 18_500
    assert all(earlier.end_ms == later.start_ms for earlier, later in pairwise(cues))
    share = len("Good morning. Thank you for calling. ") / len(ENGLISH)
    assert cues[0].end_ms == pytest.approx(10_000 + 8_500 * share, abs=1)


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, THAI, ENGLISH * 8, CHINESE * 8, "好" * 500])
def test_no_cue_has_more_than_two_lines_or_a_line_too_long_to_read(text):
    limit = line_columns(text)
    for cue in build_cues([said(text, 0.0, len(text) / 5)]):
        assert 1 <= len(cue.lines) <= 2
        assert all(columns(line) <= limit for line in cue.lines)


def test_a_line_of_chinese_has_twenty_signs_at_most_and_one_of_english_42_letters():
    assert {len(line) for cue in build_cues([said("好" * 400)]) for line in cue.lines} == {20}
    longest = max(len(line) for cue in build_cues([said("ab " * 400)]) for line in cue.lines)
    assert longest <= 42


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, THAI, "see https://example.org/" + "a" * 200])
def test_no_character_of_the_text_is_lost(text):
    cues = build_cues([said(text, 0.0, 30.0)])
    shown = "".join(line for cue in cues for line in cue.lines)
    assert shown.replace(" ", "") == text.replace(" ", "")


def test_no_cue_stays_longer_than_seven_seconds():
    for cue in build_cues([said(ENGLISH, 0.0, 60.0), said("Hello.", 60.0, 90.0)]):
        assert cue.end_ms - cue.start_ms <= MAX_CUE_SECONDS * 1000


def test_two_words_over_a_long_time_are_not_shown_one_by_one():
    [cue] = build_cues([said("Hello world.", 0.0, 20.0)])
    assert (cue.lines, cue.end_ms) == (("Hello world.",), 7000)


def test_times_of_words_decide_where_a_cue_begins_and_ends():
    words = words_of(
        (0.5, 1.0, "Good"),
        (1.0, 1.5, "morning"),
        (20.0, 20.5, "Good"),
        (20.5, 21.0, "night"),
        (21.0, 21.5, "everybody"),
    )
    cues = build_cues([said("Good morning. Good night, everybody.", 0.0, 25.0, words)])
    assert [(cue.start_ms, cue.end_ms, cue.lines) for cue in cues] == [
        (500, 1500, ("Good morning.",)),
        (20000, 21500, ("Good night, everybody.",)),
    ]


def test_times_of_words_are_believed_though_the_text_is_polished():
    words = words_of(
        (0.5, 1.0, "good"),
        (1.0, 1.5, "morning"),
        (20.0, 20.5, "“good"),
        (20.5, 21.0, "night,”"),
        (21.0, 21.5, "istanbul"),
    )
    cues = build_cues([said("Good morning. “Good night”, İstanbul.", 0.0, 25.0, words)])
    assert [(cue.start_ms, cue.end_ms, cue.lines) for cue in cues] == [
        (500, 1500, ("Good morning.",)),
        (20000, 21500, ("“Good night”, İstanbul.",)),
    ]
    words = words_of((1.0, 2.0, "大家好,"), (3.0, 4.0, "用Python"), (4.0, 5.0, "写."))
    [cue] = build_cues([said("大家好，用 Python 写。", 0.0, 6.0, words)])
    assert (cue.start_ms, cue.end_ms) == (1000, 5000)


def test_times_of_single_chinese_signs_are_used_too():
    words = words_of(
        *((n * 1.0, n * 1.0 + 0.5, sign) for n, sign in enumerate("今天天气真好我们一起走吧"))
    )
    cues = build_cues([said("今天天气真好。我们一起走吧！", 0.0, 12.0, words)])
    assert [(cue.start_ms, cue.end_ms) for cue in cues] == [(0, 5500), (6000, 11500)]


def test_words_that_no_longer_match_a_corrected_text_are_not_believed():
    words = words_of((9.0, 9.1, "God"), (9.1, 9.2, "mourning"))
    [cue] = build_cues([said("Good morning.", 0.0, 3.0, words)])
    assert (cue.start_ms, cue.end_ms) == (0, 3000)


def test_a_cue_gives_way_to_the_next_one_where_segments_overlap():
    cues = build_cues([said("First.", 0.0, 5.0), said("Second.", 3.0, 6.0)])
    assert [(cue.start_ms, cue.end_ms) for cue in cues] == [(0, 3000), (3000, 6000)]


def test_segments_in_any_order_come_out_by_time():
    cues = build_cues([said("Second.", 3.0, 6.0), said("First.", 0.0, 2.0)])
    assert [cue.lines[0] for cue in cues] == ["First.", "Second."]


def test_a_cue_of_a_moment_stays_a_second_where_nothing_follows():
    cues = build_cues([said("Yes.", 1.0, 1.1), said("No.", 1.5, 1.6)])
    assert [(cue.start_ms, cue.end_ms) for cue in cues] == [(1000, 1500), (1500, 2500)]


def test_a_segment_without_text_gives_no_cue():
    assert build_cues([said("  "), said("\n\t"), said("\x00")]) == []
    assert build_cues([]) == []


def test_control_characters_never_reach_a_cue():
    [cue] = build_cues([said("a\x00b\x1b[0m\r\n\r\nc\u2028d")])
    assert cue.lines == ("a b [0m c d",)


def test_whatever_times_an_engine_gives_cues_are_in_order_and_apart():
    chance = random.Random(2)
    for _ in range(100):
        segments = [
            said(
                chance.choice([ENGLISH, CHINESE, "Yes.", "好", THAI]),
                start := chance.choice([-3.0, 0.0, 0.0, chance.uniform(0, 60)]),
                start + chance.choice([-1.0, 0.0, 0.001, chance.uniform(0, 40)]),
            )
            for _ in range(chance.randint(1, 6))
        ]
        cues = build_cues(segments)
        assert cues[0].start_ms >= 0
        assert all(cue.start_ms < cue.end_ms for cue in cues)
        assert all(earlier.end_ms <= later.start_ms for earlier, later in pairwise(cues))


def test_a_line_never_begins_with_a_closing_mark_or_ends_with_an_opening_one():
    text = "他说：“这个（真的）很好！”，我们（大家）都同意。" * 6
    for limit in range(8, 44):
        for line in wrap(text, limit):
            assert line[0] not in "：”）！，。"
            assert line[-1] not in "“（"


def test_a_vowel_sign_is_never_parted_from_its_letter():
    for unit in units("ที่นี่เดินน้ำ" + "ខ្មែរ" + "नमस्ते", 40):
        assert unit[0] not in "\u0e35\u0e48\u0e34\u0e49ำ\u17d2\u17c2\u094d\u0947"
        assert unit[-1] not in "เ\u17d2"


def test_a_latin_word_inside_chinese_stays_whole():
    assert "Python" in units("我们用Python写代码", 40)


def test_two_lines_are_filled_evenly_and_rather_cut_after_a_comma():
    assert wrap("When it rains we stay at home, and when it does not", 42) == (
        "When it rains we stay at home,",
        "and when it does not",
    )
    assert wrap("one two three four five six seven eight nine ten", 42) == (
        "one two three four five",
        "six seven eight nine ten",
    )
