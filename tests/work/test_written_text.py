"""From the words of the engine to written text: marks, segments and languages of a recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django_q.models import OrmQ

from transcription.models import Chunk, Transcription
from transcription.text.joining import Piece, join
from transcription.work import punctuating
from transcription.work.chores import finish_next
from transcription.work.finish import finish_these
from transcription.work.runtime import runtime

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh_worker")]

TINY_PUNCTUATION = Path(__file__).parent.parent / "punctuation" / "tiny-punct-cap-seg"


def heard(*chunks: tuple[str, float, list[str]], **fields: Any) -> Transcription:
    """A recording whose chunks, (language, seconds, segments), are all recognised."""
    row = Transcription.objects.create(
        status=Transcription.Status.PROCESSING,
        step=Transcription.Step.FINISH,
        state=Transcription.State.PENDING,
        **fields,
    )
    now = 0.0
    for language, seconds, texts in chunks:
        each = seconds / max(1, len(texts))
        Chunk.objects.create(
            transcription=row,
            start_sample=round(now * 16_000),
            end_sample=round((now + seconds) * 16_000),
            model_name="fake",
            state=Chunk.State.DONE,
            language=language,
            text="".join(texts) if language == "zh" else " ".join(texts),
            segments=[
                {
                    "start": now + at * each,
                    "end": now + (at + 1) * each,
                    "text": text,
                    "words": [{"start": now, "end": now + 1, "word": text, "probability": 0.9}],
                }
                for at, text in enumerate(texts)
            ],
        )
        now += seconds
    return row


def finished(row: Transcription) -> tuple[str, list[str]]:
    """Let the chores finish it: the text, and the texts of its segments."""
    assert finish_next(runtime())
    row.refresh_from_db()
    assert (row.status, row.step) == ("completed", "over")
    return row.text, [segment.text for segment in row.segments.order_by("index")]


@pytest.fixture
def tiny_model(settings: Any) -> Iterator[None]:
    settings.WEIGHTS_DIR = TINY_PUNCTUATION.parent
    settings.PUNCTUATION_MODEL = TINY_PUNCTUATION.name
    punctuating._load.cache_clear()
    yield
    punctuating._load.cache_clear()


SENTENCES = ("en", 6.0, ["hello friend how", "are you today"]), ("en", 3.0, ["i am fine", "thanks"])


@pytest.mark.parametrize(
    ("polish", "text", "segments"),
    [
        (
            "off",
            "hello friend how are you today i am fine thanks",
            ["hello friend how", "are you today", "i am fine", "thanks"],
        ),
        (
            "rules",
            "Hello friend how are you today I am fine thanks.",
            ["Hello friend how", "are you today", "I am fine", "thanks."],
        ),
        (
            "model",
            "Hello friend, how are you today? I am fine thanks.",
            ["Hello friend, how", "are you today?", "I am fine", "thanks."],
        ),
    ],
)
def test_text_and_segments_are_written_as_the_recording_wants_them(
    tiny_model: None, polish: str, text: str, segments: list[str]
) -> None:
    row = heard(*SENTENCES, polish=polish)
    assert finished(row) == (text, segments)
    assert row.warnings == []
    assert join([Piece(text=one, language="en") for one in segments]) == text
    # What the engine wrote is kept, and so are its words.
    [first, second] = row.chunks.order_by("start_sample")
    assert (first.text, second.text) == ("hello friend how are you today", "i am fine thanks")
    assert [raw["text"] for raw in first.segments] == ["hello friend how", "are you today"]
    assert [segment.words[0]["word"] for segment in row.segments.order_by("index")] == [
        "hello friend how",
        "are you today",
        "i am fine",
        "thanks",
    ]


def test_chinese_of_an_engine_that_leaves_marks_out(tiny_model: None) -> None:
    chunks = ("zh", 4.0, ["大家好", "欢迎 使用 语音识别"]), ("zh", 2.0, ["服务", "请 上传"])
    assert finished(heard(*chunks, polish="rules"))[0] == "大家好欢迎，使用，语音识别服务请，上传。"
    assert finished(heard(*chunks, polish="model"))[0] == (
        "大家好，欢迎，使用，语音识别服务。请，上传。"
    )


def test_a_lost_model_costs_the_marks_and_not_the_text(settings: Any, tmp_path: Path) -> None:
    settings.WEIGHTS_DIR = tmp_path
    row = heard(*SENTENCES, polish="model")
    assert finished(row)[0] == "Hello friend how are you today I am fine thanks."
    assert row.warnings == ["polished_by_rules"]


def test_a_model_that_takes_too_long_costs_the_marks_and_not_the_text(
    tiny_model: None, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr("transcription.work.finish.MODEL_LIMIT_SECONDS", -1.0)
    row = heard(*SENTENCES, polish="model")
    assert finished(row)[0] == "Hello friend how are you today I am fine thanks."
    assert row.warnings == ["polished_by_rules"]
    assert "had no time for more than 0 of" in caplog.text


def test_the_model_is_loaded_once_and_only_where_it_is_wanted(tiny_model: None) -> None:
    finished(heard(*SENTENCES, polish="rules"))
    assert punctuating._load.cache_info().currsize == 0
    for _ in range(3):
        finished(heard(*SENTENCES, polish="model"))
    assert punctuating._load.cache_info().misses == 1


def test_an_engine_worker_leaves_the_model_to_the_chores(tiny_model: None) -> None:
    with_model, by_rules = heard(*SENTENCES, polish="model"), heard(*SENTENCES, polish="rules")
    assert finish_these([with_model.pk, by_rules.pk], runtime()) == 1
    with_model.refresh_from_db()
    assert with_model.step == "finish"
    assert punctuating._load.cache_info().currsize == 0
    assert list(OrmQ.objects.values_list("key", flat=True)) == ["chores"]
    assert finished(with_model)[0].startswith("Hello friend, how")


def test_a_word_that_the_segments_of_an_engine_leave_out_is_still_in_the_text(caplog: Any) -> None:
    row = heard(("en", 3.0, ["we walk", "home"]), ("en", 2.0, ["then"]), polish="rules")
    Chunk.objects.filter(start_sample=0).update(text="we all walk home")
    assert finished(row) == ("We all walk home then.", ["We all walk home", "then."])
    first = row.segments.get(index=0)
    assert (first.start_seconds, first.end_seconds) == (0.0, 3.0)
    assert [word["word"] for word in first.words] == ["we walk", "home"]
    assert "it becomes one segment" in caplog.text


def test_a_segment_of_marks_alone_is_none_of_its_own() -> None:
    row = heard(("en", 3.0, ["well", "...", "yes"]), polish="rules")
    assert finished(row) == ("Well... yes.", ["Well...", "yes."])
    assert [segment.index for segment in row.segments.order_by("index")] == [0, 1]


def test_what_was_cancelled_has_no_stop_at_its_end() -> None:
    row = heard(("en", 3.0, ["we walk to the"]), polish="rules")
    Transcription.objects.update(status=Transcription.Status.CANCELLED)
    assert finish_next(runtime())
    row.refresh_from_db()
    assert (row.status, row.text) == ("cancelled", "We walk to the")


def test_a_mixed_recording_names_its_languages_by_their_share_of_the_speech() -> None:
    row = heard(
        ("en", 2.0, ["good morning."]),
        ("zh", 5.0, ["大家好,欢迎"]),
        ("fr", 1.0, ["bonjour."]),
        ("", 100.0, []),
        ("en", 1.0, ["thanks"]),
        polish="rules",
    )
    assert finished(row)[0] == "Good morning. 大家好，欢迎 bonjour. Thanks."
    assert row.language == "zh"
    assert row.languages == [
        {"language": "zh", "share": 0.556},
        {"language": "en", "share": 0.333},
        {"language": "fr", "share": 0.111},
    ]


def test_a_recording_without_speech_has_no_languages() -> None:
    row = heard(polish="rules")
    assert finished(row) == ("", [])
    assert (row.language, row.languages, row.warnings) == ("", [], ["no_speech"])
