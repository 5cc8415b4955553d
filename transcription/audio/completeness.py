"""Small facts about a file that tell whether some of it is missing.

FFmpeg reads past most of this in silence. Plain bytes and numbers in, an answer out.
"""

from __future__ import annotations

#: As much of a file's end as an Ogg page can fill.
OGG_TAIL_BYTES = 65_307
#: As much of a file's beginning as the other functions look at.
HEAD_BYTES = 4096

_ID3_HEADER_BYTES = 10
_OGG_HEADER_BYTES = 27
#: Packets of a container without gaps that are further apart than this have lost one in between.
_GAP_SECONDS = 0.1
#: Decoding may end this much before the end that the container declares without being called cut
#: off: encoders pad, and headers round.
_END_TOLERANCE_SECONDS = 0.3
_END_TOLERANCE_SHARE = 0.001

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


class Timeline:
    """Follows the packets of a file: where they end, and where some of them are missing."""

    def __init__(self) -> None:
        self.end_seconds = 0.0
        """The end of the packet that reaches furthest."""
        self.gaps = 0
        """How often a packet began well after the end of the one before it."""
        self._begun = False

    def add(self, begin_seconds: float | None, lasting_seconds: float) -> None:
        """The next packet; begin_seconds None: right after the one before."""
        begin = self.end_seconds if begin_seconds is None else begin_seconds
        if self._begun and lasting_seconds and begin - self.end_seconds > _GAP_SECONDS:
            self.gaps += 1
        self._begun = self._begun or lasting_seconds > 0
        self.end_seconds = max(self.end_seconds, begin + lasting_seconds)

    def ends_before(self, expected_seconds: float) -> bool:
        """Whether more is missing at the end than encoders and headers are inexact."""
        tolerance = max(_END_TOLERANCE_SECONDS, expected_seconds * _END_TOLERANCE_SHARE)
        return expected_seconds - self.end_seconds > tolerance
