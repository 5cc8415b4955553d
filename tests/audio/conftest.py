from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from transcription.audio.decode import AudioInfo, DecodeLimits, Decoder, DecodeReport


@dataclass(frozen=True, kw_only=True)
class Decoded:
    info: AudioInfo
    report: DecodeReport
    samples: npt.NDArray[np.int16]


#: Decodes the bytes as a file with the given name.
DecodeBytes = Callable[..., Decoded]


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    """The one decoder that nearly all tests share: none of them may leave it broken."""
    with Decoder(DecodeLimits(stall_seconds=20, wall_seconds=60)) as shared:
        yield shared


def decode_file(decoder: Decoder, path: Path) -> Decoded:
    with decoder.decode(path) as decoding:
        blocks = list(decoding)
    return Decoded(info=decoding.info, report=decoding.report, samples=np.concatenate(blocks))


@pytest.fixture
def decode(decoder: Decoder, tmp_path: Path) -> DecodeBytes:
    def decode_bytes(content: bytes, *, name: str = "recording", by: Decoder = decoder) -> Decoded:
        path = tmp_path / name
        path.write_bytes(content)
        return decode_file(by, path)

    return decode_bytes
