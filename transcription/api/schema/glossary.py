"""What the glossary's routes take and may refuse."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import extend_schema

from transcription.api.glossary import ListQuery
from transcription.api.schema.parts import codes, described
from transcription.models import GlossaryTerm

_OF_A_TERM = ("glossary_term_invalid", "glossary_term_there", "unknown_language")


class Glossary(OpenApiViewExtension):
    """``/api/v1/glossary/``."""

    target_class = "transcription.api.glossary.GlossaryViewSet"

    def view_replacement(self) -> Any:
        return described(
            self.target,
            list=extend_schema(parameters=[ListQuery], extensions=codes("invalid")),
            create=extend_schema(
                extensions=codes(*_OF_A_TERM, "glossary_full", "glossary_not_yours")
            ),
            partial_update=extend_schema(extensions=codes(*_OF_A_TERM, "glossary_not_yours")),
            destroy=extend_schema(extensions=codes("glossary_not_yours")),
            rows=GlossaryTerm.objects.none(),
        )
