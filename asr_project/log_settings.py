"""Where log lines go and what they look like: Django's ``LOGGING`` of a process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Form of the lines -> formatter.
LOG_FORMATTERS: dict[str, dict[str, Any]] = {
    "text": {"format": "%(asctime)s - %(name)s - %(levelname)s - %(message)s%(request_suffix)s"},
    "json": {"()": "asr_project.json_logs.json_formatter"},
}


def logging_settings(
    *, directory: Path, role: str, level: str, form: str, file_bytes: int, files_kept: int
) -> dict[str, Any]:
    """Return the settings of a process: on the console, and in a file of its role.

    A command for a person (role "manage") speaks on the console and writes no log file.
    """
    shared = {"formatter": "chosen", "filters": ["request_id"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "asr_project.logs.RequestIdFilter"}},
        # The one alone: what is named here is imported.
        "formatters": {"chosen": LOG_FORMATTERS[form]},
        "handlers": {
            "console": {"class": "logging.StreamHandler", **shared},
            "file": {
                "class": "asr_project.logs.ProcessFileHandler",
                "directory": directory,
                "role": role,
                "maxBytes": file_bytes,
                "backupCount": files_kept,
                **shared,
            },
        },
        "root": {
            "level": level,
            "handlers": ["console"] if role == "manage" else ["console", "file"],
        },
        "loggers": {
            # Our own access line replaces these.
            "uvicorn.access": {"level": "WARNING"},
            "django.server": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            "django-q": {"level": "WARNING"},
            # At DEBUG it writes whole requests: secret addresses and signatures.
            "httpcore2": {"level": "INFO"},
        },
    }
