"""The search, and indexes for what lists may be narrowed to."""

import django.db.models.deletion
from django.db import migrations, models

from transcription.text.terms import indexed

SQLITE = [
    # Its words are those of the table: they are not stored twice. ASCII is cut at everything but
    # letters, digits and "@", all other signs are taken as they are: the terms come ready-made.
    """CREATE VIRTUAL TABLE transcription_search USING fts5(
        words, content='transcription_searchtext', content_rowid='number',
        columnsize=0, tokenize="ascii tokenchars '@'")""",
    """CREATE TRIGGER transcription_search_insert AFTER INSERT ON transcription_searchtext BEGIN
        INSERT INTO transcription_search(rowid, words) VALUES (new.number, new.words);
    END""",
    """CREATE TRIGGER transcription_search_delete AFTER DELETE ON transcription_searchtext BEGIN
        INSERT INTO transcription_search(transcription_search, rowid, words)
        VALUES ('delete', old.number, old.words);
        INSERT OR IGNORE INTO transcription_search_deleted VALUES (1);
    END""",
    """CREATE TRIGGER transcription_search_update AFTER UPDATE OF words ON transcription_searchtext
    WHEN old.words <> new.words BEGIN
        INSERT INTO transcription_search(transcription_search, rowid, words)
        VALUES ('delete', old.number, old.words);
        INSERT INTO transcription_search(rowid, words) VALUES (new.number, new.words);
    END""",
    # Says that traces of deleted words are left; a text that only grew (by its words behind the
    # title, when a recording is finished) leaves none. "@@" ends the words.
    "CREATE TABLE transcription_search_deleted (one INTEGER PRIMARY KEY CHECK (one = 1))",
    """CREATE TRIGGER transcription_search_shrink AFTER UPDATE OF words ON transcription_searchtext
    WHEN substr(new.words, 1, instr(old.words, '@@') - 1)
      <> substr(old.words, 1, instr(old.words, '@@') - 1) BEGIN
        INSERT OR IGNORE INTO transcription_search_deleted VALUES (1);
    END""",
]
POSTGRESQL = [
    # Taking a text apart is what a search has to avoid, and the planner is told so by the cost.
    """CREATE FUNCTION transcription_terms(words text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10000
    AS $$ BEGIN RETURN string_to_array(words, ' '); END $$""",
    # An array and not a tsvector: that takes 1 MB and 16,383 positions, less than a recording of
    # hours has. Without the list of pending entries a search costs the same at any time.
    """CREATE INDEX transcription_search ON transcription_searchtext
    USING gin (transcription_terms(words)) WITH (fastupdate = off)""",
]
#: From here on FTS5 can take deleted terms out of its pages at once.
SECURE_DELETE_SINCE = (3, 42)


def fill(apps, schema_editor):
    """Write the terms of the transcriptions that are there."""
    Transcription = apps.get_model("transcription", "Transcription")
    SearchText = apps.get_model("transcription", "SearchText")
    number, batch = 0, []
    rows = Transcription.objects.order_by("created_at", "id").only(
        "created_at", "owner_id", "title", "file_name", "text"
    )
    for row in rows.iterator(chunk_size=500):
        number = max(number + 1, int(row.created_at.timestamp() * 1000))
        words = indexed(row.title, row.file_name, row.text)
        batch.append(
            SearchText(
                number=number, transcription=row, words=f"@{row.owner_id or 0} {words}"
            )
        )
        if len(batch) >= 500:
            SearchText.objects.bulk_create(batch)
            batch = []
    SearchText.objects.bulk_create(batch)


def make_index(apps, schema_editor):
    database = schema_editor.connection
    statements = POSTGRESQL if database.vendor == "postgresql" else SQLITE
    with database.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        if database.vendor == "sqlite" and database.Database.sqlite_version_info >= SECURE_DELETE_SINCE:
            cursor.execute(
                "INSERT INTO transcription_search(transcription_search, rank)"
                " VALUES ('secure-delete', 1)"
            )


def remove_index(apps, schema_editor):
    # The index and the triggers go with the table of the terms.
    if schema_editor.connection.vendor == "sqlite":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("DROP TABLE transcription_search")
            cursor.execute("DROP TABLE transcription_search_deleted")
    else:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("DROP INDEX transcription_search")
            cursor.execute("DROP FUNCTION transcription_terms")


class Migration(migrations.Migration):
    dependencies = [
        ("transcription", "0006_identity_and_limits"),
    ]

    operations = [
        migrations.CreateModel(
            name="SearchText",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "transcription",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="transcription.transcription",
                    ),
                ),
                ("words", models.TextField()),
            ],
        ),
        migrations.AddIndex(
            model_name="transcription",
            index=models.Index(
                fields=["status", "-created_at", "-id"], name="transcription_by_status"
            ),
        ),
        migrations.AddIndex(
            model_name="transcription",
            index=models.Index(
                fields=["language", "-created_at", "-id"], name="transcription_by_language"
            ),
        ),
        migrations.AddIndex(
            model_name="transcription",
            index=models.Index(
                fields=["model_name", "-created_at", "-id"], name="transcription_by_model"
            ),
        ),
        migrations.AddIndex(
            model_name="transcription",
            index=models.Index(
                fields=["owner", "status", "-created_at", "-id"],
                name="transcription_owner_status",
            ),
        ),
        migrations.AddIndex(
            model_name="transcription",
            index=models.Index(
                fields=["owner", "language", "-created_at", "-id"],
                name="transcription_owner_language",
            ),
        ),
        # In this order: PostgreSQL alters no table with rows whose keys are still to be checked.
        migrations.RunPython(make_index, remove_index),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
