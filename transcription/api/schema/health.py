"""The description of the probes, which are plain views of Django's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from transcription.services import readiness

_TEXT = {"type": "string"}
_HEALTH = {
    "status": {"type": "string", "enum": ["ok", "unavailable"]},
    "model": {"type": "string", "nullable": True},
    "api_root": _TEXT,
    "version": _TEXT,
    "queue_paused": {
        "type": "boolean",
        "description": "Recordings are accepted and wait: see the engine room.",
    },
    "message": _TEXT,
}
_LIVE = {"status": {"type": "string", "enum": ["ok"]}, "version": _TEXT}
_READY = {
    "status": {"type": "string", "enum": ["ready", "not_ready"]},
    "checks": {
        "type": "object",
        "required": list(readiness.SUBJECTS),
        "properties": {
            subject: {"type": "string", "enum": ["ok", "failed", "unknown"]}
            for subject in readiness.SUBJECTS
        },
    },
    "reasons": {
        "type": "array",
        "description": "What stands in the way; empty: nothing.",
        "items": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "enum": sorted(readiness.REASONS)},
                "message": {**_TEXT, "description": "In the caller's language."},
            },
        },
    },
}


def probes(headers: dict[str, Any]) -> dict[str, Any]:
    """Return the paths of the probes; ``headers`` go with each answer."""
    return {
        "/health": _probe(
            "health",
            "Whether the service answers, and with which model.",
            _HEALTH,
            headers,
            optional=["message"],
            not_well="Its database does not answer.",
        ),
        "/health/live": _probe("health_live", "Whether the web process answers.", _LIVE, headers),
        "/health/ready": _probe(
            "health_ready",
            "Whether a recording that comes now would become text, and else why not.",
            _READY,
            headers,
            not_well="Something stands in the way.",
        ),
    }


def _probe(
    name: str,
    words: str,
    properties: dict[str, Any],
    headers: dict[str, Any],
    *,
    optional: Collection[str] = (),
    not_well: str = "",
) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": [one for one in properties if one not in optional],
        "properties": properties,
    }
    answer = {"content": {"application/json": {"schema": schema}}, "headers": headers}
    responses = {"200": {"description": "It is well.", **answer}}
    if not_well:
        responses["503"] = {"description": not_well, **answer}
    return {
        "get": {
            "operationId": name,
            "description": words,
            "tags": ["health"],
            "security": [{}],
            "responses": responses,
        }
    }
