"""Sound files of every kind that is promised, and the odd ones that people really have."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.audio.conftest import DecodeBytes, decode_file
from tests.audio.made import (
    DATA,
    KINDS,
    SAMPLES,
    Kind,
    encode,
    flac_silence,
    float_wav_bytes,
    kind_named,
    loudest_hz,
    rms,
    tone,
    wav_bytes,
)
from transcription.audio.decode import PARTIAL_AUDIO, Decoder
from transcription.audio.errors import AudioError
from transcription.audio.wire import BLOCK_SAMPLES


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_promised_format_is_decoded(kind: Kind, decode: DecodeBytes) -> None:
    content = encode(kind, tone(2.5, hz=440, rate=kind.rate))
    decoded = decode(content)
    assert (decoded.info.container, decoded.info.codec) == kind.reads_as
    assert decoded.info.sample_rate_hz == kind.rate
    assert decoded.samples.dtype == np.int16
    # AAC and AMR pad to whole frames.
    assert decoded.report.duration_seconds == pytest.approx(2.5, abs=0.06)
    assert decoded.report.duration_seconds == len(decoded.samples) / 16_000
    assert decoded.report.warnings == ()
    middle = decoded.samples[8_000:-8_000]
    assert loudest_hz(middle) == pytest.approx(440, abs=2)
    # AMR and the way through a stereo encoder change the level a little.
    assert 0.65 < rms(middle) / (0.25 * 32767 / np.sqrt(2)) < 1.05


def test_wideband_amr_is_decoded(decode: DecodeBytes) -> None:
    decoded = decode((DATA / "tone_440hz_1s.amr").read_bytes())
    assert decoded.info.codec == "amrwb"
    assert decoded.report.duration_seconds == pytest.approx(1.0, abs=0.05)
    assert loudest_hz(decoded.samples[4_000:-4_000]) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    "path", sorted((SAMPLES / "formats").glob("walk.[!t]*")), ids=lambda p: p.name
)
def test_the_same_sentence_has_the_same_length_in_every_container(
    path: Path, decoder: Decoder
) -> None:
    decoded = decode_file(decoder, path)
    assert decoded.report.duration_seconds == pytest.approx(2.35, abs=0.1)
    assert decoded.report.warnings == ()


def test_the_name_of_a_file_decides_nothing(decode: DecodeBytes) -> None:
    content = encode(kind_named("mp3"), tone(1, rate=44_100))
    assert decode(content, name="speech.wav").info.container == "mp3"


def test_samples_of_a_wav_at_16_khz_pass_unchanged(decode: DecodeBytes) -> None:
    samples = np.random.default_rng(1).integers(-32768, 32767, 50_000, np.int16, endpoint=True)
    assert np.array_equal(decode(wav_bytes(samples)).samples, samples)


def test_samples_arrive_in_blocks_of_two_seconds(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav_bytes(tone(7, rate=44_100), rate=44_100))
    with decoder.decode(path) as decoding:
        assert decoding.info.declared_duration_seconds == pytest.approx(7)
        with pytest.raises(RuntimeError, match="when all blocks have been read"):
            _ = decoding.report
        lengths = [len(block) for block in decoding]
    assert lengths == [BLOCK_SAMPLES] * 3 + [16_000]


def test_a_stereo_recording_is_folded_to_the_mean(decode: DecodeBytes) -> None:
    left, right = tone(1, hz=300, level=0.4), tone(1, hz=300, level=0.2)
    mono = decode(wav_bytes(np.stack([left, right], axis=1))).samples
    assert np.abs(mono - tone(1, hz=300, level=0.3)).max() <= 1


def test_channels_of_opposite_polarity_do_not_cancel(decode: DecodeBytes) -> None:
    left = tone(2, hz=300, level=0.4)
    mono = decode(wav_bytes(np.stack([left, -left], axis=1))).samples
    assert rms(mono) == pytest.approx(rms(left), rel=0.05)


def test_two_full_scale_channels_do_not_clip(decode: DecodeBytes) -> None:
    loud = np.full((16_000, 2), -32768, dtype=np.int16)
    assert (decode(wav_bytes(loud)).samples == -32768).all()


@pytest.mark.parametrize("channels", [3, 4, 6, 8, 12])
def test_speech_in_one_of_many_channels_is_heard(channels: int, decode: DecodeBytes) -> None:
    sound = np.zeros((16_000, channels), dtype=np.int16)
    sound[:, 2] = tone(1, hz=500, level=0.9)
    mono = decode(wav_bytes(sound)).samples
    assert loudest_hz(mono) == pytest.approx(500, abs=2)
    assert rms(mono) > rms(sound[:, 2]) / channels / 2


def test_nan_and_infinity_become_silence_and_full_scale(decode: DecodeBytes) -> None:
    samples = np.zeros(16_000, dtype=np.float32)
    samples[1_000:1_100] = np.nan
    samples[2_000:2_100] = np.inf
    samples[3_000:3_100] = -np.inf
    samples[4_000:4_100] = 1e30
    mono = decode(float_wav_bytes(samples)).samples
    assert (mono[1_000:1_100] == 0).all()
    assert (mono[2_000:2_100] == 32767).all()
    assert (mono[3_000:3_100] == -32768).all()
    assert (mono[4_000:4_100] == 32767).all()
    assert (mono[5_000:] == 0).all()


def test_a_change_of_sample_rate_in_the_middle_is_followed(decode: DecodeBytes) -> None:
    # ADTS frames carry their rate each, as a radio recording does over a programme change.
    kind = kind_named("aac adts")
    slow = Kind(**{**vars(kind), "rate": 22_050})
    content = encode(kind, tone(2, hz=440, rate=44_100)) + encode(
        slow, tone(2, hz=880, rate=22_050)
    )
    decoded = decode(content)
    assert decoded.report.duration_seconds == pytest.approx(4.0, abs=0.2)
    assert loudest_hz(decoded.samples[4_000:28_000]) == pytest.approx(440, abs=2)
    assert loudest_hz(decoded.samples[-28_000:-4_000]) == pytest.approx(880, abs=2)


def test_cover_art_is_not_a_track(decode: DecodeBytes) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(200)
    body = b"\x00image/png\x00\x03\x00" + picture
    frame = b"APIC" + len(body).to_bytes(4, "big") + b"\x00\x00" + body
    size = len(frame)
    tag = b"ID3\x03\x00\x00" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + frame
    decoded = decode(tag + encode(kind_named("mp3"), tone(2, rate=44_100)))
    assert decoded.info.codec == "mp3float"
    assert decoded.report.duration_seconds == pytest.approx(2, abs=0.06)
    assert decoded.report.warnings == ()


def test_undecodable_metadata_does_not_matter(decode: DecodeBytes) -> None:
    samples = tone(1)
    note = b"INAM" + (8).to_bytes(4, "little") + b"\xff\xfe\x80\xc3(\xa0\xa1\x00"
    chunk = b"LIST" + (4 + len(note)).to_bytes(4, "little") + b"INFO" + note
    plain = wav_bytes(samples)
    content = plain + chunk
    content = content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:]
    assert np.array_equal(decode(content).samples, samples)


def test_a_wav_written_to_a_pipe_is_complete(decode: DecodeBytes) -> None:
    content = bytearray(wav_bytes(tone(2)))
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    decoded = decode(bytes(content))
    assert decoded.report.duration_seconds == 2
    assert decoded.report.warnings == ()


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
@pytest.mark.parametrize(
    "name", ["wav", "mp3", "ogg vorbis", "ogg opus", "flac", "webm opus", "aac adts"]
)
def test_a_cut_off_file_gives_what_is_there_and_says_so(
    name: str, share: float, decode: DecodeBytes
) -> None:
    kind = kind_named(name)
    whole = encode(kind, tone(10, rate=kind.rate))
    decoded = decode(whole[: int(len(whole) * share)])
    assert decoded.report.warnings == (PARTIAL_AUDIO,)
    assert 10 * share - 1.5 < decoded.report.duration_seconds < 10 * share + 0.3


def test_one_damaged_packet_costs_one_packet(decode: DecodeBytes) -> None:
    kind = kind_named("aac adts")
    content = bytearray(encode(kind, tone(10, rate=kind.rate)))
    middle = len(content) // 2
    content[middle : middle + 40] = b"\xaa" * 40
    decoded = decode(bytes(content))
    assert decoded.report.warnings == (PARTIAL_AUDIO,)
    assert decoded.report.damaged_packets >= 1
    assert 9.8 < decoded.report.duration_seconds < 10.1


@pytest.mark.parametrize("name", ["ogg vorbis", "ogg opus"])
def test_a_page_that_ogg_drops_for_its_checksum_is_missed(name: str, decode: DecodeBytes) -> None:
    kind = kind_named(name)
    content = bytearray(encode(kind, tone(10, rate=kind.rate)))
    middle = content.index(b"OggS", len(content) // 2) + 200
    content[middle : middle + 20] = b"\xaa" * 20
    decoded = decode(bytes(content))
    assert decoded.report.warnings == (PARTIAL_AUDIO,)
    assert 8.5 < decoded.report.duration_seconds < 9.9


def test_the_longest_block_of_flac_is_not_taken_for_a_cut_off_file(decode: DecodeBytes) -> None:
    decoded = decode(flac_silence(60))
    assert decoded.report.warnings == ()
    assert decoded.info.declared_duration_seconds == decoded.report.duration_seconds


def test_a_missing_file_is_an_error_of_the_system(decoder: Decoder, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), decoder.decode(tmp_path / "gone.wav"):
        pass


def test_a_decoder_decodes_one_file_at_a_time(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(1)))
    with (
        decoder.decode(path),
        pytest.raises(RuntimeError, match="has not been left"),
        decoder.decode(path),
    ):
        pass
    assert decode_file(decoder, path).report.duration_seconds == 1


def test_a_short_recording_is_ready_in_a_moment(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(10, rate=44_100), rate=44_100))
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        with decoder.decode(path) as decoding:
            next(iter(decoding))
        seconds.append(time.perf_counter() - begun)
    # About 10 ms; starting an interpreter for each file would be 200.
    assert min(seconds) < 0.1


def test_an_error_says_what_to_do(decode: DecodeBytes) -> None:
    with pytest.raises(AudioError, match="Record or export it again") as caught:
        decode(b"")
    assert caught.value.code == "empty_file"
    assert not caught.value.retryable
