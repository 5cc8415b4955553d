"""The shape of OpenAI's errors: ``{"error": {"message", "type", "param", "code"}}``, all four."""

from __future__ import annotations

from typing import Any

from transcription.services.errors import ERRORS

#: Every address below this answers its errors in this shape.
ROOT = "/v1/"

#: Code of an error -> the field of the request that it is about.
_PARAMS = {
    "empty_file": "file",
    "file_missing": "file",
    "no_speakers": "response_format",
    "no_word_times": "timestamp_granularities",
    "prompt_too_long": "prompt",
    "unknown_language": "language",
    "unknown_model": "model",
    "words_unavailable": "timestamp_granularities",
}
#: Errors that a repetition meets again. The official clients repeat 408, 409, 429 and 5xx by
#: themselves, and would send a recording three times over that fails the same way each time.
_REPEATING_IS_OF_NO_USE = frozenset(
    {"cancelled", "recognition_failed", "recording_missing", "storage_full", "worker_crashed"}
)


def is_openai(path: str) -> bool:
    """Whether the address belongs to OpenAI's API."""
    return path.startswith(ROOT)


def error_body(code: str, message: str, *, field: str = "") -> dict[str, Any]:
    """Return the body of an error; ``field`` names the field that is at fault."""
    kind = ERRORS[code]
    return {
        "error": {
            "message": message,
            "type": _type_of(kind.status),
            "param": field or _param_of(code),
            "code": code,
        }
    }


def error_headers(code: str) -> dict[str, str]:
    """Return what tells the official clients when to repeat a request, and when not to."""
    if code == "wait_ended":
        return {"Retry-After": "1"}  # to wait on: see api.openai.repeats
    return {"x-should-retry": "false"} if code in _REPEATING_IS_OF_NO_USE else {}


def _type_of(status: int) -> str:
    match status:
        case 401:
            return "authentication_error"
        case 403:
            return "permission_error"
        case 429:
            return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"


def _param_of(code: str) -> str | None:
    # 3…: the recording itself is at fault.
    return "file" if ERRORS[code].number // 1000 == 3 else _PARAMS.get(code)
