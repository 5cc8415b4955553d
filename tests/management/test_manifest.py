"""Manifests of other people's tools are read; bad lines are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from transcription.management.manifest import Entry, ManifestError, read_manifest


def manifest(folder: Path, content: str, name: str = "manifest.jsonl") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def read(folder: Path, content: str, name: str = "manifest.jsonl") -> list[Entry]:
    return read_manifest(manifest(folder, content, name))


def test_a_manifest_of_nemo_is_read(tmp_path: Path) -> None:
    [entry] = read(
        tmp_path,
        '{"audio_filepath": "a/b.wav", "duration": 1.5, "text": "good morning", "offset": 0.0}\n',
    )
    assert entry == Entry(line=1, path=tmp_path / "a" / "b.wav", text="good morning", language=None)


def test_names_and_languages_may_be_written_in_many_ways(tmp_path: Path) -> None:
    entries = read(
        tmp_path,
        '{"audio": "/data/a.wav", "text": "早", "language": "Chinese"}\n'
        "\n"
        '{"audio_path": "b.wav", "transcript": "hi", "lang": "en-US"}\n'
        '{"wav": "c.wav", "sentence": "", "lang": ""}\n',
    )
    assert [(one.line, one.path, one.text, one.language) for one in entries] == [
        (1, Path("/data/a.wav"), "早", "zh"),
        (3, tmp_path / "b.wav", "hi", "en"),
        (4, tmp_path / "c.wav", "", None),
    ]


def test_a_table_of_common_voice_is_read(tmp_path: Path) -> None:
    entries = read(
        tmp_path,
        'client_id\tpath\tsentence\tlocale\nx\tone.mp3\t"So," he said\tde\n',
        "test.tsv",
    )
    assert [(one.line, one.path.name, one.text, one.language) for one in entries] == [
        (2, "one.mp3", '"So," he said', "de")
    ]


def test_a_csv_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    content = '\ufeffAudio,Text\r\na.wav,"one, two\r\nthree"\r\nb.wav,four\r\n'
    entries = read(tmp_path, content, "list.csv")
    assert [(one.line, one.text) for one in entries] == [(2, "one, two\nthree"), (4, "four")]


def test_every_bad_line_is_named_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as found:
        read(
            tmp_path,
            '{"audio": "a.wav", "text": "fine"}\n'
            '{"audio": "b.wav", "text": "cut off\n'
            '["c.wav", "text"]\n'
            '{"audio": "d.wav"}\n'
            '{"text": "nothing to hear"}\n'
            '{"audio": "e.wav", "text": 5}\n'
            '{"audio": "", "text": "x"}\n'
            '{"audio": "f.wav", "text": "x", "language": "klingon"}\n'
            '{"audio": "g.wav", "text": "x", "offset": 12.5}\n',
        )
    head, *lines = str(found.value).splitlines()
    assert head.endswith("manifest.jsonl has lines that cannot be used:")
    assert [line.partition(":")[0] for line in lines] == [f"line {n}" for n in range(2, 10)]
    for line, words in zip(
        lines,
        [
            "no JSON",
            "expected an object",
            "it has no text or transcript",
            "it has no audio or audio_filepath",
            "'text' is 5, expected a text",
            "the name of the recording is empty",
            "the language 'klingon' is not known",
            "'offset' means a part of a recording",
        ],
        strict=True,
    ):
        assert words in line


def test_of_many_bad_lines_the_first_are_named_and_the_others_counted(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="…and 15 more") as found:
        read(tmp_path, '{"audio": "a.wav"}\n' * 25)
    assert "line 10:" in str(found.value)
    assert "line 11:" not in str(found.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("file,duration\na.wav,1\n", "line 1: the heading has no column text or"),
        ("audio,text\na.wav,one, two\n", "line 2: 3 columns, but the heading has 2"),
        ("", "lists no recordings"),
        ("audio,text\n", "lists no recordings"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        read(tmp_path, content, "list.csv")


def test_a_manifest_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read: No such file"):
        read_manifest(tmp_path / "none.jsonl")
    (tmp_path / "utf16.csv").write_bytes("audio,text\na.wav,早\n".encode("utf-16"))
    with pytest.raises(ManifestError, match="is not in UTF-8"):
        read_manifest(tmp_path / "utf16.csv")
