"""Files that cannot be transcribed: each its own code, and none of them any harm."""

from __future__ import annotations

import os
import pickle
import socket
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from tests.audio.conftest import DecodeBytes
from tests.audio.made import (
    encode,
    flac_silence,
    kind_named,
    tone,
    video_without_sound,
    wav_bytes,
)
from transcription.audio.decode import DecodeLimits, Decoder
from transcription.audio.errors import ERROR_CODES, AudioError


def code_of(decode: DecodeBytes, content: bytes, **kwargs: object) -> str:
    with pytest.raises(AudioError) as caught:
        decode(content, **kwargs)
    return caught.value.code


def test_an_empty_file_is_refused(decode: DecodeBytes) -> None:
    assert code_of(decode, b"") == "empty_file"


@pytest.mark.parametrize(
    "content",
    [
        b"Dear Sir or Madam,\nplease find the recording attached.\n" * 50,
        b"\x00" * 5_000,
        b"%PDF-1.7\n" + b"\x01\x02\x03\x04" * 500,
        b"PK\x03\x04" + b"\x14\x00" * 900,
        b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + b"\x01" * 500,
        b"\xff",
    ],
    ids=["text", "zeros", "pdf", "zip", "png", "one byte"],
)
def test_what_is_no_recording_is_refused_whatever_its_name(
    content: bytes, decode: DecodeBytes
) -> None:
    assert code_of(decode, content, name="speech.wav") == "not_audio"


def test_random_bytes_are_refused(decode: DecodeBytes) -> None:
    content = np.random.default_rng(5).bytes(20_000)
    assert code_of(decode, content) in ("not_audio", "damaged_audio")


def test_a_video_without_sound_is_refused(decode: DecodeBytes) -> None:
    assert code_of(decode, video_without_sound()) == "no_audio_track"


def test_an_mp4_without_its_index_is_called_damaged(decode: DecodeBytes) -> None:
    whole = encode(kind_named("mp4 with picture"), tone(3, rate=48_000))
    assert whole.find(b"moov") > len(whole) // 2  # the index is at the end
    with pytest.raises(AudioError, match="was cut off before it was complete") as caught:
        decode(whole[: len(whole) // 2])
    assert caught.value.code == "damaged_audio"


def test_a_header_without_sound_is_too_short(decode: DecodeBytes) -> None:
    assert code_of(decode, wav_bytes(tone(0))) == "audio_too_short"


def test_ten_milliseconds_are_too_short(decode: DecodeBytes) -> None:
    with pytest.raises(AudioError, match=r"is 0\.01 seconds long; at least 0\.1") as caught:
        decode(wav_bytes(tone(0.01)))
    assert caught.value.code == "audio_too_short"


def test_packets_of_nonsense_are_called_damaged(decode: DecodeBytes) -> None:
    kind = kind_named("flac")
    content = bytearray(encode(kind, tone(2, rate=kind.rate)))
    content[200:] = b"\xff\xf8" * ((len(content) - 200) // 2)
    assert code_of(decode, bytes(content)) == "damaged_audio"


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
def test_a_day_of_silence_in_a_small_file_is_too_long_at_once(
    declared: bool, decode: DecodeBytes
) -> None:
    content = flac_silence(24 * 3600, declared=declared)
    assert len(content) < 160_000
    begun = time.monotonic()
    assert code_of(decode, content) == "audio_too_long"
    assert time.monotonic() - begun < 5


def test_the_limit_holds_for_samples_whatever_the_header_says(tmp_path: Path) -> None:
    # 40 s, and the header says 10.
    content = bytearray(flac_silence(40))
    total = 10 * 8_000
    content[21:26] = (int.from_bytes(content[21:26], "big") >> 36 << 36 | total).to_bytes(5, "big")
    path = tmp_path / "liar.flac"
    path.write_bytes(content)
    received: list[int] = []
    with (
        Decoder(DecodeLimits(max_duration_seconds=20)) as decoder,
        decoder.decode(path) as decoding,
    ):
        assert decoding.info.declared_duration_seconds == 10
        with pytest.raises(AudioError) as caught:
            received.extend(len(block) for block in decoding)
    assert caught.value.code == "audio_too_long"
    assert "longer than the limit of 20 seconds" in str(caught.value)
    assert 0 < sum(received) <= 20 * 16_000


def test_a_header_that_declares_too_much_is_not_believed_either(tmp_path: Path) -> None:
    content = bytearray(flac_silence(16))
    content[21:26] = (
        int.from_bytes(content[21:26], "big") >> 36 << 36 | 100 * 3600 * 8_000
    ).to_bytes(5, "big")
    path = tmp_path / "boaster.flac"
    path.write_bytes(content)
    with Decoder() as decoder, decoder.decode(path) as decoding:
        assert sum(len(block) for block in decoding) == pytest.approx(16 * 16_000, abs=16_000)
    assert decoding.report.warnings == ("partial_audio",)


@pytest.mark.parametrize(("rate", "channels"), [(1, 1), (16_000, 60_000), (4_000_000, 1)])
def test_absurd_parameters_are_called_damaged(
    rate: int, channels: int, decode: DecodeBytes
) -> None:
    content = bytearray(wav_bytes(tone(1)))
    content[22:24] = struct.pack("<H", channels)
    content[24:28] = struct.pack("<I", rate)
    content[32:34] = struct.pack("<H", channels * 2 % 65_536)
    assert code_of(decode, bytes(content)) == "damaged_audio"


def test_what_is_not_a_plain_file_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    real = tmp_path / "real.wav"
    real.write_bytes(wav_bytes(tone(1)))
    link = tmp_path / "link.wav"
    link.symlink_to(real)
    folder = tmp_path / "folder.wav"
    folder.mkdir()
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    door = tmp_path / "door.wav"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(door))
        for path in (link, folder, pipe, door, Path(os.devnull)):
            with pytest.raises(AudioError, match="not a plain file") as caught:
                decoder.decode(path).__enter__()
            assert caught.value.code == "not_audio"


def test_errors_can_cross_a_process_border() -> None:
    error = AudioError("decoder_crashed", "It crashed. Try again.", detail="printed")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.code, str(copy), copy.detail, copy.retryable) == (
        "decoder_crashed",
        "It crashed. Try again.",
        "printed",
        True,
    )


def test_only_a_crash_of_the_decoder_is_worth_another_attempt() -> None:
    assert [code for code in sorted(ERROR_CODES) if AudioError(code, "").retryable] == [
        "decoder_crashed"
    ]
