"""The audit: an entry and what it speaks of are one, and it gives nobody's words away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import DatabaseError, connection
from django.utils import timezone

from asr_project.logs import request_id
from transcription.models import ApiToken, AuditEntry, Transcription, portions
from transcription.services import audit, tokens
from transcription.services.remove import remove, remove_audio

Action, Via = AuditEntry.Action, AuditEntry.Via
#: What nobody may find in the audit.
SECRETS = {"title": "the merger", "file_name": "merger.wav", "text": "we buy them"}


@pytest.fixture
def row(ann: User, data_dir: Path) -> Transcription:
    row = Transcription.objects.create(
        owner=ann, status="completed", step="over", completed_at=timezone.now(), **SECRETS
    )
    row.audio.save("merger.wav", ContentFile(b"sound"))
    return row


@pytest.fixture
def bobs(bob: User) -> audit.Actor:
    return audit.Actor(via=Via.PAGE, user=bob)


@contextmanager
def nothing_can_be_entered() -> Iterator[None]:
    """The database refuses every entry, as a full disk would."""
    table = AuditEntry._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table}_away RENAME TO {table}")


def said() -> dict[str, Any]:
    """The only entry, by its fields."""
    return AuditEntry.objects.values().get()


def test_a_deletion_says_who_what_whose_and_by_which_request(
    row: Transcription, bob: User, bobs: audit.Actor
) -> None:
    with request_id("abc123"):
        remove(row, bobs)

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_type, entry.object_id) == (
        Action.TRANSCRIPTION_DELETED,
        "transcription",
        str(row.pk),
    )
    assert (entry.actor, entry.actor_name, entry.via, entry.owner_name) == (
        bob,
        "bob",
        "page",
        "ann",
    )
    assert (entry.request_id, entry.batch, entry.count) == ("abc123", None, 1)
    assert timezone.now() - entry.at < timedelta(minutes=1)


def test_what_is_deleted_twice_is_entered_once(row: Transcription, bobs: audit.Actor) -> None:
    assert remove_audio(row, bobs) is True
    assert remove_audio(Transcription.objects.get(), bobs) is False
    remove(row, bobs)
    remove(row, bobs)
    assert sorted(AuditEntry.objects.values_list("action", flat=True)) == [
        Action.AUDIO_DELETED,
        Action.TRANSCRIPTION_DELETED,
    ]


@pytest.mark.django_db(transaction=True)
def test_where_nothing_can_be_entered_nothing_is_deleted_or_revoked(
    row: Transcription, ann: User, bobs: audit.Actor
) -> None:
    token, secret = tokens.create(ann, name="web shop")
    with nothing_can_be_entered():
        with pytest.raises(DatabaseError):
            remove_audio(row, bobs)
        with pytest.raises(DatabaseError):
            remove(row, bobs)
        with pytest.raises(DatabaseError):
            tokens.revoke(token, bobs)
        with pytest.raises(DatabaseError):
            tokens.delete(ApiToken.objects.all(), bobs)

    # The row says still that it has audio, so that the deletion can be asked for again.
    kept = Transcription.objects.get()
    assert (kept.text, bool(kept.audio)) == (SECRETS["text"], True)
    assert tokens.is_usable(secret)
    assert not AuditEntry.objects.exists()
    assert remove_audio(kept, bobs) is True
    remove(row, bobs)
    assert not Transcription.objects.exists()


def test_where_the_row_cannot_be_deleted_there_is_no_entry(
    row: Transcription, bobs: audit.Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object) -> None:
        raise DatabaseError("no")

    monkeypatch.setattr(Transcription, "delete", refuse)
    with pytest.raises(DatabaseError):
        remove(row, bobs)
    assert not AuditEntry.objects.exists()


def test_no_text_title_or_file_name_is_in_any_entry(row: Transcription, bobs: audit.Actor) -> None:
    audit.note_exported(row, bobs, "srt")
    audit.note_exported_together([(row.pk, "ann")], bobs, "csv")
    audit.note_heard(row, bobs)
    remove_audio(row, bobs)
    remove(row, bobs)

    everything = str(list(AuditEntry.objects.values()))
    assert AuditEntry.objects.count() == 5
    for secret in (*SECRETS.values(), "merger"):
        assert secret not in everything


def test_an_export_of_many_has_an_entry_for_each_under_one_batch(ann: User, bob: User) -> None:
    rows = [Transcription.objects.create(owner=owner) for owner in (ann, bob, None)]
    owners = Transcription.objects.values_list("pk", "owner__username")
    audit.note_exported_together(owners, audit.Actor(via=Via.ADMIN, user=bob), "docx")

    entries = {entry.object_id: entry for entry in AuditEntry.objects.all()}
    assert set(entries) == {str(row.pk) for row in rows}
    assert [entries[str(row.pk)].owner_name for row in rows] == ["ann", "bob", ""]
    assert {(entry.batch, entry.count) for entry in entries.values()} == {
        (entries[str(rows[0].pk)].batch, 3)
    }
    assert entries[str(rows[0].pk)].batch is not None


def test_ten_thousand_are_entered_by_a_few_statements(
    bob: User, django_assert_max_num_queries: Any
) -> None:
    ids = [(Transcription().pk, "ann") for _ in range(10_000)]
    # SQLite takes some seventy at a time.
    with django_assert_max_num_queries(150):
        audit.note_exported_together(ids, audit.Actor(via=Via.ADMIN, user=bob), "csv")
    assert AuditEntry.objects.filter(count=10_000).count() == 10_000


def test_a_player_that_fetches_many_parts_is_entered_once_an_hour_and_person(
    row: Transcription, ann: User, bobs: audit.Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        audit.note_heard(row, bobs)
    assert AuditEntry.objects.count() == 1
    audit.note_heard(row, audit.Actor(via=Via.PAGE, user=ann))
    audit.note_heard(Transcription.objects.create(), bobs)
    assert AuditEntry.objects.filter(action=Action.EXPORTED, detail="audio").count() == 3
    later = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    audit.note_heard(row, bobs)
    assert AuditEntry.objects.count() == 4


def test_parts_that_come_at_the_same_moment_are_one_entry_too(
    row: Transcription, bobs: audit.Actor
) -> None:
    audit.note_heard(row, bobs)
    mark = AuditEntry.objects.get().once
    # As the other request, which looked before this one was written.
    entry = AuditEntry(once=mark, via=Via.PAGE, action=Action.EXPORTED)
    AuditEntry.objects.bulk_create([entry], ignore_conflicts=True)
    assert AuditEntry.objects.count() == 1


def test_an_account_that_is_deleted_leaves_its_entries_with_its_name(
    row: Transcription, bob: User, bobs: audit.Actor
) -> None:
    remove(row, bobs)
    bob.delete()
    assert said()["actor_id"] is None
    assert said()["actor_name"] == "bob"


def test_a_revoked_token_is_entered_by_its_beginning_and_once(
    ann: User, bob: User, bobs: audit.Actor
) -> None:
    row, secret = tokens.create(ann, name="web shop")
    number = str(row.pk)
    assert tokens.revoke(row, bobs) is True
    assert tokens.revoke(row, bobs) is False
    tokens.delete(ApiToken.objects.filter(pk=row.pk), bobs)

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_type, entry.object_id, entry.owner_name, entry.detail) == (
        Action.TOKEN_REVOKED,
        "token",
        number,
        "ann",
        secret[:12],
    )
    assert secret not in str(said())


def test_a_token_that_is_deleted_was_revoked_by_that(ann: User, bobs: audit.Actor) -> None:
    for number in range(2):
        tokens.create(ann, name=f"token {number}")
    tokens.delete(ApiToken.objects.all(), bobs)
    assert not ApiToken.objects.exists()
    assert AuditEntry.objects.filter(action=Action.TOKEN_REVOKED, owner_name="ann").count() == 2


def test_entries_are_forgotten_when_their_time_is_over_and_no_others(
    settings: Any, bobs: audit.Actor, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portions, "PORTION", 2)
    audit.note_exported_together([(Transcription().pk, "ann") for _ in range(6)], bobs, "txt")
    old = AuditEntry.objects.values_list("pk", flat=True)[:5]
    AuditEntry.objects.filter(pk__in=list(old)).update(at=timezone.now() - timedelta(days=366))
    assert audit.forget_old() == 5
    assert AuditEntry.objects.count() == 1
    settings.AUDIT_KEPT_DAYS = 400
    AuditEntry.objects.update(at=timezone.now() - timedelta(days=366))
    assert audit.forget_old() == 0


def test_a_command_is_entered_under_the_systems_account() -> None:
    actor = audit.Actor.of_command()
    assert (actor.via, actor.user) == (Via.COMMAND, None)
    assert actor.name
