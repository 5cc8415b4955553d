import subprocess
import sys

import pytest

from transcription.text.scoring import (
    NothingToScore,
    character_error_rate,
    count_errors,
    usual_unit,
    word_error_rate,
)


def test_a_perfect_text_in_other_clothes_has_no_errors():
    pairs = [("One two three four.", "1, 2, 3, 4"), ("Hello world.", "hello, WORLD!")]
    assert word_error_rate(pairs, language="en") == 0.0


def test_errors_are_pooled_over_all_clips():
    pairs = [("wrong", "right"), ("a b c d e f g h i", "A, B, C, D, E, F, G, H, I.")]
    assert word_error_rate(pairs, language="en") == 0.1


def test_substitutions_deletions_and_insertions_are_told_apart():
    count = count_errors(
        [("the cat sat on the mat", "today the dog sat on mat")], language="en", unit="word"
    )
    assert (count.substitutions, count.deletions, count.insertions) == (1, 1, 1)
    assert (count.errors, count.reference_length) == (3, 6)


def test_chinese_is_counted_in_characters_whatever_its_script():
    assert usual_unit("zh") == "character"
    assert usual_unit("ko") == "word"
    assert character_error_rate([("你好世界。", "妳好 世界")], language="zh") == 0.25
    assert character_error_rate([("欢迎使用", "歡迎使用")], language="zh") == 0.0


def test_blanks_do_not_count_as_characters():
    assert character_error_rate([("to day", "today")], language="en") == 0.0


def test_words_heard_in_silence_count_against_the_whole():
    pairs = [("", "thank you"), ("one two three four", "one two three four")]
    assert word_error_rate(pairs, language="en") == 0.5


def test_without_any_reference_there_is_no_rate():
    with pytest.raises(NothingToScore):
        word_error_rate([("", "something")], language="en")
    with pytest.raises(NothingToScore):
        word_error_rate([], language="en")


def test_the_counting_library_is_not_needed_before_something_is_counted():
    program = "import sys, transcription.text.scoring; assert 'jiwer' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
