"""The chunks of recordings, for whoever looks into why a text is as it is."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from transcription.admin.common import ReadOnlyAdmin
from transcription.models import Chunk


@admin.register(Chunk)
class ChunkAdmin(ReadOnlyAdmin):
    """Reached from the page of a transcription, by its link."""

    list_display = (
        "start",
        "length",
        "state",
        "attempts",
        "language",
        "finish_reason",
        "engine_seconds",
        "beginning",
    )
    list_filter = ("state",)
    list_per_page = 50
    # The oldest first would sort the whole table; by key it is read in its order.
    ordering = ("transcription_id", "start_sample")

    def lookup_allowed(self, lookup: str, value: str, request: object = None) -> bool:
        return lookup == "transcription__id__exact" or super().lookup_allowed(
            lookup,
            value,
            request,  # type: ignore[arg-type]
        )

    @admin.display(description=_("start"), ordering="start_sample")
    def start(self, chunk: Chunk) -> str:
        return f"{chunk.start_sample / 16_000:.2f} s"

    @admin.display(description=_("length"))
    def length(self, chunk: Chunk) -> str:
        return f"{chunk.duration_seconds:.2f} s"

    @admin.display(description=_("text"))
    def beginning(self, chunk: Chunk) -> str:
        return chunk.text if len(chunk.text) <= 80 else chunk.text[:80] + "…"
