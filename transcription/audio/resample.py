"""From decoded frames of any kind to 16 kHz int16. Runs in the sandboxed process only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.filter import Graph

from transcription.audio import SAMPLE_RATE_HZ
from transcription.audio.errors import READ_FORMATS, AudioError

#: Outside of these the header is nonsense: at 1 Hz one byte of audio would become 16,000 samples.
SAMPLE_RATES_HZ = range(1_000, 768_001)
#: libswresample's own limit.
MAX_CHANNELS = 64
#: How much is collected before it is resampled.
BATCH_SECONDS = 0.5
#: But no more values than this, over all channels: 16 MB of the widest format.
MAX_BATCH_VALUES = 2_000_000
#: What raw floats are read as, which is how NaN gets in: decoders of other codecs make none.
RAW_FLOAT_FORMATS = frozenset({"flt", "dbl"})

Samples = npt.NDArray[np.int16]


class Resampler:
    """Frames of any kind -> int16 planes at 16 kHz; starts over when the frames' kind changes.

    Frames are collected before they are handed on: a frame of MP3 is 26 ms, and the way through
    FFmpeg's filters costs ten times what decoding it does.
    """

    def __init__(self) -> None:
        self._kind: tuple[str, str, int] | None = None
        self._batch_samples = 0
        self._fifo: AudioFifo | None = None
        self._graph: Graph | None = None

    def push(self, frame: AudioFrame) -> Iterator[Samples]:
        """Yields int16 of shape (channels, samples). Raises AudioError for an absurd format."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            yield from self.flush()
            self._graph = self._build(frame)
            self._kind, self._fifo = kind, AudioFifo()
            self._batch_samples = min(
                int(frame.sample_rate * BATCH_SECONDS),
                MAX_BATCH_VALUES // len(frame.layout.channels),
            )
        assert self._fifo is not None
        frame.pts = None  # samples are laid back to back; the queue would insist on gapless times
        self._fifo.write(frame)
        if self._fifo.samples >= self._batch_samples:
            yield from self._convert(self._fifo)

    def flush(self) -> Iterator[Samples]:
        """What is still held back here and in the filter."""
        if self._fifo is not None:
            yield from self._convert(self._fifo)
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pull(self._graph)
        self._kind = self._fifo = self._graph = None

    def _convert(self, fifo: AudioFifo) -> Iterator[Samples]:
        batch = fifo.read()
        if batch is None:
            return
        if batch.format.name in RAW_FLOAT_FORMATS:
            batch = _without_nan(batch)
        if self._graph is None:
            yield _int16_planes(batch)
        else:
            self._graph.push(batch)
            yield from self._pull(self._graph)

    @staticmethod
    def _pull(graph: Graph) -> Iterator[Samples]:
        while True:
            try:
                frame = graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return  # it wants more first, or has been flushed
            yield _int16_planes(cast(AudioFrame, frame))

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
        if frame.sample_rate == SAMPLE_RATE_HZ and channels <= 2 and name == "s16":
            return None
        try:
            return _graph(frame)
        except (av.FFmpegError, ValueError) as error:
            raise AudioError(
                "damaged_audio",
                f"The sound in the file ({channels} channels, {frame.layout.name}, {name}) cannot "
                f"be converted. Convert it to one of: {READ_FORMATS}.",
                detail=str(error),
            ) from error


def _graph(frame: AudioFrame) -> Graph:
    """FFmpeg's filters from frames like this one to s16 at 16 kHz."""
    # A layout with known places is folded to stereo by FFmpeg with the usual weights, scaled
    # so that it cannot clip; Downmixer does the rest.
    layout = frame.layout.name
    known = len(frame.layout.channels) > 2 and not layout.endswith("channels")
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "abuffer",
        sample_rate=str(frame.sample_rate),
        sample_fmt=frame.format.name,
        channel_layout=layout,
        time_base=f"1/{frame.sample_rate}",
    )
    target = graph.add(
        "aformat",
        sample_rates=str(SAMPLE_RATE_HZ),
        sample_fmts="s16",
        channel_layouts="stereo" if known else layout,
    )
    sink = graph.add("abuffersink")
    source.link_to(target)
    target.link_to(sink)
    graph.configure()
    return graph


def _int16_planes(frame: AudioFrame) -> Samples:
    """The samples of a frame of s16: int16 of shape (channels, samples).

    Interleaved, because PyAV reads beyond the planes of a frame with eight of them or more.
    """
    channels = len(frame.layout.channels)
    return cast(Samples, frame.to_ndarray().reshape(frame.samples, channels).T)


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
