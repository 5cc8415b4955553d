"""From an open file to mono 16 kHz samples, by FFmpeg. Runs in the sandboxed process only.

The sandbox (decode_child) bounds what a hostile file can cost; the options here bound what it
can make FFmpeg try: no protocol (a playlist opens nothing), a short list of containers and of
audio decoders. FFmpeg silently ignores an option whose name it does not know, so a test shows
for each of them that it is honoured.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import av

# PyAV imports these when a file turns out to have subtitles; by then no module can be opened.
import av.subtitles.codeccontext
import av.subtitles.stream
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.stream import Discard

from transcription.audio import SAMPLE_RATE_HZ
from transcription.audio.downmix import Downmixer
from transcription.audio.errors import READ_FORMATS, AudioError
from transcription.audio.sniff import SNIFF_BYTES, sniff
from transcription.audio.wire import BLOCK_SAMPLES

FORMATS = frozenset(
    "wav w64 aiff caf mp3 aac flac ogg matroska webm mov mp4 m4a 3gp 3g2 amr amrnb amrwb".split()
)
CODECS = frozenset(
    """
    mp1float mp2float mp3float mp3 mp2 aac aac_latm opus libopus vorbis flac alac ac3 eac3
    amrnb amrwb libopencore_amrnb libopencore_amrwb
    adpcm_ima_wav adpcm_ms adpcm_ima_qt g722 g726 gsm gsm_ms speex libspeex wmav1 wmav2
    pcm_alaw pcm_mulaw pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be
    pcm_f32le pcm_f32be pcm_f64le pcm_f64be
    """.split()
)
OPEN_OPTIONS = {
    "protocol_whitelist": "none",
    "format_whitelist": ",".join(sorted(FORMATS)),
    "codec_whitelist": ",".join(sorted(CODECS)),
    # FFmpeg looks whether PCM is really some other codec in disguise: 14 ms for a WAV of 10 s,
    # where everything else takes 1 ms, and one more thing that could be guessed wrong.
    "max_probe_packets": "1",
    # The tracks that are not decoded stay unknown; do not read 5 MB in search of what they are.
    "probesize": str(1 << 20),
}

#: Outside of these the header is nonsense: at 1 Hz one byte of audio would become 16,000 samples.
SAMPLE_RATES_HZ = range(1_000, 768_001)
#: libswresample's own limit.
MAX_CHANNELS = 64
#: The demuxer reports an error this many times in a row without a packet: there is no more.
MAX_DEMUX_ERRORS = 64
#: Decoding may end this much before the end that the container declares without being called cut
#: off: encoders pad, and headers round.
END_TOLERANCE_SECONDS = 1.0
END_TOLERANCE_SHARE = 0.01
#: A file that declares no duration is read through once before decoding (packets only) if it is
#: this small: what takes long to decode without being long to read is what that looks for.
SCAN_LIMIT_BYTES = 64 << 20
#: The duration that these declare is a guess from the size and the first frames.
GUESSED_DURATION_FORMATS = frozenset({"mp3", "aac", "amr", "amrnb", "amrwb"})

Samples = npt.NDArray[np.int16]


class Source:
    """A container opened for reading, with the audio stream that will be decoded."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises AudioError (empty_file, not_audio, damaged_audio, no_audio_track)."""
        file.seek(0)
        head = file.read(SNIFF_BYTES)
        if not head:
            raise AudioError("empty_file", "The file is empty. Record or export it again.")
        file.seek(0)
        self.container = self._open(file, head)
        try:
            self._choose_stream()
        except BaseException:
            self.container.close()
            raise

    @staticmethod
    def _open(file: BinaryIO, head: bytes) -> Any:
        try:
            container = av.open(
                file, mode="r", options=OPEN_OPTIONS, metadata_errors="replace", buffer_size=65_536
            )
        except MemoryError:
            raise
        except (av.FFmpegError, EOFError, ValueError) as error:
            kind = sniff(head)
            if kind is None:
                raise AudioError(
                    "not_audio",
                    f"The content of the file is no audio or video that is read here. "
                    f"Send {READ_FORMATS}.",
                    detail=str(error),
                ) from error
            raise AudioError(
                "damaged_audio",
                f"The file begins like {kind.extension.upper()} but cannot be read: it is damaged "
                f"or was cut off before it was complete. Export or upload it again.",
                detail=str(error),
            ) from error
        return container

    def _choose_stream(self) -> None:
        streams = self.container.streams.audio
        if not streams:
            raise AudioError(
                "no_audio_track",
                "The file holds no sound, only pictures or data. Send a file with an audio track.",
            )
        readable = [
            stream
            for stream in streams
            if stream.codec_context is not None and stream.codec_context.codec.name in CODECS
        ]
        if not readable:
            context = streams[0].codec_context
            name = context.codec.name if context is not None else "an unknown codec"
            raise AudioError(
                "damaged_audio",
                f"The sound in the file is coded as {name}, which is not decoded here (or the "
                f"header is damaged). Convert it to one of: {READ_FORMATS}.",
            )
        best = self.container.streams.best("audio")
        self.stream = best if best in readable else readable[0]
        for stream in self.container.streams:
            if stream is not self.stream:
                stream.discard = Discard.all
        # One packet is decoded at a time; threads would only add to the address space.
        self.stream.codec_context.thread_count = 1

    @property
    def codec_name(self) -> str:
        return str(self.stream.codec_context.codec.name)

    @property
    def container_name(self) -> str:
        return str(self.container.format.name)

    def declared_seconds(self) -> float | None:
        """What the header says of the chosen stream, or else of the whole file."""
        if self.stream.duration is not None and self.stream.time_base is not None:
            seconds = float(self.stream.duration * self.stream.time_base)
        elif self.container.duration is not None:
            seconds = self.container.duration / av.time_base
        else:
            return None
        return seconds if seconds > 0 else None

    def end_seconds_to_expect(self) -> float | None:
        """The end that packets of a complete file reach; None where nothing reliable says it."""
        if self.container_name in GUESSED_DURATION_FORMATS:
            return None
        if self.stream.duration is None and len(self.container.streams) > 1:
            return None  # the other track may simply be longer
        declared = self.declared_seconds()
        if declared is None:
            return None
        start = self.stream.start_time
        if self.stream.duration is None or start is None or self.stream.time_base is None:
            return declared
        return declared + float(start * self.stream.time_base)

    def packets(self) -> Iterator[Any]:
        """Packets of the stream, the last one a flush; None for each error on the way."""
        errors = 0
        demuxing = self.container.demux(self.stream)
        while True:
            try:
                packet = next(demuxing)
            except StopIteration:
                return
            except MemoryError:
                raise
            except av.FFmpegError:
                errors += 1
                yield None
                if errors >= MAX_DEMUX_ERRORS:
                    # Nothing more will come out of the container: flush the decoder.
                    yield av.Packet()
                    return
                demuxing = self.container.demux(self.stream)
                continue
            errors = 0
            yield packet

    def measure_seconds(self, stop_after_seconds: float) -> float:
        """Sum of the packets' durations, read without decoding, up to stop_after_seconds."""
        base = self.stream.time_base
        if base is None:
            return 0.0
        ticks, stop = 0, stop_after_seconds / float(base)
        for packet in self.packets():
            if packet is not None and packet.duration is not None:
                ticks += max(packet.duration, 0)
                if ticks > stop:
                    break
        return float(ticks * base)


class Resampler:
    """Frames of any kind -> int16 planes at 16 kHz; starts over when the frames' kind changes."""

    def __init__(self) -> None:
        self._kind: tuple[str, str, int] | None = None
        self._graph: Graph | None = None

    def push(self, frame: AudioFrame) -> Iterator[Samples]:
        """Yields int16 of shape (channels, samples)."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            yield from self.flush()
            self._kind, self._graph = kind, self._build(frame)
        if frame.format.name in ("flt", "fltp", "dbl", "dblp"):
            frame = _without_nan(frame)
        if self._graph is None:
            yield frame.to_ndarray().reshape(-1, frame.samples)
            return
        frame.pts = None
        self._graph.push(frame)
        yield from self._pull()

    def flush(self) -> Iterator[Samples]:
        """What the filter still holds back."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pull()
        self._kind = self._graph = None

    def _pull(self) -> Iterator[Samples]:
        assert self._graph is not None
        while True:
            try:
                yield self._graph.pull().to_ndarray()
            except (av.BlockingIOError, av.EOFError):
                return

    @staticmethod
    def _build(frame: AudioFrame) -> Graph | None:
        channels = len(frame.layout.channels)
        if not 0 < channels <= MAX_CHANNELS or frame.sample_rate not in SAMPLE_RATES_HZ:
            raise AudioError(
                "damaged_audio",
                f"The file claims {channels} channels at {frame.sample_rate} Hz, which no "
                f"recording has. Export it again.",
            )
        name = frame.format.name
        if frame.sample_rate == SAMPLE_RATE_HZ and (
            name == "s16p" or (name == "s16" and channels == 1)
        ):
            return None
        # A layout with known places is folded to stereo by FFmpeg with the usual weights, scaled
        # so that it cannot clip; Downmixer does the rest.
        known = channels > 2 and not frame.layout.name.endswith("channels")
        graph = Graph()
        graph.threads = 1
        source = graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=name,
            channel_layout=frame.layout.name,
            time_base=f"1/{frame.sample_rate}",
        )
        target = graph.add(
            "aformat",
            sample_rates=str(SAMPLE_RATE_HZ),
            sample_fmts="s16p",
            channel_layouts="stereo" if known else frame.layout.name,
        )
        sink = graph.add("abuffersink")
        source.link_to(target)
        target.link_to(sink)
        graph.configure()
        return graph


def _without_nan(frame: AudioFrame) -> AudioFrame:
    """The same frame with NaN as silence and infinities as full scale."""
    samples = frame.to_ndarray()
    if np.isfinite(samples).all():
        return frame
    cleaned = np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
    copy = AudioFrame.from_ndarray(
        cleaned.astype(samples.dtype), format=frame.format.name, layout=frame.layout.name
    )
    copy.sample_rate = frame.sample_rate
    return copy


class Decoding:
    """One file being decoded: what is sent to the asking process, and what is counted."""

    def __init__(
        self,
        *,
        min_duration_seconds: float,
        max_duration_seconds: float,
        on_info: Callable[[dict[str, Any]], None],
        on_samples: Callable[[Samples], None],
    ) -> None:
        self._min_samples = min_duration_seconds * SAMPLE_RATE_HZ
        self._max_seconds = max_duration_seconds
        self._max_samples = max_duration_seconds * SAMPLE_RATE_HZ
        self._on_info = on_info
        self._on_samples = on_samples
        self._downmixer = Downmixer()
        self._resampler = Resampler()
        self._held: list[Samples] = []
        self._held_samples = 0
        self._samples = 0
        self._damaged = 0
        self._frames = 0

    def run(self, file: BinaryIO, size_bytes: int) -> dict[str, Any]:
        """Decode the file and return the report. Raises AudioError."""
        source = Source(file)
        if self._must_be_measured(source, size_bytes):
            self._refuse_if_too_long(source.measure_seconds(self._max_seconds * 1.01))
            source.container.close()
            source = Source(file)
        declared, expected_end = source.declared_seconds(), source.end_seconds_to_expect()
        reached = 0.0
        for packet in source.packets():
            if packet is None:
                self._damaged += 1
                continue
            if packet.is_corrupt:
                self._damaged += 1
            if packet.pts is not None and packet.time_base is not None:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                reached = max(reached, end)
            self._decode(source, packet, declared)
        for planes in self._resampler.flush():
            self._take(planes)
        self._judge(declared)
        self._emit(final=True)
        return {
            "samples": self._samples,
            "damaged_packets": self._damaged,
            "cut_off": expected_end is not None and _is_cut_off(reached, expected_end),
        }

    def _must_be_measured(self, source: Source, size_bytes: int) -> bool:
        declared = source.declared_seconds()
        if declared is None:
            return size_bytes <= SCAN_LIMIT_BYTES
        return declared > self._max_seconds

    def _refuse_if_too_long(self, seconds: float) -> None:
        if seconds > self._max_seconds:
            raise AudioError(
                "audio_too_long",
                f"The recording is longer than the limit of {self._max_seconds / 3600:g} hours. "
                f"Split it and send the parts.",
            )

    def _decode(self, source: Source, packet: Any, declared: float | None) -> None:
        try:
            frames = source.stream.codec_context.decode(packet)
        except MemoryError:
            raise
        except (av.FFmpegError, EOFError):
            self._damaged += 1
            return
        for frame in frames:
            if not frame.samples:
                continue
            if not self._frames:
                self._announce(source, frame, declared)
            self._frames += 1
            for planes in self._resampler.push(frame):
                self._take(planes)

    def _announce(self, source: Source, frame: AudioFrame, declared: float | None) -> None:
        self._on_info(
            {
                "container": source.container_name,
                "codec": source.codec_name,
                "sample_rate_hz": frame.sample_rate,
                "channels": len(frame.layout.channels),
                "declared_duration_seconds": declared,
            }
        )

    def _take(self, planes: Samples) -> None:
        mono = self._downmixer.fold(planes)
        self._samples += len(mono)
        self._refuse_if_too_long(self._samples / SAMPLE_RATE_HZ)
        self._held.append(mono)
        self._held_samples += len(mono)
        if self._held_samples >= BLOCK_SAMPLES and self._samples >= self._min_samples:
            self._emit(final=False)

    def _emit(self, *, final: bool) -> None:
        if not self._held:
            return
        samples = np.concatenate(self._held)
        keep = 0 if final else len(samples) % BLOCK_SAMPLES
        for start in range(0, len(samples) - keep, BLOCK_SAMPLES):
            self._on_samples(samples[start : min(start + BLOCK_SAMPLES, len(samples) - keep)])
        self._held = [samples[len(samples) - keep :]] if keep else []
        self._held_samples = keep

    def _judge(self, declared: float | None) -> None:
        if self._samples >= self._min_samples and self._samples:
            return
        if not self._samples and (self._damaged or (declared or 0.0) > END_TOLERANCE_SECONDS):
            raise AudioError(
                "damaged_audio",
                "Nothing in the file could be decoded: it is damaged or was cut off. "
                "Export or upload it again.",
            )
        seconds = self._samples / SAMPLE_RATE_HZ
        raise AudioError(
            "audio_too_short",
            f"The recording is {seconds:.2f} seconds long; at least "
            f"{self._min_samples / SAMPLE_RATE_HZ:g} seconds are needed. Record it again.",
        )


def _is_cut_off(reached_seconds: float, expected_seconds: float) -> bool:
    missing = expected_seconds - reached_seconds
    return missing > max(END_TOLERANCE_SECONDS, expected_seconds * END_TOLERANCE_SHARE)


def warm_up() -> None:
    """Decode a recording of our own, so that every module and filter is loaded and every path
    has been run once before the process forks, or can open no more files.
    """
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(2)
        recording.setsampwidth(2)
        recording.setframerate(44_100)
        recording.writeframes(bytes(4 * 44_100))
    decoding = Decoding(
        min_duration_seconds=0.1,
        max_duration_seconds=10,
        on_info=lambda info: None,
        on_samples=lambda samples: None,
    )
    decoding.run(file, file.tell())
