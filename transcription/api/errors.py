"""Every error leaves by this door: which one it is, and the shape that its address promises.

The transcribe route answers in the envelope ``{"code": number, "message": words, "data": null}``;
every other address in ``{"code": "stable_code", "message": words, "request_id": …}``, with
``errors`` (field and message each) where single fields are at fault.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.core import exceptions as django_exceptions
from django.core.files.storage import storages  # noqa: F401  (documented: no storage is touched)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from asr_project.logs import current_request_id
from transcription.services.errors import ServiceError

logger = logging.getLogger(__name__)
