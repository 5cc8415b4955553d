"""Static files under ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise, at home in both worlds.

    Its own middleware is synchronous: under ASGI every request would occupy a thread from here
    on, and Django warns of each file that it sends. The files are small, so they are sent whole.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._answer(request)
        return cast(HttpResponseBase, super().__call__(request))

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if not path.startswith(self.static_prefix):
            return cast(HttpResponseBase, await self.get_response(request))
        response: HttpResponseBase | None = await sync_to_async(self._find)(request)
        return response or cast(HttpResponseBase, await self.get_response(request))

    def _find(self, request: HttpRequest) -> HttpResponseBase | None:
        path = request.path_info
        found = self.find_file(path) if self.autorefresh else self.files.get(path)
        return self.serve(found, request) if found is not None else None

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
