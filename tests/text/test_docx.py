"""A transcript as a Word document."""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree

import pytest

from transcription.text.docx import render_docx
from transcription.text.exports import Transcript
from transcription.text.subtitles import TimedText

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def transcript(*segments: tuple[float, str], language: str = "en", text: str = "") -> Transcript:
    return Transcript(
        text=text or " ".join(text for _, text in segments),
        language=language,
        duration_seconds=9.0,
        segments=tuple(
            TimedText(start_seconds=start, end_seconds=start + 1, text=text)
            for start, text in segments
        ),
    )


def parts_of(document: bytes) -> dict[str, ElementTree.Element]:
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        assert archive.testzip() is None
        return {name: ElementTree.fromstring(archive.read(name)) for name in archive.namelist()}


def lines_of(document: bytes) -> list[str]:
    root = parts_of(document)["word/document.xml"]
    return [
        "".join(text.text or "" for text in paragraph.iter(f"{W}t"))
        for paragraph in root.iter(f"{W}p")
    ]


def test_title_and_a_paragraph_with_its_time_for_each_segment() -> None:
    document = render_docx(transcript((0.0, "Hello."), (3723.4, "再见。")), title="Talk")

    assert lines_of(document) == ["Talk", "0:00  Hello.", "1:02:03  再见。"]


def test_every_part_that_is_named_is_there_and_the_content_types_come_first() -> None:
    parts = parts_of(render_docx(transcript((0.0, "Hello.")), title="Talk"))

    assert next(iter(parts)) == "[Content_Types].xml"
    named = {element.get("PartName", "").lstrip("/") for element in parts["[Content_Types].xml"]}
    assert named - {""} <= set(parts)
    styles = {style.get(f"{W}styleId") for style in parts["word/styles.xml"].iter(f"{W}style")}
    used = {
        style.get(f"{W}val")
        for tag in ("pStyle", "rStyle")
        for style in parts["word/document.xml"].iter(f"{W}{tag}")
    }
    assert used == {"Title", "Time"}
    assert used <= styles


@pytest.mark.parametrize("text", ["<w:p>&amp;", "]]>", "a\0b\x0b\ufffe", "\ud800"])
def test_no_text_breaks_the_document(text: str) -> None:
    kept = "".join(sign for sign in text if sign not in "\0\x0b\ufffe\ud800")

    document = render_docx(transcript((0.0, text)), title=text)

    assert lines_of(document)[1].removeprefix("0:00  ") == kept.strip()


def test_a_text_without_segments_is_one_paragraph_and_silence_none() -> None:
    assert lines_of(render_docx(transcript(text="Hello."), title="Talk")) == ["Talk", "Hello."]
    assert lines_of(render_docx(transcript(), title="Talk")) == ["Talk"]


def test_arabic_runs_from_right_to_left() -> None:
    root = parts_of(render_docx(transcript((0.0, "مرحبا"), language="ar"), title="t"))

    assert len(list(root["word/document.xml"].iter(f"{W}bidi"))) == 2


def test_the_same_transcript_is_the_same_file() -> None:
    one, two = (render_docx(transcript((0.0, "Hello.")), title="Talk") for _ in range(2))

    assert one == two
