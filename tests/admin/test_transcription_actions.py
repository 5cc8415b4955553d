"""What staff do with the transcriptions that they chose."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.test import AsyncClient, Client

from transcription.admin import transcription_actions
from transcription.models import Segment, Transcription
from transcription.services import export

Status = Transcription.Status
LIST = "/admin/transcription/transcription/"


def done(title: str = "", text: str = "what was said", **fields: Any) -> Transcription:
    row = Transcription.objects.create(
        title=title,
        text=text,
        **{"status": Status.COMPLETED, "step": "over", "duration_seconds": 60.0, **fields},
    )
    Segment.objects.create(
        transcription=row, index=0, start_seconds=0.0, end_seconds=2.0, text=text
    )
    return row


def form(action: str, *rows: Transcription, **more: str) -> dict[str, Any]:
    return {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize(
    ("format_name", "begins"),
    [
        ("txt", b"what was said"),
        ("srt", b"1\n00:00:00,000 -->"),
        ("vtt", b"WEBVTT"),
        ("json", b"{"),
        ("docx", b"PK"),
    ],
)
def test_one_is_exported_as_itself(staff: Client, format_name: str, begins: bytes) -> None:
    row = done("Budget:2026")

    response = staff.post(LIST, form(f"export_{format_name}", row))

    assert response.content.startswith(begins)
    assert f'filename="Budget 2026.{format_name}"' in response.headers["Content-Disposition"]


def test_several_are_exported_in_a_zip_and_what_has_no_text_is_named(staff: Client) -> None:
    rows = [done("Same"), done("same"), done("预算"), done("running", status=Status.PROCESSING)]

    response = staff.post(LIST, form("export_txt", *rows))

    assert response.headers["Content-Type"] == "application/zip"
    packed = zipfile.ZipFile(io.BytesIO(body_of(response)))
    assert packed.testzip() is None
    names = packed.namelist()
    assert len({name.casefold() for name in names}) == 4
    assert {"预算.txt", "left-out.txt"} <= set(names)
    assert packed.read("预算.txt").decode() == "what was said\n"
    assert "running" in packed.read("left-out.txt").decode()


def test_a_table_has_a_line_for_each_and_computes_nothing(staff: Client) -> None:
    done("=1+1", text="-2 degrees", owner=User.objects.create_user("ann"), language="en")
    done("会议")

    response = staff.post(LIST, form("export_csv", *Transcription.objects.all()))

    content = body_of(response)
    assert content.startswith(b"\xef\xbb\xbf")
    assert response.headers["Content-Disposition"].endswith('.csv"')
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert {row["title"] for row in rows} == {"'=1+1", "会议"}
    [mine] = [row for row in rows if row["owner"] == "ann"]
    assert (mine["text"], mine["duration_seconds"], mine["language"]) == (
        "'-2 degrees",
        "60.0",
        "en",
    )


def test_nothing_is_exported_where_there_is_no_text(staff: Client) -> None:
    row = Transcription.objects.create(status=Status.QUEUED)
    said = messages_of(staff.post(LIST, form("export_srt", row), follow=True))
    assert said == ["None of these has a text that could be exported."]


def test_too_many_at_once_are_refused_in_words(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription_actions, "MOST_EXPORTED", 1)
    monkeypatch.setattr(transcription_actions, "MOST_CHANGED", 1)
    rows = [done(), done()]
    for action in ("export_csv", "export_txt", "retry", "cancel", "delete_audio"):
        [said] = messages_of(staff.post(LIST, form(action, *rows), follow=True))
        assert "more than 1, which is the most at once" in said


def test_an_archive_is_made_piece_by_piece(db: None) -> None:
    rows = [done(str(number), text=f"{number} " * 100_000) for number in range(12)]
    ids = [row.pk for row in rows]
    next(export.archive(ids, "txt"))  # what is imported and cached at the first time
    tracemalloc.start()
    sizes = [len(piece) for piece in export.archive(ids, "txt")]
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # A text is a few hundred kB as it is read, joined and packed; all twelve are several MB.
    assert len(sizes) == 13
    assert most < 4_000_000


@pytest.mark.django_db(transaction=True)
def test_it_is_sent_as_it_is_made_under_asgi(root: User) -> None:
    rows = [done("one"), done("two")]

    async def ask() -> bytes:
        browser = AsyncClient()
        await browser.aforce_login(root)
        response = await browser.post(LIST, form("export_json", *rows))
        assert response.is_async
        return b"".join([piece async for piece in response.streaming_content])

    packed = zipfile.ZipFile(io.BytesIO(asyncio.run(ask())))
    assert json.loads(packed.read("one.json"))["text"] == "what was said"
    assert sorted(packed.namelist()) == ["one.json", "two.json"]


def test_the_audio_is_deleted_after_it_was_asked_and_the_text_is_kept(
    staff: Client, data_dir: Path
) -> None:
    row, running = done("Budget"), done("Live", status=Status.PROCESSING, step="recognise")
    for one in (row, running):
        one.audio.save("talk.wav", ContentFile(b"sound"))
    path = Path(row.audio.path)

    asked = staff.post(LIST, form("delete_audio", row, running))
    assert "The recordings of 2 transcriptions are deleted from the disk" in asked.content.decode()
    assert path.exists()

    said = messages_of(
        staff.post(LIST, form("delete_audio", row, running, sure="yes"), follow=True)
    )

    assert said[0] == "The audio of 1 transcription was deleted."
    assert "1 was left as it is: Live: " in said[1]
    assert not path.exists()
    assert Path(running.audio.path).exists()
    row.refresh_from_db()
    assert (row.text, bool(row.audio)) == ("what was said", False)
    page = staff.get(f"{LIST}{row.pk}/change/").content.decode()
    assert "deleted; the text is kept" in page
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.change_message) == (
        str(row.pk),
        "The audio of 1 transcription was deleted.",
    )
    again = staff.post(LIST, form("delete_audio", row, sure="yes"), follow=True)
    assert messages_of(again) == ["There was nothing to do."]


def test_staff_who_may_only_look_may_export_and_no_more(db: None, data_dir: Path) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_transcription"))
    browser = Client()
    browser.force_login(viewer)
    row = done()
    row.audio.save("talk.wav", ContentFile(b"sound"))

    assert browser.post(LIST, form("export_txt", row)).content == b"what was said\n"
    browser.post(LIST, form("delete_audio", row, sure="yes"), follow=True)
    assert Path(row.audio.path).exists()


def test_speed_and_age_are_shown(staff: Client) -> None:
    done(engine_seconds=4.0, model_name="tiny", language="zh")
    html = staff.get(LIST).content.decode()
    for shown in ("0:01:00<br><small>15.0×</small>", "tiny<br><small>zh</small>", " s ago"):
        assert shown in html
    assert "style=" not in html


def test_a_table_costs_few_queries_however_long_it_is(
    db: None, django_assert_num_queries: Any
) -> None:
    ids = [done(str(number)).pk for number in range(60)]
    with django_assert_num_queries(2):
        lines = b"".join(export.table(ids)).decode().splitlines()
    assert len(lines) == 61


def test_texts_are_approved_and_the_list_is_narrowed_by_it(staff: Client, root: User) -> None:
    row, running = done("Budget"), Transcription.objects.create(title="Live")
    other = done("Other")

    said = messages_of(staff.post(LIST, form("approve", row, running), follow=True))

    row.refresh_from_db()
    assert (row.review_state, row.reviewed_by) == ("approved", root)
    assert said[0] == "The text of 1 transcription was approved."
    assert "1 was left as it is: Live: " in said[1]
    again = staff.post(LIST, form("approve", row), follow=True)
    assert messages_of(again) == ["There was nothing to do."]

    def narrowed(review: str) -> list[Transcription]:
        return list(staff.get(LIST, {"review": review}).context["cl"].result_list)

    assert (narrowed("approved"), narrowed("unreviewed")) == ([row], [other])
    html = staff.get(LIST).content.decode()
    assert "Completed<br><small>approved</small>" in html
    assert "Completed<br><small>needs review</small>" in html
