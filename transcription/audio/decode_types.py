"""What goes into a decoder besides the file, and what comes out besides samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: In DecodeReport.warnings: some of the recording is missing from the samples.
PARTIAL_AUDIO: Final = "partial_audio"


@dataclass(frozen=True, kw_only=True)
class DecodeLimits:
    """What one file may cost."""

    #: Longer recordings are refused. Counted from decoded samples.
    max_duration_seconds: float = 6 * 3600.0
    #: Shorter ones are refused.
    min_duration_seconds: float = 0.1
    #: Time that the caller spends waiting for the decoder, in all. What the caller does with a
    #: block before it asks for the next is not counted.
    wall_seconds: float = 900.0
    #: Time without any new samples.
    stall_seconds: float = 60.0
    #: Processor time of the decoder process.
    cpu_seconds: int = 900
    #: Address space of the decoder process; about 210 MiB of it are the libraries.
    memory_bytes: int = 640 << 20

    def __post_init__(self) -> None:
        if not 0 <= self.min_duration_seconds < self.max_duration_seconds:
            raise ValueError("min_duration_seconds must be below max_duration_seconds")
        if min(self.wall_seconds, self.stall_seconds, self.cpu_seconds, self.memory_bytes) <= 0:
            raise ValueError("the limits of a decoder must be above zero")


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What the file is, as its decoder found it."""

    #: FFmpeg's name: "wav", "mp3", "ogg", "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"…
    container: str
    #: FFmpeg's name: "pcm_s16le", "mp3float", "aac", "opus"…
    codec: str
    sample_rate_hz: int
    channels: int
    #: The header's word, which may be wrong or missing.
    declared_duration_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class DecodeReport:
    """What came of it; known once all the samples have been read."""

    #: From the decoded samples: the true duration.
    duration_seconds: float
    #: "partial_audio" or nothing.
    warnings: tuple[str, ...]
    #: Packets that were skipped because they could not be decoded.
    damaged_packets: int
