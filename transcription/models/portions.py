"""Deletes many rows without keeping everybody else from writing."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

#: Rows that one DELETE removes: nobody else could write for as long as a large one takes.
PORTION = 1_000


def delete_in_portions(rows: QuerySet[Any, Any]) -> int:
    """Delete the rows, in their order, a portion after the other; return how many rows went.

    Counted with what goes along with them. Each portion is a transaction of its own.
    """
    removed = 0
    while keys := list(rows.values_list("pk", flat=True)[:PORTION]):
        removed += rows.model._default_manager.filter(pk__in=keys).delete()[0]
    return removed
