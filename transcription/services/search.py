"""Finds transcriptions by what is said in them, by title and by file name.

One table of terms (``SearchText``) under an index of the database's own. A search gives the
newest hits up to a cap: an index that has to sort or count half a million of them is no quick one.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from datetime import datetime

from django.db import connection, transaction

from transcription.models import SearchText, Transcription
from transcription.text.terms import Query, indexed, parse

logger = logging.getLogger(__name__)

#: A search finds the newest so many; a span of time or more words reach the others.
MOST_HITS = 1_000
#: On PostgreSQL the words of a phrase are looked up, then the newest so many texts that have
#: them all are looked at: their order is not in the index.
MOST_TEXTS_LOOKED_AT = 20_000
#: On PostgreSQL the newest so many rows are searched first, then more of them: a word that half of
#: all texts have is read from a small part of the table, and for a rare one all of it is little.
WINDOWS = (25_000, 200_000)
#: Pages of the index that one step of tidying writes: some 2 MB, a fraction of a second.
TIDY_STEP_PAGES = 500
REBUILD_BATCH = 500


def find(
    query: str,
    *,
    owner_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = MOST_HITS,
) -> list[uuid.UUID]:
    """Return the ids of the newest ``limit`` transcriptions that have all of the query.

    ``owner_id`` None: of everybody. ``since`` and ``until`` bound the time of creation, to the
    millisecond and inclusive: who needs it sharper filters the rows, too. A query without a
    letter or digit finds nothing; there is none that is wrong.
    """
    wanted = parse(query)
    if not wanted:
        return []
    low = 0 if since is None else _milliseconds(since)
    # Numbers were moved on where many came in one millisecond.
    high = 2**62 if until is None else _milliseconds(until) + MOST_HITS
    look_up = _find_postgresql if connection.vendor == "postgresql" else _find_sqlite
    return look_up(wanted, owner_id, low, high, limit)


def remember(pk: uuid.UUID) -> None:
    """Make a transcription be found by what its row says now.

    Called in the transaction that changed title, file name, owner or text, after the change.
    """
    row = Transcription.objects.only("title", "file_name", "owner_id", "created_at", "text").get(
        pk=pk
    )
    words = words_of(row)
    if SearchText.objects.filter(transcription=pk).update(words=words):
        return
    number = _milliseconds(row.created_at)
    created = False
    while not created:
        _, created = SearchText.objects.get_or_create(
            number=number, defaults={"transcription": row, "words": words}
        )
        number += 1


def words_of(row: Transcription) -> str:
    """Return ``SearchText.words`` of a transcription."""
    return f"{_owner_term(row.owner_id)} " + indexed(row.title, row.file_name, row.text)


def rebuild() -> Iterator[int]:
    """Make the table of terms anew from all transcriptions; yield how many are done.

    Rows that come or change meanwhile are right in the end as well: every batch is a transaction.
    """
    done = 0
    after: tuple[datetime, uuid.UUID] | None = None
    while True:
        rows = Transcription.objects.order_by("created_at", "id").values_list("created_at", "pk")
        if after:
            rows = rows.filter(created_at__gte=after[0]).exclude(
                created_at=after[0], pk__lte=after[1]
            )
        batch = list(rows[:REBUILD_BATCH])
        if not batch:
            break
        with transaction.atomic():
            for _, pk in batch:
                # Locked, since a worker may write its text at this moment.
                if Transcription.objects.select_for_update().filter(pk=pk).values("pk"):
                    remember(pk)
        after = batch[-1]
        done += len(batch)
        yield done
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO transcription_search(transcription_search) VALUES ('rebuild')"
            )


def tidy() -> bool:
    """Take the last traces of deleted texts out of the database's files, where there are any.

    SQLite only, in short steps beside the running service; PostgreSQL's autovacuum does the like
    by itself. Return whether no trace is left. False: somebody was reading; try again later.
    """
    if connection.vendor != "sqlite":
        return True
    with connection.cursor() as cursor:
        if not cursor.execute("SELECT 1 FROM transcription_search_deleted").fetchone():
            return True
        if not _deletes_securely():
            _merge_all()
        # The write-ahead log has old pages: it is emptied once nobody reads them any more.
        [is_busy, _, _] = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            return False
        cursor.execute("DELETE FROM transcription_search_deleted")
    return True


# --- SQLite -----------------------------------------------------------------------------------


def _find_sqlite(
    wanted: Query, owner_id: int | None, low: int, high: int, limit: int
) -> list[uuid.UUID]:
    # Within FTS5's quotation marks everything is text, and no term has a mark in it.
    phrases = [f'"{" ".join(phrase)}"' for phrase in wanted.phrases]
    if owner_id is not None:
        phrases.insert(0, f'"{_owner_term(owner_id)}"')
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT told.transcription_id FROM transcription_search AS hit"
            " CROSS JOIN transcription_searchtext AS told ON told.number = hit.rowid"
            " WHERE hit.transcription_search MATCH %s AND hit.rowid BETWEEN %s AND %s"
            " ORDER BY hit.rowid DESC LIMIT %s",
            [" AND ".join(phrases), low, high, limit],
        )
        return [uuid.UUID(pk) for [pk] in cursor.fetchall()]


def _deletes_securely() -> bool:
    """Return whether FTS5 takes deleted terms out of its pages at once: from SQLite 3.42 on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT v FROM transcription_search_config WHERE k = 'secure-delete'")
        row = cursor.fetchone()
    return bool(row and int(row[0]))


def _merge_all() -> None:
    """Merge all parts of the index into one: what was deleted is in none of them afterwards."""
    pages = -TIDY_STEP_PAGES  # negative: begin, whatever the number of parts
    with connection.cursor() as cursor:
        while True:
            before = _total_changes()
            cursor.execute(
                "INSERT INTO transcription_search(transcription_search, rank) VALUES ('merge', %s)",
                [pages],
            )
            # By the manual of FTS5: fewer than two changes say that nothing was left to do.
            if _total_changes() - before < 2:
                return
            pages = TIDY_STEP_PAGES


def _total_changes() -> int:
    return int(connection.connection.total_changes)


# --- PostgreSQL -------------------------------------------------------------------------------


def _find_postgresql(
    wanted: Query, owner_id: int | None, low: int, high: int, limit: int
) -> list[uuid.UUID]:
    terms = list(wanted.terms)
    if owner_id is not None:
        terms.append(_owner_term(owner_id))
    # Neither blank nor % nor _ is in a term, and there are terms before and behind each.
    patterns = [f"% {' '.join(phrase)} %" for phrase in wanted.phrases if len(phrase) > 1]
    in_order = " AND ".join(
        [
            "(SELECT words FROM transcription_searchtext AS told"
            " WHERE told.number = newest.number) LIKE %s"
        ]
        * len(patterns)
    )
    sql = (
        # Materialised: or the planner walks from the newest on and hopes to meet hits soon.
        "WITH hit AS MATERIALIZED ("
        "  SELECT number, transcription_id FROM transcription_searchtext"
        "  WHERE transcription_terms(words) @> %s AND number BETWEEN %s AND %s"
        ") SELECT transcription_id FROM ("
        "  SELECT number, transcription_id FROM hit ORDER BY number DESC LIMIT %s"
        f") AS newest WHERE {in_order or 'TRUE'} LIMIT %s"
    )
    candidates = MOST_TEXTS_LOOKED_AT if patterns else limit
    with transaction.atomic(), connection.cursor() as cursor:
        # Compiling a query costs more than it saves, and reading the whole table always does.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL jit = off")
        hits: list[uuid.UUID] = []
        for rows in (*WINDOWS, None):
            start = low if rows is None else max(low, _number_of_the_newest(rows, high))
            cursor.execute(sql, [terms, start, high, candidates, *patterns, limit])
            hits = [pk for [pk] in cursor.fetchall()]
            if len(hits) >= limit or start == low:
                break
        return hits


def _number_of_the_newest(rows: int, high: int) -> int:
    """Return the number from which on there are so many rows; 0: there are not that many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number FROM transcription_searchtext WHERE number <= %s"
            " ORDER BY number DESC OFFSET %s LIMIT 1",
            [high, rows],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


# --- both -------------------------------------------------------------------------------------


def _owner_term(owner_id: int | None) -> str:
    """Return the term that every text of an owner begins with. No text has one like it."""
    return f"@{owner_id or 0}"


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
