"""Small facts about a file's own bytes that tell whether its end is missing.

FFmpeg reads past most of this in silence. Each function is pure: bytes in, answer out.
"""

from __future__ import annotations

#: As much of a file's end as an Ogg page can fill.
OGG_TAIL_BYTES = 65_307
#: As much of a file's beginning as the other functions look at.
HEAD_BYTES = 4096

_ID3_HEADER_BYTES = 10
_OGG_HEADER_BYTES = 27
#: What programs write as a size that they do not know yet: SoX this and above, FFmpeg 2³² - 1.
_UNKNOWN_SIZE = 0x7FFFF000


def wav_is_streamed(head: bytes) -> bool:
    """Whether a WAV was written to a pipe, so that the size in its header means nothing.

    head: the first HEAD_BYTES of the file.
    """
    position = 12
    while position + 8 <= len(head):
        size = int.from_bytes(head[position + 4 : position + 8], "little")
        if head[position : position + 4] == b"data":
            return size == 0 or size >= _UNKNOWN_SIZE
        position += 8 + size + size % 2
    return False


def id3_size_bytes(head: bytes) -> int:
    """How long the ID3v2 tag is that an MP3 may begin with; 0 where there is none."""
    if head[:3] != b"ID3" or len(head) < _ID3_HEADER_BYTES:
        return 0
    size = 0
    for seven_bits in head[6:10]:
        size = size << 7 | seven_bits & 0x7F
    footer = _ID3_HEADER_BYTES if head[5] & 0x10 else 0
    return _ID3_HEADER_BYTES + size + footer


def mp3_declares_length(first_frame: bytes) -> bool:
    """Whether the first frame of an MP3 says how many frames there are (Xing, Info or VBRI).

    first_frame: the HEAD_BYTES behind the ID3v2 tag.
    """
    # Behind the frame's header and side information, which take 4 to 36 bytes.
    return any(mark in first_frame[:64] for mark in (b"Xing", b"Info", b"VBRI"))


def ogg_is_cut_off(tail: bytes) -> bool:
    """Whether an Ogg file ends in the middle of a page. tail: its last OGG_TAIL_BYTES."""
    page = tail[max(tail.rfind(b"OggS"), 0) :]
    if page[:4] != b"OggS":
        return False
    if len(page) < _OGG_HEADER_BYTES:
        return True
    segments = page[26]
    sizes = page[_OGG_HEADER_BYTES : _OGG_HEADER_BYTES + segments]
    return len(sizes) < segments or len(page) < _OGG_HEADER_BYTES + segments + sum(sizes)
