"""Log lines for programs: one object of JSON on each line (``ASR_LOG_FORMAT=json``)."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import structlog

#: What a line may carry besides its words; whatever else a library hangs onto a record stays out.
EXTRAS = ["request_id", "method", "path", "status", "seconds"]


def _written(event: dict[str, Any], **_kwargs: Any) -> str:
    # In the order in which a person reads it; Chinese as Chinese; what JSON does not know as text.
    first = {name: event.pop(name) for name in ("timestamp", "level", "logger", "event")}
    return json.dumps({**first, **event}, ensure_ascii=False, default=str)


def _without_an_empty_id(
    _logger: Any, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    if not event.get("request_id"):
        event.pop("request_id", None)
    return event


def _of_the_record(
    _logger: Any, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    record: logging.LogRecord = event["_record"]
    # When it happened: a line is written once for the console and once for the file.
    event["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat()
    event["process"] = record.process
    return event


def json_formatter() -> logging.Formatter:
    """Return the formatter: timestamp (UTC, ISO 8601), level, logger, event, process, and what
    there is of request_id, method, path, status, seconds and exception."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(allow=EXTRAS),
            _without_an_empty_id,
        ],
        processors=[
            _of_the_record,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(serializer=_written),
        ],
    )
