import json

import pytest

from transcription.text.exports import FORMATS, Transcript, UnknownExportFormat, render
from transcription.text.subtitles import TimedText, TimedWord

HELLO = Transcript(
    text="Hello there. 你好。",
    language="en",
    duration_seconds=3723.5,
    segments=(
        TimedText(
            start_seconds=0.5,
            end_seconds=1.75,
            text="Hello there.",
            words=(
                TimedWord(start_seconds=0.5, end_seconds=1.0, text="Hello"),
                TimedWord(start_seconds=1.0, end_seconds=1.75, text="there."),
            ),
        ),
        TimedText(start_seconds=3723.004, end_seconds=3725.1, text="你好。"),
    ),
)
SILENCE = Transcript(text="", language=None, duration_seconds=3.0, segments=())


def one_line(text):
    return Transcript(
        text=text,
        language="en",
        duration_seconds=2.0,
        segments=(TimedText(start_seconds=0.0, end_seconds=2.0, text=text),),
    )


def test_txt_is_the_text_and_a_line_break():
    assert render(HELLO, "txt") == "Hello there. 你好。\n"


def test_srt_numbers_its_cues_and_writes_a_comma_before_the_milliseconds():
    assert render(HELLO, "srt") == (
        "1\n00:00:00,500 --> 00:00:01,750\nHello there.\n"
        "\n"
        "2\n01:02:03,004 --> 01:02:05,100\n你好。\n"
    )


def test_vtt_has_its_heading_and_a_point_before_the_milliseconds():
    assert render(HELLO, "vtt") == (
        "WEBVTT\n"
        "\n00:00:00.500 --> 00:00:01.750\nHello there.\n"
        "\n01:02:03.004 --> 01:02:05.100\n你好。\n"
    )


def test_tsv_has_a_line_per_segment_in_milliseconds():
    assert render(HELLO, "tsv") == (
        "start\tend\ttext\n500\t1750\tHello there.\n3723004\t3725100\t你好。\n"
    )


def test_json_has_everything_with_chinese_as_chinese():
    written = render(HELLO, "json")
    assert "你好" in written
    document = json.loads(written)
    assert document == {
        "text": "Hello there. 你好。",
        "language": "en",
        "duration_seconds": 3723.5,
        "segments": [
            {
                "start": 0.5,
                "end": 1.75,
                "text": "Hello there.",
                "words": [
                    {"start": 0.5, "end": 1.0, "text": "Hello"},
                    {"start": 1.0, "end": 1.75, "text": "there."},
                ],
            },
            {"start": 3723.004, "end": 3725.1, "text": "你好。"},
        ],
    }


def test_text_that_looks_like_markup_is_shown_as_text_in_vtt():
    written = render(one_line("a <b>bold</b> & --> move"), "vtt")
    assert written.endswith("\na &lt;b&gt;bold&lt;/b&gt; &amp; --&gt; move\n")


def test_an_arrow_in_the_text_does_not_break_srt():
    assert render(one_line("a --> b"), "srt").splitlines()[2] == "a → b"


def test_a_tab_or_a_line_break_in_the_text_does_not_break_tsv():
    assert render(one_line("a\tb\r\nc"), "tsv") == "start\tend\ttext\n0\t2000\ta b c\n"


def test_an_empty_line_in_the_text_does_not_end_a_cue():
    assert render(one_line("a\n\nb"), "srt").splitlines()[2:] == ["a b"]


@pytest.mark.parametrize(
    ("name", "empty"),
    [("txt", ""), ("srt", ""), ("vtt", "WEBVTT\n"), ("tsv", "start\tend\ttext\n")],
)
def test_silence_gives_an_empty_file_of_the_right_form(name, empty):
    assert render(SILENCE, name) == empty


def test_silence_in_json_has_no_language():
    assert json.loads(render(SILENCE, "json"))["language"] is None


def test_an_unknown_format_is_refused_with_those_that_exist():
    with pytest.raises(UnknownExportFormat, match="txt, srt, vtt, tsv, json"):
        render(HELLO, "docx")


def test_every_format_names_its_media_type():
    assert {name: FORMATS[name].media_type for name in FORMATS} == {
        "txt": "text/plain",
        "srt": "application/x-subrip",
        "vtt": "text/vtt",
        "tsv": "text/tab-separated-values",
        "json": "application/json",
    }
