"""Sentences put together to utterances."""

from __future__ import annotations

from transcription.text.utterances import Sentence, Utterance, utterances


def sentence(start: float, end: float, text: str = "word.", language: str = "en") -> Sentence:
    return Sentence(start_seconds=start, end_seconds=end, text=text, language=language)


def spans(*sentences: Sentence) -> list[tuple[float, float, str]]:
    return [(one.start_seconds, one.end_seconds, one.text) for one in utterances(sentences)]


def test_neighbours_are_put_together_up_to_30_seconds() -> None:
    made = list(utterances([sentence(at, at + 9.9) for at in range(0, 60, 10)]))
    assert [one.text for one in made] == ["word. word. word."] * 2
    assert all(one.duration_seconds <= 30 for one in made)
    assert made[0].end_seconds <= made[1].start_seconds


def test_a_pause_and_a_language_are_borders() -> None:
    assert spans(
        sentence(1, 2), sentence(2.5, 3), sentence(5, 6), sentence(6, 7, "词。", "zh")
    ) == [(0.8, 3.2, "word. word."), (4.8, 6.0, "word."), (6.0, 7.2, "词。")]


def test_what_somebody_emptied_is_in_no_utterance() -> None:
    assert spans(sentence(0, 1), sentence(1, 2, " "), sentence(2, 3)) == [
        (0.0, 1.0, "word."),
        (2.0, 3.2, "word."),
    ]


def test_one_that_is_too_long_or_takes_no_time_is_left_out() -> None:
    assert spans(sentence(0, 31), sentence(31, 31), sentence(31.5, 32)) == [(31.3, 32.2, "word.")]
    assert list(utterances([])) == []


def test_it_knows_its_language() -> None:
    assert list(utterances([sentence(0, 30, "词。", "zh")])) == [
        Utterance(start_seconds=0.0, end_seconds=30.0, text="词。", language="zh")
    ]
