"""Downloads go on where they broke, and end with the right number of bytes or an error."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.weights.hub import Hub, running_hub
from transcription.weights.download import DownloadError, download

CONTENT = random.Random(1).randbytes(3_000_000)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub({"/file": CONTENT}) as running:
        yield running


def fetch(hub: Hub, partial: Path, *, size_bytes: int | None = len(CONTENT)) -> list[int]:
    seen: list[int] = []
    download(
        f"{hub.url}/file",
        partial,
        size_bytes=size_bytes,
        progress=lambda done, total: seen.append(done),
        timeout_seconds=5,
        pause_seconds=0,
    )
    return seen


def test_a_file_comes_whole_and_progress_is_told(hub: Hub, tmp_path: Path) -> None:
    seen = fetch(hub, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert seen[-1] == len(CONTENT)
    assert seen == sorted(seen)


def test_a_broken_connection_goes_on_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    hub.breaks = [1_000_000, 500_000]
    fetch(hub, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert [asked for _, asked in hub.asked] == ["", "bytes=1000000-", "bytes=1500000-"]


def test_what_an_earlier_run_left_is_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT[:2_000_000])
    fetch(hub, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert hub.asked == [("/file", "bytes=2000000-")]


def test_a_file_that_is_sent_on_to_another_server_is_gone_on_with_there(
    hub: Hub, tmp_path: Path
) -> None:
    """As Hugging Face does with every large file."""
    with running_hub({}) as front:
        front.moved["/file"] = f"{hub.url}/file"
        hub.breaks = [1_000_000]
        fetch(front, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert hub.asked == [("/file", ""), ("/file", "bytes=1000000-")]


def test_a_whole_file_is_not_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT)
    fetch(hub, tmp_path / "part")
    assert hub.asked == []


def test_a_server_without_ranges_is_read_from_the_beginning(hub: Hub, tmp_path: Path) -> None:
    hub.knows_ranges = False
    (tmp_path / "part").write_bytes(b"x" * 2_000_000)
    fetch(hub, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_leftover_longer_than_the_file_is_thrown_away(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"x" * (len(CONTENT) + 1))
    fetch(hub, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_leftover_longer_than_a_file_of_unknown_size_is_thrown_away(
    hub: Hub, tmp_path: Path
) -> None:
    (tmp_path / "part").write_bytes(b"x" * (len(CONTENT) + 1))
    fetch(hub, tmp_path / "part", size_bytes=None)
    assert (tmp_path / "part").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_tired_server_is_asked_again(hub: Hub, tmp_path: Path, status: int) -> None:
    hub.statuses = [status, status]
    fetch(hub, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_server_that_stays_tired_is_given_up(hub: Hub, tmp_path: Path) -> None:
    hub.statuses = [503] * 20
    with pytest.raises(DownloadError, match="503"):
        fetch(hub, tmp_path / "part")
    assert len(hub.asked) == 4


def test_a_missing_file_is_not_asked_for_twice(hub: Hub, tmp_path: Path) -> None:
    del hub.files["/file"]
    with pytest.raises(DownloadError, match="404"):
        fetch(hub, tmp_path / "part")
    assert len(hub.asked) == 1


def test_a_file_of_another_size_is_refused_before_it_is_read(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="3,000,000 bytes, but 10 are right"):
        fetch(hub, tmp_path / "part", size_bytes=10)
    assert not (tmp_path / "part").exists()


def test_a_server_that_sends_more_than_the_file_is_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.says_length = False
    with pytest.raises(DownloadError, match="more than its 10 bytes"):
        fetch(hub, tmp_path / "part", size_bytes=10)
    assert (tmp_path / "part").stat().st_size <= 10


def test_a_file_cut_short_without_a_length_is_noticed(hub: Hub, tmp_path: Path) -> None:
    hub.says_length = False
    hub.breaks = [1_000_000]
    fetch(hub, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_nobody_listening_is_an_error_with_the_address(tmp_path: Path) -> None:
    with running_hub({}) as gone:
        url = gone.url
    with pytest.raises(DownloadError, match=url):
        download(
            url + "/file",
            tmp_path / "part",
            size_bytes=None,
            progress=lambda done, total: None,
            pause_seconds=0,
        )


def test_only_http_is_spoken(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(DownloadError, match="https://"):
        download(
            (tmp_path / "secret").as_uri(),
            tmp_path / "part",
            size_bytes=None,
            progress=lambda done, total: None,
        )
