"""One file, from its first byte to the report. Runs in the sandboxed process only."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from typing import Any, BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame

from transcription.audio import SAMPLE_RATE_HZ
from transcription.audio.completeness import Timeline
from transcription.audio.demux import Source
from transcription.audio.downmix import Downmixer
from transcription.audio.errors import AudioError
from transcription.audio.resample import Resampler, Samples
from transcription.audio.wire import BLOCK_SAMPLES

#: A file that declares no duration is read through once before decoding (packets only) if it is
#: this small: what takes long to decode without being long to read is what that looks for.
SCAN_LIMIT_BYTES = 64 << 20
#: The headers of a recording that was stopped at once are smaller than this.
HEADERS_BYTES = 4096


class Pump:
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
        self._on_info = on_info
        self._on_samples = on_samples
        self._downmixer = Downmixer()
        self._resampler = Resampler()
        self._held: list[Samples] = []
        self._held_samples = 0
        self._samples = 0
        self._damaged = 0
        self._announced = False

    def run(self, file: BinaryIO, size_bytes: int) -> dict[str, Any]:
        """Decode the file and return the report. Raises AudioError."""
        source = Source(file)
        if self._must_be_measured(source, size_bytes):
            self._refuse_if_too_long(source.measure_seconds(self._max_seconds * 1.01))
            source.container.close()
            source = Source(file)
        # Asked now: some demuxers correct the duration on the way.
        expected, trusts_sizes = source.end_seconds_to_expect(), source.trusts_sizes()
        timeline = Timeline()
        for packet in source.packets():
            if packet is None or (packet.is_corrupt and trusts_sizes):
                self._damaged += 1
            if packet is not None:
                self._decode(source, packet, timeline)
        for planes in self._resampler.flush():
            self._take(planes)
        if source.has_no_gaps():
            self._damaged += timeline.gaps
        cut_off = source.ends_in_the_middle(size_bytes) or (
            expected is not None and timeline.ends_before(expected)
        )
        self._refuse_if_too_short(
            damaged=cut_off or self._damaged > 0 or size_bytes > HEADERS_BYTES
        )
        self._emit(final=True)
        return {
            "samples": self._samples,
            "damaged_packets": self._damaged,
            "cut_off": cut_off,
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
                f"The recording is longer than the limit of {_in_words(self._max_seconds)}. "
                f"Split it and send the parts.",
            )

    def _decode(self, source: Source, packet: Any, timeline: Timeline) -> None:
        """Decode one packet, which may fail, and pass on what comes out of it."""
        try:
            frames = source.stream.codec_context.decode(packet)
        except MemoryError:
            raise
        except (av.FFmpegError, EOFError):
            self._damaged += 1
            frames = []
        seconds = 0.0
        for frame in frames:
            if not frame.samples or not frame.sample_rate:
                continue
            if not self._announced:
                self._announce(source, frame)
            seconds += frame.samples / frame.sample_rate
            for planes in self._resampler.push(frame):
                self._take(planes)
        if packet.time_base is not None:
            base = float(packet.time_base)
            # FLAC says neither how long a packet lasts nor, of the last one, when it begins.
            timeline.add(
                None if packet.pts is None else packet.pts * base,
                max(packet.duration * base, seconds),
            )

    def _announce(self, source: Source, frame: AudioFrame) -> None:
        self._announced = True
        self._on_info(
            {
                "container": source.container_name,
                "codec": source.codec_name,
                "sample_rate_hz": frame.sample_rate,
                "channels": len(frame.layout.channels),
                "declared_duration_seconds": source.declared_seconds(),
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

    def _refuse_if_too_short(self, *, damaged: bool) -> None:
        if self._samples and self._samples >= self._min_samples:
            return
        if not self._samples and damaged:
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


def _in_words(seconds: float) -> str:
    if seconds >= 7200:
        return f"{seconds / 3600:g} hours"
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"


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
    pump = Pump(
        min_duration_seconds=0.1,
        max_duration_seconds=10,
        on_info=lambda info: None,
        on_samples=lambda samples: None,
    )
    pump.run(file, file.tell())
