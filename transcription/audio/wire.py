"""What the sandboxed decoder says to the process that asked, over one pipe.

A frame is a kind (1 byte), a length (4 bytes, little endian) and a payload: JSON for everything
but samples, which are s16le mono 16 kHz. The reader must treat all of it as hostile: the writer
has been parsing somebody else's file.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

INFO: Final = 1
SAMPLES: Final = 2
REPORT: Final = 3
ERROR: Final = 4

HEADER = struct.Struct("<BI")

#: 2 s of 16 kHz mono s16: small enough to start on, large enough that frames cost nothing.
BLOCK_SAMPLES: Final = 32_000
#: The longest payload of each kind that the reader accepts, in bytes.
MAX_PAYLOAD_BYTES: Final = {INFO: 65_536, SAMPLES: 1 << 20, REPORT: 65_536, ERROR: 65_536}

#: Exit status of a decoder that could not even send a message about having no memory.
EXIT_OUT_OF_MEMORY: Final = 86


class WireError(Exception):
    """The other side does not keep to the protocol."""


def pack_json(kind: int, message: dict[str, Any]) -> bytes:
    """One frame with a JSON object as its payload."""
    payload = json.dumps(message).encode()
    return HEADER.pack(kind, len(payload)) + payload


def parse_header(header: bytes) -> tuple[int, int]:
    """The kind and the payload's length in bytes; WireError if either is impossible."""
    kind, length = HEADER.unpack(header)
    limit = MAX_PAYLOAD_BYTES.get(kind)
    if limit is None:
        raise WireError(f"unknown kind of frame: {kind}")
    if length > limit or (kind == SAMPLES and length % 2):
        raise WireError(f"a frame of kind {kind} with a payload of {length} bytes")
    return kind, length


def parse_json(payload: bytes | bytearray) -> dict[str, Any]:
    """The JSON object of a payload; WireError if it is anything else."""
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise WireError("a payload that is not JSON") from error
    if not isinstance(message, dict):
        raise WireError("a payload that is not a JSON object")
    return message
