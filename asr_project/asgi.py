"""The application that the web server runs."""

import os

import django
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "asr_project.settings")
django.setup(set_prefix=False)

# Django must be set up before these are imported.
from transcription.web.body_limit import BodyLimit  # noqa: E402
from transcription.web.handler import WebHandler  # noqa: E402
from transcription.web.watcher import watcher  # noqa: E402
from transcription.work.stopping import stop_requested  # noqa: E402

# The addresses are loaded now: the first request need not wait for it.
_ = get_resolver().url_patterns
watcher.stop_when(stop_requested)
application = BodyLimit(WebHandler())
