"""``search`` of the list of transcriptions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request

from transcription.services import search


def searched(
    rows: QuerySet[Any],
    query: str,
    request: Request,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Any]:
    """Return the rows of them that have all words of the query in text, title or file name.

    The newest ``search.MOST_HITS`` of a time, which ``since`` and ``until`` bound; a search that
    is not staff's looks only at the caller's own.
    """
    owner_id = None if request.user.is_staff else request.user.pk
    return rows.filter(pk__in=search.find(query, owner_id=owner_id, since=since, until=until))
