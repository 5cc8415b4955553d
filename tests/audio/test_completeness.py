from __future__ import annotations

import struct

from tests.audio.made import encode, kind_named, tone, wav_bytes
from transcription.audio.completeness import (
    Timeline,
    id3_size_bytes,
    mp3_declares_length,
    ogg_is_cut_off,
    wav_is_streamed,
)


def test_a_wav_with_a_size_is_not_streamed() -> None:
    assert not wav_is_streamed(wav_bytes(tone(1)))


def test_sizes_that_programs_write_to_a_pipe_mean_streamed() -> None:
    for size in (0, 0x7FFFF000, 0xFFFFFFFF):
        content = bytearray(wav_bytes(tone(1)))
        content[40:44] = struct.pack("<I", size)
        assert wav_is_streamed(bytes(content)), hex(size)


def test_chunks_before_the_data_are_stepped_over() -> None:
    content = bytearray(wav_bytes(tone(1)))
    content[40:44] = b"\xff\xff\xff\xff"
    content[36:36] = b"LIST" + struct.pack("<I", 5) + b"INFO!\x00"  # odd: padded by one byte
    assert wav_is_streamed(bytes(content))


def test_a_header_without_data_is_not_called_streamed() -> None:
    assert not wav_is_streamed(wav_bytes(tone(1))[:36])
    assert not wav_is_streamed(b"")


def test_the_size_of_an_id3_tag_is_read_from_seven_bits_a_byte() -> None:
    assert id3_size_bytes(b"ID3\x04\x00\x00\x00\x00\x02\x01") == 10 + 257
    assert id3_size_bytes(b"ID3\x04\x00\x10\x00\x00\x02\x01") == 10 + 257 + 10
    assert id3_size_bytes(b"\xff\xfb\x90\x64" + bytes(20)) == 0
    assert id3_size_bytes(b"ID3") == 0


def test_an_mp3_with_a_count_of_frames_declares_its_length() -> None:
    whole = encode(kind_named("mp3"), tone(2, rate=44_100))
    first = whole[id3_size_bytes(whole) :]
    assert mp3_declares_length(first)
    assert not mp3_declares_length(first[2_000:])


def test_a_whole_ogg_file_is_not_cut_off_and_any_part_of_it_is() -> None:
    whole = encode(kind_named("ogg opus"), tone(3, rate=48_000))
    assert not ogg_is_cut_off(whole)
    last = whole.rfind(b"OggS")
    assert not ogg_is_cut_off(whole[:last])  # at the border of two pages
    for size in (last + 4, last + 20, last + 30, len(whole) - 1):
        assert ogg_is_cut_off(whole[:size]), size
    assert not ogg_is_cut_off(b"no pages at all")


def test_a_timeline_counts_gaps_but_not_a_late_beginning() -> None:
    timeline = Timeline()
    timeline.add(5.0, 0.02)
    timeline.add(5.02, 0.02)
    timeline.add(None, 0.02)
    timeline.add(7.0, 0.02)
    assert timeline.gaps == 1
    assert timeline.end_seconds == 7.02


def test_an_end_that_is_missing_is_told_from_padding() -> None:
    timeline = Timeline()
    timeline.add(0.0, 100.0)
    assert not timeline.ends_before(100.2)
    assert timeline.ends_before(100.5)
    assert not timeline.ends_before(90.0)
