"""A quick guess at what a file is, from its first bytes.

Good for the name and the content type under which an upload is stored, and for telling a
damaged recording from something that never was one. Never the authority: that is ``decode``.
"""

from __future__ import annotations

from dataclasses import dataclass

#: As many first bytes as the guess ever looks at.
SNIFF_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Sniffed:
    #: Without the dot: "wav", "mp3", "m4a"…
    extension: str
    #: As for an HTTP header: "audio/wav", "video/mp4"…
    content_type: str


def _guess(extension: str, content_type: str) -> Sniffed:
    return Sniffed(extension=extension, content_type=content_type)


def sniff(first_bytes: bytes) -> Sniffed | None:
    """Guess from the first bytes (4096 are plenty); None where nothing is recognised."""
    head = first_bytes[:SNIFF_BYTES]
    if head[:4] in (b"RIFF", b"RF64", b"RIFX") and head[8:12] == b"WAVE":
        return _guess("wav", "audio/wav")
    if head[:4] == b"OggS":
        return _sniff_ogg(head)
    if head[:4] == b"fLaC":
        return _guess("flac", "audio/flac")
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return _sniff_matroska(head)
    if head[:9] == b"#!AMR-WB\n":
        return _guess("amr", "audio/amr-wb")
    if head[:6] == b"#!AMR\n":
        return _guess("amr", "audio/amr")
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return _sniff_mp4(head)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _guess("aiff", "audio/aiff")
    if head[:4] == b"caff":
        return _guess("caf", "audio/x-caf")
    if head[:3] == b"ID3":
        return _guess("mp3", "audio/mpeg")
    return _sniff_frame_sync(head)


def _sniff_ogg(head: bytes) -> Sniffed:
    # The first page of an Ogg file holds the header of the codec, right behind the page's own.
    page = head[:256]
    if b"OpusHead" in page:
        return _guess("opus", "audio/ogg; codecs=opus")
    if b"theora" in page:
        return _guess("ogv", "video/ogg")
    return _guess("ogg", "audio/ogg")


def _sniff_matroska(head: bytes) -> Sniffed:
    if b"webm" in head[:64]:
        # Sound alone or with a picture: only the tracks further on would tell.
        return _guess("webm", "video/webm" if b"V_VP" in head else "audio/webm")
    return _guess("mkv", "video/x-matroska")


def _sniff_mp4(head: bytes) -> Sniffed:
    brand = head[8:12] if head[4:8] == b"ftyp" else b"qt  "
    if brand in (b"M4A ", b"M4B ", b"F4A "):
        return _guess("m4a", "audio/mp4")
    if brand == b"qt  ":
        return _guess("mov", "video/quicktime")
    if brand[:3] in (b"3gp", b"3g2"):
        return _guess(brand[:3].decode(), f"video/{'3gpp' if brand[2:3] == b'p' else '3gpp2'}")
    return _guess("mp4", "video/mp4")


def _sniff_frame_sync(head: bytes) -> Sniffed | None:
    """MPEG audio without a tag: eleven or twelve set bits, and no reserved value after them."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 3
    if layer == 0:
        adts = head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 15 <= 12
        return _guess("aac", "audio/aac") if adts else None
    if layer == 3:
        return None  # Layer I, which nobody uses: two of its bytes are UTF-16's byte order mark
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bitrate == 15 or rate == 3:
        return None
    return _guess("mp3", "audio/mpeg")
