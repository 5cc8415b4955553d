"""``/api/v1/schema/`` and ``/api/v1/docs/``: the description as a file, and as a page."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny

from transcription.api.schema import callers, glossary, openai_routes, review, routes

#: They are found by having been imported.
DESCRIPTIONS = (callers, glossary, openai_routes, review, routes)


@cache
def _described() -> Any:
    # In English for all: most of it are docstrings, and half of two languages is neither.
    with translation.override("en"):
        return SchemaGenerator().get_schema(request=None, public=True)


class KeptGenerator(SchemaGenerator):
    """Makes the description once: it is the same for every caller."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        return _described()


class SchemaView(SpectacularAPIView):
    """The description of this API (OpenAPI 3). For anybody: there is nothing secret in it."""

    renderer_classes = [OpenApiJsonRenderer, OpenApiJsonRenderer2]
    authentication_classes = []
    permission_classes = [AllowAny]
    generator_class = KeptGenerator


class DocsView(SpectacularSwaggerSplitView):
    """A page to read the description on and to try calls; nothing of it comes from elsewhere."""

    authentication_classes = []
    permission_classes = [AllowAny]
    url_name = "schema"
