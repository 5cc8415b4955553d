"""Errors are pooled by language; two runs are compared file by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from transcription.management import evaluation_report as report
from transcription.management.evaluation import Run, compare, score
from transcription.management.local import Completed, Failed, Loaded
from transcription.management.manifest import Entry
from transcription.text.exports import Transcript
from transcription.text.scoring import differences

LOADED = Loaded(name="m", device="cpu", dtype="int8", load_seconds=1.0)


def run_of(
    *files: tuple[str, str | None, str | None], label: str = "m", heard: str | None = None
) -> Run:
    """A run over (reference, language, recognised text; None: it failed)."""
    scored = []
    for number, (reference, language, text) in enumerate(files):
        entry = Entry(
            line=number + 1, path=Path(f"{number}.wav"), text=reference, language=language
        )
        outcome: Completed | Failed = Failed(number=number, code="not_audio", words="no")
        if text is not None:
            outcome = Completed(
                number=number,
                transcript=Transcript(
                    text=text, language=heard or language, duration_seconds=10.0, segments=()
                ),
                model="m",
                engine_seconds=0.5,
                warnings=(),
            )
        scored.append(score(entry, outcome))
    return Run(
        label=label,
        loaded=(LOADED,),
        files=tuple(scored),
        seconds=4.0,
        peak_bytes=100_000_000,
        detected=True,
    )


def test_chinese_is_counted_in_characters_and_english_in_words() -> None:
    chinese, english = run_of(
        ("你好世界", "zh", "你好,世间。"), ("The cat sat.", "en", "the cat sat down")
    ).files
    assert (chinese.unit, english.unit) == ("character", "word")
    assert chinese.count is not None
    assert english.count is not None
    assert (chinese.count.substitutions, chinese.count.reference_length) == (1, 4)
    assert (english.count.insertions, english.count.reference_length) == (1, 3)


def test_a_reference_without_a_language_is_counted_as_it_is_written() -> None:
    units = [
        one.unit
        for one in run_of(
            ("你好 Django", None, ""), ("สวัสดี", None, ""), ("hello 你", None, ""), ("", None, "")
        ).files
    ]
    assert units == ["word", "character", "word", "word"]


def test_errors_are_pooled_by_language_and_in_all() -> None:
    run = run_of(
        ("one", "en", "won"),
        ("a b c d e f g h i", "en", "a b c d e f g h i"),
        ("你好", "zh", "你"),
        ("x", "en", None),
    )
    english, chinese = run.by_language()
    assert (english.language, english.files, english.failed) == ("en", 3, 1)
    assert english.rate == pytest.approx(0.1)
    assert chinese.rate == pytest.approx(0.5)
    everything = run.overall()
    assert everything.rate == pytest.approx(2 / 12)
    assert everything.unit is None
    assert [one.entry.line for one in run.failures] == [4]


def test_words_where_nothing_was_said_are_errors_without_a_rate() -> None:
    run = run_of(("", "en", "thank you for watching"), heard="cy")
    [english] = run.by_language()
    assert (english.count.insertions, english.rate) == (4, None)
    assert any("  -  " in line for line in report.summary_table(run))


def test_languages_that_were_mistaken_are_named() -> None:
    run = run_of(("hello", "en", "hello"), ("good", "en", ""), ("x", None, "x"), heard="cy")
    assert run.confusion() == [("en", "cy", 2)]
    said = list(report.confusion_table(run))
    assert said[0] == "languages heard rightly: 0 of 2 files (0.0%)"
    assert said[2].split() == ["en", "cy", "2"]
    unnamed = run_of(("x", None, "x"), heard="en")
    assert list(report.confusion_table(unnamed)) == [
        "The manifest names no languages to compare those that were heard with."
    ]


def test_the_worst_files_show_where_they_went_wrong() -> None:
    run = run_of(
        ("all is well", "en", "all is well"),
        ("the cat sat here", "en", "the hat sat here now"),
        ("今天天气好", "zh", "今天气好"),
    )
    assert [one.entry.line for one in run.worst(5)] == [2, 3]
    shown = list(report.worst_lines(run.worst(5)))
    assert shown[0] == "1.wav (line 2), 50.00%:"
    assert shown[1].strip() == "the [-cat-]{+hat+} sat here {+now+}"
    assert shown[3].strip().replace("[-天-]", "") == "今天气好"


def test_two_runs_are_compared_over_the_files_that_both_brought_to_an_end() -> None:
    right = [("a b", "en", "a b")] * 19
    first = run_of(("a b", "en", "x y"), *right, ("a b", "en", None), label="old")
    second = run_of(("a b", "en", "a y"), *right, ("a b", "en", "z z"), label="new")
    found = compare(first, second)
    assert (found.files, found.better, found.worse) == (20, 1, 0)
    assert found.difference == pytest.approx(-1 / 40)
    assert found.interval is not None
    low, high = found.interval
    assert low <= -1 / 40 <= high <= 0.0
    shown = "\n".join(report.side_by_side([first, second]))
    assert "new over old: -2.50% errors, 95 % between" in shown
    assert "1 of 20 files better, 0 worse" in shown


def test_an_interval_needs_some_recordings_and_is_the_same_every_time() -> None:
    few = run_of(*[("a b", "en", "a x")] * 9)
    assert few.overall().interval is None
    many = run_of(*[("a b", "en", "a x"), ("a b", "en", "a b")] * 10)
    interval = many.overall().interval
    assert interval is not None
    assert 0.0 < interval[0] < 0.25 < interval[1] < 0.5
    assert interval == many.overall().interval


def test_an_alignment_says_what_was_said_and_what_was_heard() -> None:
    parts = differences("Five cats sat.", "5 bats sat, really", language="en", unit="word")
    assert [(one.said, one.recognised) for one in parts] == [
        ("five", "five"),
        ("cats", "bats"),
        ("sat", "sat"),
        ("", "really"),
    ]
