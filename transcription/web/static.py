"""Static files under ASGI."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise, with answers that an ASGI server can send as they are.

    Its own stream the file synchronously, of which Django warns and which it then reads whole.
    The files are small, so they are read whole here.
    """

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """Answer with a file that was found, or the asked part of it, or that it is unchanged."""
        found = static_file.get_response(request.method, request.META)
        response = HttpResponse(status=int(found.status))
        del response["content-type"]  # WhiteNoise's own is the right one
        if found.file is not None:
            with found.file as file:
                response.content = file.read()
        for name, value in found.headers:
            response[name] = value
        return response
