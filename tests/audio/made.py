"""Makes the recordings that these tests need: sound ones, odd ones and hostile ones."""

from __future__ import annotations

import io
import struct
import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

DATA = Path(__file__).parent / "data"
SAMPLES = Path(__file__).parents[2] / "samples"

Int16 = npt.NDArray[np.int16]


def tone(seconds: float, *, hz: float = 440.0, rate: int = 16_000, level: float = 0.25) -> Int16:
    """A sine, mono."""
    times = np.arange(round(seconds * rate)) / rate
    return np.rint(np.sin(2 * np.pi * hz * times) * level * 32767).astype(np.int16)


def loudest_hz(samples: npt.NDArray[np.generic], rate: int = 16_000) -> float:
    """The frequency with the most energy."""
    values = samples.astype(np.float64)
    spectrum = np.abs(np.fft.rfft(values * np.hanning(len(values))))
    return float(spectrum.argmax() * rate / len(values))


def rms(samples: npt.NDArray[np.generic]) -> float:
    return float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))


def wav_bytes(channels: npt.NDArray[np.int16], rate: int = 16_000) -> bytes:
    """A plain WAV of int16 samples, shape (samples,) or (samples, channels)."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1 if channels.ndim == 1 else channels.shape[1])
        recording.setsampwidth(2)
        recording.setframerate(rate)
        recording.writeframes(channels.astype("<i2").tobytes())
    return file.getvalue()


def float_wav_bytes(samples: npt.NDArray[np.float32], rate: int = 16_000) -> bytes:
    """A mono WAV of 32-bit floats."""
    data = samples.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, rate, rate * 4, 4, 32)
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way of writing a recording."""

    name: str
    extension: str
    container: str
    codec: str
    rate: int
    picture: bool = False
    layout: str = "mono"
    bit_rate: int | None = None
    #: What FFmpeg calls the decoder and the container when it reads the file.
    reads_as: tuple[str, str]


MOV = "mov,mp4,m4a,3gp,3g2,mj2"
KINDS = (
    Kind(
        name="wav",
        extension="wav",
        container="wav",
        codec="pcm_s16le",
        rate=44_100,
        reads_as=("wav", "pcm_s16le"),
    ),
    Kind(
        name="mp3",
        extension="mp3",
        container="mp3",
        codec="libmp3lame",
        rate=44_100,
        reads_as=("mp3", "mp3float"),
    ),
    Kind(
        name="m4a",
        extension="m4a",
        container="ipod",
        codec="aac",
        rate=44_100,
        reads_as=(MOV, "aac"),
    ),
    Kind(
        name="ogg vorbis",
        extension="ogg",
        container="ogg",
        codec="vorbis",
        rate=44_100,
        layout="stereo",  # FFmpeg's own encoder knows nothing else
        reads_as=("ogg", "vorbis"),
    ),
    Kind(
        name="ogg opus",
        extension="opus",
        container="ogg",
        codec="libopus",
        rate=48_000,
        reads_as=("ogg", "opus"),
    ),
    Kind(
        name="flac",
        extension="flac",
        container="flac",
        codec="flac",
        rate=44_100,
        reads_as=("flac", "flac"),
    ),
    Kind(
        name="webm opus",
        extension="webm",
        container="webm",
        codec="libopus",
        rate=48_000,
        reads_as=("matroska,webm", "opus"),
    ),
    Kind(
        name="aac adts",
        extension="aac",
        container="adts",
        codec="aac",
        rate=44_100,
        reads_as=("aac", "aac"),
    ),
    Kind(
        name="amr narrow",
        extension="amr",
        container="amr",
        codec="libopencore_amrnb",
        rate=8_000,
        bit_rate=12_200,
        reads_as=("amr", "amrnb"),
    ),
    Kind(
        name="mp4 with picture",
        extension="mp4",
        container="mp4",
        codec="aac",
        rate=48_000,
        picture=True,
        reads_as=(MOV, "aac"),
    ),
    Kind(
        name="mkv with picture",
        extension="mkv",
        container="matroska",
        codec="libopus",
        rate=48_000,
        picture=True,
        reads_as=("matroska,webm", "opus"),
    ),
    Kind(
        name="mov with picture",
        extension="mov",
        container="mov",
        codec="pcm_s16le",
        rate=48_000,
        picture=True,
        reads_as=(MOV, "pcm_s16le"),
    ),
)


def kind_named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


def encode(kind: Kind, samples: Int16) -> bytes:
    """The samples, mono at kind.rate as a file of that kind."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind.container) as output:
        # Every track has to be there before the first packet.
        picture = output.add_stream("mpeg4", rate=5) if kind.picture else None
        sound = output.add_stream(kind.codec, rate=kind.rate, layout=kind.layout)
        if picture is not None:
            _write_picture(output, picture)
        _write_sound(output, sound, kind, samples)
    return file.getvalue()


def video_without_sound() -> bytes:
    """An MP4 with a second of a grey picture and nothing else."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        _write_picture(output, output.add_stream("mpeg4", rate=5))
    return file.getvalue()


def _write_sound(output: OutputContainer, stream: AudioStream, kind: Kind, samples: Int16) -> None:
    if kind.bit_rate is not None:
        stream.bit_rate = kind.bit_rate
    if kind.codec == "vorbis":
        stream.codec_context.options = {"strict": "experimental"}
    context = stream.codec_context
    context.open(strict=False)
    frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = kind.rate
    frame.pts = None
    converter = av.AudioResampler(format=context.format, layout=context.layout, rate=kind.rate)
    fifo = AudioFifo()
    for converted in [*converter.resample(frame), *converter.resample(None)]:
        converted.pts = None
        fifo.write(converted)
    written, size = 0, context.frame_size or 1024
    while (piece := fifo.read(size, partial=True)) is not None:
        piece.pts, piece.time_base = written, Fraction(1, kind.rate)
        written += piece.samples
        output.mux(stream.encode(piece))
    output.mux(stream.encode(None))


def _write_picture(output: OutputContainer, stream: VideoStream) -> None:
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for number in range(5):
        picture = np.full((48, 64, 3), number * 40, dtype=np.uint8)
        output.mux(stream.encode(VideoFrame.from_ndarray(picture, format="rgb24")))
    output.mux(stream.encode(None))


def flac_silence(seconds: float, *, declared: bool = True) -> bytes:
    """Digital silence at 8 kHz in the largest FLAC blocks there are: 24 hours in about 160 kB."""
    block, rate = 65_535, 8_000
    blocks = round(seconds * rate / block)
    total = blocks * block
    info = struct.pack(">HH", block, block) + bytes(6)
    info += struct.pack(">Q", rate << 44 | 0 << 41 | 15 << 36 | (total if declared else 0))
    info += bytes(16)
    parts = [b"fLaC", b"\x80" + len(info).to_bytes(3, "big"), info]
    for number in range(blocks):
        # Sync, block size in 16 bits at the end, rate as in STREAMINFO; mono, 16 bits.
        header = b"\xff\xf8\x70\x08" + _utf8_number(number) + struct.pack(">H", block - 1)
        header += bytes([_crc(header, bits=8, polynomial=0x07)])
        frame = header + b"\x00" + b"\x00\x00"  # one constant subframe with the value 0
        parts.append(frame + _crc(frame, bits=16, polynomial=0x8005).to_bytes(2, "big"))
    return b"".join(parts)


def _utf8_number(number: int) -> bytes:
    return chr(number).encode("utf-8", "surrogatepass")


def _crc(data: bytes, *, bits: int, polynomial: int) -> int:
    value, top, mask = 0, 1 << (bits - 1), (1 << bits) - 1
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = ((value << 1) ^ polynomial if value & top else value << 1) & mask
    return value
