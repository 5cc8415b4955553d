"""Files that want more than to be decoded."""

from __future__ import annotations

import io
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from tests.audio.conftest import DecodeBytes
from tests.audio.made import DATA, KINDS, encode, kind_named, tone, wav_bytes
from transcription.audio.decode import Decoder
from transcription.audio.demux import OPEN_OPTIONS
from transcription.audio.errors import AudioError

ONE_OPTION = {name: {name: OPEN_OPTIONS[name]} for name in OPEN_OPTIONS}


class _Listener(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked_for: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def do_GET(self) -> None:
        self.server.asked_for.append(self.path)
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Not to the terminal."""


@pytest.fixture
def listener() -> Iterator[_Listener]:
    with _Listener() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording next to us that no uploaded file may make us read."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "secret.wav"
    path.write_bytes(wav_bytes(tone(2)))
    return path


def playlists(secret: Path, url: str) -> dict[str, bytes]:
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
    dash = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S"><Period><AdaptationSet contentType="audio">'
        '<Representation id="1" mimeType="audio/mp4" codecs="mp4a.40.2"><SegmentList>'
        '<SegmentURL media="{}"/></SegmentList></Representation></AdaptationSet></Period></MPD>'
    )
    sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 15004 RTP/AVP 0\n"
    return {
        "hls of a file": hls.format(secret).encode(),
        "hls of a neighbour": hls.format(secret.name).encode(),
        "hls of a url": hls.format(f"{url}/a.mp3").encode(),
        "concat of a file": f"ffconcat version 1.0\nfile {secret}\n".encode(),
        "concat of a neighbour": f"ffconcat version 1.0\nfile {secret.name}\n".encode(),
        "concat of a url": f"ffconcat version 1.0\nfile {url}/a.wav\n".encode(),
        "dash": dash.format(f"{url}/a.mp4").encode(),
        "sdp": sdp.encode(),
    }


def test_a_playlist_renamed_wav_reads_no_local_file_and_calls_no_url(
    secret: Path, listener: _Listener, decode: DecodeBytes
) -> None:
    for name, content in playlists(secret, listener.url).items():
        with pytest.raises(AudioError) as caught:
            decode(content, name="speech.wav")
        assert caught.value.code == "not_audio", name
    assert listener.asked_for == []


def _open(content: bytes, options: dict[str, str], name: str = "") -> int:
    """Open as the sandbox does, with these options only; how many samples come out."""
    file = io.BytesIO(content)
    file.name = name  # type: ignore[attr-defined]
    with av.open(file, options=options) as container:
        return sum(frame.samples for frame in container.decode(audio=0))


def test_each_option_against_playlists_is_honoured_by_this_ffmpeg(
    secret: Path, listener: _Listener
) -> None:
    # FFmpeg ignores an option that it does not know, so show what happens without.
    content = playlists(secret, listener.url)["concat of a neighbour"]
    assert _open(content, {}) == 32_000
    assert _open(content, {"protocol_whitelists": "none"}) == 32_000
    for name in ("protocol_whitelist", "format_whitelist"):
        with pytest.raises(av.FFmpegError):
            _open(content, ONE_OPTION[name])

    calling = playlists(secret, listener.url)["hls of a url"]
    with pytest.raises(av.FFmpegError):
        _open(calling, {}, "list.m3u8")
    assert listener.asked_for == ["/a.mp3"]
    for name in ("protocol_whitelist", "format_whitelist"):
        with pytest.raises(av.FFmpegError):
            _open(calling, ONE_OPTION[name], "list.m3u8")
    assert listener.asked_for == ["/a.mp3"]


def test_the_option_for_codecs_is_honoured_by_this_ffmpeg() -> None:
    # Opening a video makes FFmpeg run its decoder, unless that is not on the list.
    content = encode(kind_named("mp4 with picture"), tone(1, rate=48_000))

    def pixel_format(options: dict[str, str]) -> str | None:
        with av.open(io.BytesIO(content), options=options) as container:
            return container.streams.video[0].codec_context.pix_fmt

    assert pixel_format({}) == "yuv420p"
    assert pixel_format(ONE_OPTION["codec_whitelist"]) is None


@pytest.mark.parametrize("name", ["max_probe_packets", "probesize"])
def test_the_options_that_save_reading_are_honoured_by_this_ffmpeg(name: str) -> None:
    with pytest.raises(av.FFmpegError):
        av.open(io.BytesIO(wav_bytes(tone(1))), options={name: "no number"})


def _memory_bomb() -> bytes:
    """84 bytes of CAF that announce a quarter of a gigabyte of codec parameters."""
    description = struct.pack(">d4sIIIII", 16_000, b"lpcm", 0, 2, 1, 1, 16)
    return (
        b"caff\x00\x01\x00\x00"
        + (b"desc" + struct.pack(">q", len(description)) + description)
        + (b"kuki" + struct.pack(">q", 256 << 20) + bytes(20))
    )


def test_a_memory_bomb_is_an_error_and_not_a_dead_worker(decode: DecodeBytes) -> None:
    with pytest.raises(AudioError, match="more than 640 MiB") as caught:
        decode(_memory_bomb())
    assert caught.value.code == "decode_out_of_memory"
    assert not caught.value.retryable
    assert decode(wav_bytes(tone(1))).report.duration_seconds == 1


def test_an_index_of_millions_of_entries_is_refused_in_a_moment(decode: DecodeBytes) -> None:
    content = bytearray(encode(kind_named("m4a"), tone(1, rate=44_100)))
    sizes = content.index(b"stsz") + 8
    # One size for all, and half a billion of them: 12 GB of index.
    content[sizes : sizes + 8] = struct.pack(">II", 1, 500_000_000)
    begun = time.monotonic()
    with pytest.raises(AudioError) as caught:
        decode(bytes(content))
    assert caught.value.code in ("damaged_audio", "decode_out_of_memory")
    assert time.monotonic() - begun < 10


def _mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The file as a bad disk, a bad line or a bad person might have left it."""
    data = bytearray(content)
    head = min(len(data), 400)
    match random.integers(5):
        case 0:  # a few bytes of the header
            for position in random.integers(0, head, 4):
                data[position] = random.integers(256)
        case 1:  # a few bytes anywhere
            for position in random.integers(0, len(data), 20):
                data[position] = random.integers(256)
        case 2:  # a size that is none
            position = int(random.integers(0, head - 4))
            data[position : position + 4] = random.choice(
                np.array([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00"])
            ).ljust(4, b"\x00")
        case 3:  # a piece is missing
            position = int(random.integers(0, len(data)))
            del data[position : position + int(random.integers(1, 2_000))]
        case _:  # a piece is there twice
            position = int(random.integers(0, len(data)))
            data[position:position] = data[position : position + int(random.integers(1, 2_000))]
    return bytes(data)


@pytest.mark.parametrize("name", [*(kind.name for kind in KINDS), "amr wide"])
def test_a_mutated_file_is_decoded_or_refused_and_the_next_good_one_decodes(
    name: str, decode: DecodeBytes
) -> None:
    if name == "amr wide":
        good = (DATA / "tone_440hz_1s.amr").read_bytes()
    else:
        good = encode(kind_named(name), tone(4, rate=kind_named(name).rate))
    whole_seconds = decode(good).report.duration_seconds
    random = np.random.default_rng(len(good))
    begun = time.monotonic()
    outcomes: dict[str, int] = {}
    for _ in range(20):
        try:
            decoded = decode(_mutated(good, random))
            outcome = "decoded"
            assert decoded.report.duration_seconds >= 0.1
        except AudioError as error:
            outcome = error.code
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    # A crash of FFmpeg would be contained, but none is known for this version.
    assert "decoder_crashed" not in outcomes, outcomes
    assert outcomes.get("decoded", 0) >= 3, outcomes
    assert time.monotonic() - begun < 60
    assert decode(good).report.duration_seconds == whole_seconds


def test_the_decoder_leaves_no_descriptor_and_no_process_behind(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.wav", tmp_path / "bad.wav"
    good.write_bytes(wav_bytes(tone(3)))
    bad.write_bytes(b"no audio at all, not even a little")
    before = _open_descriptors()
    with Decoder() as decoder:
        for _ in range(5):
            with decoder.decode(good) as decoding:
                list(decoding)
            with decoder.decode(good):
                pass  # left early
            with pytest.raises(AudioError):
                decoder.decode(bad).__enter__()
    assert _open_descriptors() == before


def _open_descriptors() -> list[str]:
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())
