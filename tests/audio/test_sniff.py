from __future__ import annotations

import pytest

from tests.audio.made import DATA, KINDS, Kind, encode, tone
from transcription.audio.sniff import sniff


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_promised_format_is_guessed_from_its_first_bytes(kind: Kind) -> None:
    guess = sniff(encode(kind, tone(1, rate=kind.rate))[:4096])
    assert guess is not None
    assert guess.extension == kind.extension
    assert guess.content_type.split("/")[0] in ("audio", "video")


def test_wideband_amr_is_told_from_narrowband() -> None:
    guess = sniff((DATA / "tone_440hz_1s.amr").read_bytes())
    assert guess is not None
    assert (guess.extension, guess.content_type) == ("amr", "audio/amr-wb")


@pytest.mark.parametrize(
    ("head", "extension", "content_type"),
    [
        (b"ID3\x04\x00\x00\x00\x00\x00\x00", "mp3", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "mp3", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "aac", "audio/aac"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "wav", "audio/wav"),
        (b"\x00\x00\x00\x18ftyp3gp4\x00\x00", "3gp", "video/3gpp"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00", "mp4", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00", "mov", "video/quicktime"),
        (b"\x00\x00\x00\x08wide\x00\x00\x10\x00mdat", "mov", "video/quicktime"),
    ],
)
def test_known_beginnings(head: bytes, extension: str, content_type: str) -> None:
    guess = sniff(head)
    assert guess is not None
    assert (guess.extension, guess.content_type) == (extension, content_type)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff",
        b"Dear Sir or Madam",
        b"\xff\xfe\x41\x00B\x00",  # UTF-16 text with a byte order mark
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
        b"\xff\xff\xff\xff\xff\xff",
        b"RIFF\x00\x00\x00\x00AVI LIST",
        bytes(4096),
    ],
    ids=["nothing", "one byte", "text", "utf-16", "jpeg", "ones", "avi", "zeros"],
)
def test_what_is_no_recording_is_not_guessed_at(head: bytes) -> None:
    assert sniff(head) is None
