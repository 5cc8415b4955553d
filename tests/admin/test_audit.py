"""The audit in the admin: what is done there is entered, and nobody changes an entry."""

from __future__ import annotations

import io
import re
import uuid
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from transcription.admin import common
from transcription.models import ApiToken, AuditEntry, Transcription
from transcription.services import audit, tokens

Action = AuditEntry.Action
LIST = "/admin/transcription/auditentry/"
TRANSCRIPTIONS = "/admin/transcription/transcription/"
TOKENS = "/admin/transcription/apitoken/"


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann")


def done(owner: User | None = None, **fields: Any) -> Transcription:
    facts = {"status": "completed", "step": "over", "text": "what was said", "title": "Budget"}
    return Transcription.objects.create(owner=owner, **{**facts, **fields})


def act(browser: Client, address: str, action: str, *rows: Any, **more: str) -> Any:
    chosen = [str(row.pk) for row in rows]
    return browser.post(
        address, {"action": action, "_selected_action": chosen, **more}, follow=True
    )


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def entered(action: str) -> list[tuple[str, str, str, str]]:
    return sorted(
        AuditEntry.objects.filter(action=action).values_list(
            "actor_name", "via", "object_id", "owner_name"
        )
    )


# --- what is entered --------------------------------------------------------------------------


def test_those_that_are_deleted_together_are_entered_once_each(
    staff: Client, ann: User, data_dir: Path
) -> None:
    rows = [done(ann), done(), done(ann, status="processing", step="recognise")]
    kept = done(ann)
    rows[0].audio.save("talk.wav", ContentFile(b"sound"))
    path = Path(rows[0].audio.path)

    asked = act(staff, TRANSCRIPTIONS, "delete_for_good", *rows).content.decode()
    assert "3 transcriptions are deleted with their recordings, texts and reviews." in asked
    assert path.exists()
    assert not AuditEntry.objects.exists()

    answer = act(staff, TRANSCRIPTIONS, "delete_for_good", *rows, sure="yes")

    assert messages_of(answer) == ["3 transcriptions were deleted for good."]
    assert list(Transcription.objects.all()) == [kept]
    assert not path.exists()
    assert entered(Action.TRANSCRIPTION_DELETED) == sorted(
        ("root", "admin", str(row.pk), row.owner.username if row.owner else "") for row in rows
    )
    # The admin's own log would have kept their titles.
    assert not LogEntry.objects.exists()


def test_a_file_that_cannot_be_deleted_keeps_its_recording_and_no_other(
    staff: Client, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = done(title="Bad"), done(title="Good")
    for row in (bad, good):
        row.audio.save(f"{row.pk}.wav", ContentFile(b"sound"))
    delete = FileSystemStorage.delete

    def refuse_one(self: Any, name: str) -> None:
        if name == bad.audio.name:
            raise OSError(30, "Read-only file system")
        delete(self, name)

    monkeypatch.setattr(FileSystemStorage, "delete", refuse_one)
    said = messages_of(act(staff, TRANSCRIPTIONS, "delete_for_good", bad, good, sure="yes"))

    assert said[0] == "1 transcription was deleted for good."
    assert "1 was left as it is: Bad: Read-only file system" in said[1]
    assert [entry[2] for entry in entered(Action.TRANSCRIPTION_DELETED)] == [str(good.pk)]


def test_only_who_may_delete_is_offered_it(db: None) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    may = Permission.objects.filter(
        codename__in=["view_transcription", "change_transcription"],
        content_type__app_label="transcription",
    )
    clerk.user_permissions.set(may)
    browser = Client()
    browser.force_login(clerk)
    row = done()

    assert "delete_for_good" not in browser.get(TRANSCRIPTIONS).content.decode()
    act(browser, TRANSCRIPTIONS, "delete_for_good", row, sure="yes")
    assert Transcription.objects.exists()

    clerk.user_permissions.add(Permission.objects.get(codename="delete_transcription"))
    act(browser, TRANSCRIPTIONS, "delete_for_good", row, sure="yes")
    assert not Transcription.objects.exists()


def test_audio_that_is_deleted_is_entered(staff: Client, ann: User, data_dir: Path) -> None:
    row, without = done(ann), done(ann)
    row.audio.save("talk.wav", ContentFile(b"sound"))
    act(staff, TRANSCRIPTIONS, "delete_audio", row, without, sure="yes")
    assert entered(Action.AUDIO_DELETED) == [("root", "admin", str(row.pk), "ann")]


@pytest.mark.parametrize("format_name", ["txt", "srt", "vtt", "json", "docx"])
def test_what_is_exported_is_entered_and_what_has_no_text_is_not(
    staff: Client, ann: User, format_name: str
) -> None:
    rows = [done(ann), done()]
    queued = Transcription.objects.create()
    answer = staff.post(
        TRANSCRIPTIONS,
        {
            "action": f"export_{format_name}",
            "_selected_action": [str(row.pk) for row in (*rows, queued)],
        },
    )

    # Before the first byte has left.
    assert len(entered(Action.EXPORTED)) == 2
    packed = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert len(packed.namelist()) == 3
    assert {entry[2] for entry in entered(Action.EXPORTED)} == {str(row.pk) for row in rows}
    assert set(AuditEntry.objects.values_list("detail", "count")) == {(format_name, 2)}
    assert AuditEntry.objects.values("batch").distinct().count() == 1


def test_a_text_that_comes_while_the_others_are_sent_stays_out(staff: Client) -> None:
    rows = [done(), done(status="processing", step="recognise", title="Live")]
    answer = staff.post(
        TRANSCRIPTIONS,
        {"action": "export_txt", "_selected_action": [str(row.pk) for row in rows]},
    )
    Transcription.objects.update(status="completed", step="over")
    packed = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert sorted(packed.namelist()) == ["Budget.txt", "left-out.txt"]
    assert [entry[2] for entry in entered(Action.EXPORTED)] == [str(rows[0].pk)]


def test_one_alone_and_a_table_are_entered_too(staff: Client, ann: User) -> None:
    row = done(ann)
    act(staff, TRANSCRIPTIONS, "export_txt", row)
    queued = Transcription.objects.create()
    staff.post(
        TRANSCRIPTIONS,
        {"action": "export_csv", "_selected_action": [str(row.pk), str(queued.pk)]},
    )
    # In the table are the titles of both.
    found = sorted(AuditEntry.objects.values_list("detail", "object_id", "count"))
    assert found == sorted(
        [("txt", str(row.pk), 1), ("csv", str(row.pk), 2), ("csv", str(queued.pk), 2)]
    )


def test_nothing_is_exported_that_cannot_be_entered(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **more: object) -> None:
        raise RuntimeError("the database fails")

    monkeypatch.setattr(AuditEntry.objects, "bulk_create", refuse)
    with pytest.raises(RuntimeError):
        act(staff, TRANSCRIPTIONS, "export_csv", done())


def test_tokens_that_are_revoked_or_deleted_are_entered(staff: Client, ann: User) -> None:
    rows = [tokens.create(ann, name=f"token {number}")[0] for number in range(4)]
    numbers = [str(row.pk) for row in rows]
    act(staff, TOKENS, "revoke", rows[0], rows[1])
    act(staff, TOKENS, "delete_selected", rows[1], rows[2], post="yes")
    staff.post(f"{TOKENS}{rows[3].pk}/delete/", {"post": "yes"})

    assert ApiToken.objects.count() == 1
    assert entered(Action.TOKEN_REVOKED) == sorted(
        ("root", "admin", number, "ann") for number in numbers
    )


def test_an_end_that_is_past_is_a_revocation_and_another_name_is_none(
    staff: Client, ann: User
) -> None:
    row, _token = tokens.create(ann, name="web shop")
    page = f"{TOKENS}{row.pk}/change/"
    past = {"expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"}
    staff.post(page, {"name": "web shop", "expires_at_0": "2090-01-01", "expires_at_1": "00:00:00"})
    assert entered(Action.TOKEN_REVOKED) == []
    staff.post(page, {"name": "web shop", **past})
    staff.post(page, {"name": "old web shop", **past})
    assert ApiToken.objects.get().name == "old web shop"
    assert entered(Action.TOKEN_REVOKED) == [("root", "admin", str(row.pk), "ann")]


def test_the_tokens_of_an_account_end_with_it_and_its_entries_stay(
    staff: Client, ann: User
) -> None:
    numbers = [str(tokens.create(ann, name=f"token {one}")[0].pk) for one in range(2)]
    audit.note_exported(done(), audit.Actor(via=audit.Via.PAGE, user=ann), "txt")
    bob = User.objects.create_user("bob")
    numbers.append(str(tokens.create(bob, name="of bob")[0].pk))

    staff.post(f"/admin/auth/user/{ann.pk}/delete/", {"post": "yes"})
    act(staff, "/admin/auth/user/", "delete_selected", bob, post="yes")

    assert list(User.objects.values_list("username", flat=True)) == ["root"]
    assert [one[2] for one in entered(Action.TOKEN_REVOKED)] == sorted(numbers)
    entry = AuditEntry.objects.get(action=Action.EXPORTED)
    assert (entry.actor, entry.actor_name) == (None, "ann")


# --- the list ---------------------------------------------------------------------------------


@pytest.fixture
def entries(ann: User, root: User) -> list[AuditEntry]:
    row = done(ann)
    audit.note_exported(row, audit.Actor(via=audit.Via.PAGE, user=ann), "srt")
    audit.note_deleted(row, audit.Actor(via=audit.Via.ADMIN, user=root))
    audit.note_audio_deleted(done(), audit.RETENTION)
    audit.note_revoked(
        tokens.create(ann, name="t")[0],
        audit.Actor(via=audit.Via.API, user=ann, token_name="web shop (asr_12345678…)"),
    )
    return list(AuditEntry.objects.order_by("pk"))


def test_nobody_changes_adds_or_deletes_an_entry_not_even_a_superuser(
    staff: Client, entries: list[AuditEntry]
) -> None:
    page = f"{LIST}{entries[0].pk}"
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    assert staff.post(f"{page}/change/", {"actor_name": "nobody"}).status_code == 403
    act(staff, LIST, "delete_selected", *entries, post="yes")
    assert list(AuditEntry.objects.order_by("pk")) == entries
    shown = staff.get(f"{page}/change/").content.decode()
    assert "ann" in shown
    assert 'name="_save"' not in shown


def test_who_may_not_see_it_does_not(entries: list[AuditEntry]) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    browser = Client()
    browser.force_login(clerk)
    assert browser.get(LIST).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    assert browser.get(LIST).status_code == 200


def test_the_list_says_it_in_words(staff: Client, entries: list[AuditEntry]) -> None:
    page = staff.get(LIST).content.decode()
    for words in (
        *("transcription deleted", "audio deleted", "token revoked", "exported"),
        *("the retention period", "the service", "web shop (asr_12345678…)", "srt"),
    ):
        assert words in page
    assert "Budget" not in page


def narrowed(staff: Client, **query: str) -> list[int]:
    return sorted(row.pk for row in staff.get(LIST, query).context["cl"].result_list)


def test_it_is_narrowed_and_searched(staff: Client, entries: list[AuditEntry], root: User) -> None:
    exported, deleted, audio, revoked = (entry.pk for entry in entries)
    AuditEntry.objects.filter(pk=audio).update(at=timezone.now() - timedelta(days=40))
    today = str(timezone.localdate())

    assert narrowed(staff, action__exact="exported") == [exported]
    assert narrowed(staff, via__exact="retention") == [audio]
    assert narrowed(staff, created_from=today) == [exported, deleted, revoked]
    assert narrowed(staff, created_to=str(timezone.localdate() - timedelta(days=30))) == [audio]
    assert narrowed(staff, q=entries[0].object_id) == [exported, deleted]
    assert narrowed(staff, q=entries[0].object_id.upper()) == [exported, deleted]
    assert narrowed(staff, q=entries[3].object_id) == [revoked]
    assert narrowed(staff, q=" ann ") == [exported, revoked]
    assert narrowed(staff, q="an") == []
    assert narrowed(staff, q=str(uuid.uuid4())) == []
    User.objects.filter(pk=root.pk).update(username="12")
    AuditEntry.objects.filter(pk=deleted).update(actor_name="12345")
    assert narrowed(staff, q="12345") == [deleted]


def test_counting_ends_at_a_limit(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "COUNT_LIMIT", 60)
    by = audit.Actor(via=audit.Via.COMMAND, name="ann")
    audit.note_exported_together([(uuid.uuid4(), "ann") for _ in range(130)], by, "txt")
    page = staff.get(LIST)
    assert page.context["cl"].result_count == 60
    assert "more than 60" in page.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"p": "2"},
        {"action__exact": "exported"},
        {"via__exact": "command"},
        {"via__exact": "command", "action__exact": "exported"},
        {"created_from": "2020-01-01", "created_to": "2999-01-01"},
        {"action__exact": "exported", "created_from": "2020-01-01"},
        {"q": "ann"},
        {"q": str(uuid.UUID(int=7))},
        {"q": "17"},
    ],
)
def test_every_page_of_it_goes_along_an_index(staff: Client, query: dict[str, str]) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL plans by the number of rows, and these are few")
    by = audit.Actor(via=audit.Via.COMMAND, name="ann")
    audit.note_exported_together([(uuid.UUID(int=n), "ann") for n in range(200)], by, "txt")

    with CaptureQueriesContext(connection) as asked:
        assert staff.get(LIST, query).status_code == 200

    selects = [one["sql"] for one in asked.captured_queries if "auditentry" in one["sql"]]
    assert len(selects) >= 2
    for sql in selects:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + sql.replace("%", "%%"), ())
            plan = "\n".join(row[3] for row in cursor.fetchall())
        assert not re.search(r"SCAN transcription_auditentry(?! USING)", plan), (sql, plan)
        assert "USE TEMP B-TREE" not in plan, (sql, plan)
