"""What can be wrong with a file that was sent to be transcribed."""

from __future__ import annotations

from typing import Final, Literal, get_args

ErrorCode = Literal[
    "empty_file",
    "not_audio",
    "no_audio_track",
    "audio_too_short",
    "audio_too_long",
    "damaged_audio",
    "decode_timeout",
    "decode_out_of_memory",
    "decoder_crashed",
]

ERROR_CODES: Final[frozenset[str]] = frozenset(get_args(ErrorCode))

#: Worth another attempt: the next decoder may live. All the others are the file's own fault and
#: will be the same tomorrow.
RETRYABLE_CODES: Final[frozenset[str]] = frozenset({"decoder_crashed"})

READ_FORMATS = "WAV, MP3, M4A, AAC, OGG, Opus, FLAC, WebM, AMR, or an MP4, MKV or MOV with sound"


class AudioError(Exception):
    """The audio could not be decoded. The message says why, and what to do about it."""

    code: ErrorCode
    """Stable; programs decide by it, people read the message."""
    retryable: bool
    """Whether the same file may succeed when it is tried again."""
    detail: str
    """For the log only, may be empty: what the decoder process printed before it ended."""

    def __init__(self, code: ErrorCode, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.retryable = code in RETRYABLE_CODES
        self.detail = detail

    def __reduce__(self) -> tuple[type[AudioError], tuple[str, str], dict[str, str]]:
        return type(self), (self.code, str(self)), {"detail": self.detail}
