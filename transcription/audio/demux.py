"""From an open file to mono 16 kHz samples, by FFmpeg. Runs in the sandboxed process only.

The sandbox (decode_child) bounds what a hostile file can cost; the options here bound what it
can make FFmpeg try: no protocol (a playlist opens nothing), a short list of containers and of
audio decoders. FFmpeg silently ignores an option whose name it does not know, so a test shows
for each of them that it is honoured.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import av

# PyAV imports these when a file turns out to have subtitles; by then no module can be opened.
import av.subtitles.codeccontext
import av.subtitles.stream
from av.stream import Discard

from transcription.audio.completeness import (
    HEAD_BYTES,
    OGG_TAIL_BYTES,
    id3_size_bytes,
    mp3_declares_length,
    ogg_is_cut_off,
    wav_is_streamed,
)
from transcription.audio.errors import READ_FORMATS, AudioError
from transcription.audio.sniff import sniff

# fmt: off
#: FFmpeg's names of the containers that may be opened, as it would match them one by one.
FORMATS = frozenset({
    "wav", "w64", "aiff", "caf", "mp3", "aac", "flac", "ogg", "matroska", "webm",
    "mov", "mp4", "m4a", "3gp", "3g2", "amr",
})
#: FFmpeg's names of the decoders that may be run, several for some codecs: builds differ.
CODECS = frozenset({
    "mp1float", "mp2float", "mp2", "mp3float", "mp3", "aac", "aac_latm", "opus", "libopus",
    "vorbis", "flac", "alac", "ac3", "eac3", "speex", "libspeex", "gsm", "gsm_ms", "g722",
    "amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "g726", "wmav1", "wmav2",
    "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms", "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8",
    "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be",
    "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be",
})
# fmt: on
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

#: The demuxer reports an error this many times in a row without a packet: there is no more.
MAX_DEMUX_ERRORS = 64
#: No packet of sound is longer (the largest block of FLAC at 1 kHz): a longer step is a gap.
LONGEST_PACKET_SECONDS = 66
#: The duration of these is a guess from the size and the first frames.
GUESSED_DURATION_FORMATS = frozenset({"aac", "amr"})


class Source:
    """A container opened for reading, with the audio stream that will be decoded."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises AudioError (empty_file, not_audio, damaged_audio, no_audio_track)."""
        file.seek(0)
        head = file.read(HEAD_BYTES)
        if not head:
            raise AudioError("empty_file", "The file is empty. Record or export it again.")
        self._file, self._head = file, head
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
        if self.stream.duration is None and len(self.container.streams) > 1:
            return None  # the other track may simply be longer
        declared = self.declared_seconds()
        if declared is None or self._duration_is_a_guess():
            return None
        start = self.stream.start_time
        if self.stream.duration is None or start is None or self.stream.time_base is None:
            return declared
        return declared + float(start * self.stream.time_base)

    def _duration_is_a_guess(self) -> bool:
        if self.container_name == "mp3":
            with self._kept_position():
                self._file.seek(id3_size_bytes(self._head))
                return not mp3_declares_length(self._file.read(HEAD_BYTES))
        return self.container_name in GUESSED_DURATION_FORMATS

    def trusts_sizes(self) -> bool:
        """Whether a last packet that is shorter than announced means that something is missing."""
        return not (self.container_name == "wav" and wav_is_streamed(self._head))

    def has_no_gaps(self) -> bool:
        """Whether times that jump mean a loss; elsewhere a recording may simply have paused."""
        return self.container_name in ("ogg", "flac")

    def ends_in_the_middle(self, size_bytes: int) -> bool:
        """Whether the file itself, of size_bytes, stops before a unit of it is complete."""
        if self.container_name != "ogg":
            return False
        with self._kept_position():
            self._file.seek(max(size_bytes - OGG_TAIL_BYTES, 0))
            return ogg_is_cut_off(self._file.read(OGG_TAIL_BYTES))

    @contextmanager
    def _kept_position(self) -> Iterator[None]:
        """FFmpeg reads the same file and does not ask where it stands."""
        position = self._file.tell()
        try:
            yield
        finally:
            self._file.seek(position)

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
        """How long the packets last together, read without decoding, up to stop_after_seconds.

        A packet lasts as long as it says or, where it does not say, until the next one's time.
        """
        base = self.stream.time_base
        if base is None:
            return 0.0
        ticks, last_pts = 0, None
        longest, stop = LONGEST_PACKET_SECONDS / base, stop_after_seconds / base
        for packet in self.packets():
            if packet is None:
                continue
            if packet.duration:
                ticks += min(max(packet.duration, 0), longest)
            elif packet.pts is not None and last_pts is not None:
                ticks += min(max(packet.pts - last_pts, 0), longest)
            last_pts = packet.pts if packet.pts is not None else last_pts
            if ticks > stop:
                break
        return float(ticks * base)
