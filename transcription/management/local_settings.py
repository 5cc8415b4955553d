"""Settings of a pipeline that one command runs for itself; see ``transcription.management.local``.

The service's own settings, on a private data directory that the command names in the environment.
"""

from asr_project.settings import *  # noqa: F403
from asr_project.settings import DATABASES

# Recordings stay where they are; below MEDIA_ROOT lie links to them.
STORAGES = {
    "default": {"BACKEND": "transcription.management.linked_storage.LinkedStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Nothing of this database outlives the command, so nothing need be written through to the disk.
DATABASES = {
    "default": {
        **DATABASES["default"],
        "OPTIONS": {
            **DATABASES["default"]["OPTIONS"],
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
    }
}
