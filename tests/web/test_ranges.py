"""Parts of a file: what a Range header asks for."""

from __future__ import annotations

import pytest

from transcription.web.ranges import (
    Span,
    UnsatisfiableRange,
    range_still_holds,
    requested_span,
    safe_content_type,
)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-99", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-", (90, 100)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("Bytes= 5-6 ", (5, 7)),
    ],
)
def test_a_range_is_a_part_of_the_file(header: str, span: tuple[int, int]) -> None:
    assert requested_span(header, 100) == Span(first=span[0], end=span[1])


@pytest.mark.parametrize(
    "header", ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-5", "lines=1-2",
               "bytes=0-1,5-6", "bytes=0-1,", "bytes=+1-2", "bytes=１-２"],
)  # fmt: skip
def test_what_is_no_single_range_of_bytes_gets_the_whole(header: str) -> None:
    assert requested_span(header, 100) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [("bytes=100-", 100), ("bytes=500-600", 100), ("bytes=-0", 100), ("bytes=0-", 0),
     ("bytes=-5", 0), (f"bytes={'9' * 5000}-", 100)],
)  # fmt: skip
def test_a_range_outside_the_file_cannot_be_satisfied(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableRange):
        requested_span(header, size)


@pytest.mark.parametrize(
    ("if_range", "holds"),
    [
        ("", True),
        ('"tag"', True),
        ('"other"', False),
        ('W/"tag"', False),
        ("Wed, 25 Nov 2026 19:42:08 GMT", True),
        ("Wed, 25 Nov 2026 19:42:09 GMT", False),
        ("nonsense", False),
    ],
)
def test_a_part_is_sent_only_of_the_file_that_the_rest_is_of(if_range: str, holds: bool) -> None:
    assert range_still_holds(if_range, etag='"tag"', modified_seconds=1795635728) is holds


@pytest.mark.parametrize("kind", ["audio/wav", "video/mp4", "audio/ogg; codecs=opus"])
def test_sound_and_video_keep_their_type(kind: str) -> None:
    assert safe_content_type(kind) == kind


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xml", ""])
def test_nothing_that_a_browser_would_run_keeps_its_type(kind: str) -> None:
    assert safe_content_type(kind) == "application/octet-stream"
