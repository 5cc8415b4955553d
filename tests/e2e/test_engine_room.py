"""The engine room in a real browser, over the whole service with its real workers."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.utils import translation

from tests.e2e.conftest import Browser, until
from transcription.management.benchmarks.common import Measured, measured_service

PASSWORD = "correct horse battery"
ROOM = "/admin/transcription/engine-room/"


@pytest.fixture
def service() -> Iterator[Measured]:
    with measured_service(
        engine="fake",
        # So that a load can be seen to be under way.
        model_options={"chunk_seconds": 30, "options": {"load_seconds": 1.0}},
        environment={"ASR_TICK_SECONDS": "0.5", "ASR_SYNC_WAIT_SECONDS": "1"},
    ) as measured:
        # Whoever sends recordings there looks after the service, too.
        with closing(sqlite3.connect(measured.data_dir / "db.sqlite3", timeout=30.0)) as database:
            database.execute(
                "UPDATE auth_user SET is_staff = 1, is_superuser = 1, password = ?",
                [PBKDF2PasswordHasher().encode(PASSWORD, "salt")],
            )
            database.commit()
        yield measured


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_model_is_reloaded_and_the_queue_paused_and_resumed(
    browser: Browser, service: Measured, language: str
) -> None:
    root = service.service.url
    speech = (settings.BASE_DIR / "samples" / "english.wav").read_bytes()

    def upload() -> dict[str, Any]:
        return dict(service.client.transcribe("talk.wav", speech, {}).body)

    def said(words: str, **facts: object) -> str:
        with translation.override(language):
            return translation.gettext(words) % facts

    def scenario(page: Any) -> None:
        problems: list[str] = []
        waiting = said("Recordings waiting")
        page.context.add_cookies([{"name": "django_language", "value": language, "url": root}])
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{root}/admin/")
        page.fill("[name=username]", "benchmark")
        page.fill("[name=password]", PASSWORD)
        page.click("[type=submit]")
        page.get_by_role("link", name=said("Engine room: is everything running?")).click()

        # The page follows the workers by itself, and the focus stays where it is.
        page.get_by_role("row", name=re.compile("engine-0")).get_by_text("fake").wait_for()
        reload = page.locator("a[id^=reload-]")
        reload.focus()
        page.get_by_text(said("serving %(serving)s", serving=1)).wait_for()
        page.evaluate("document.getElementById('models').dataset.old = 'yes'")
        until(page, "!document.getElementById('models').dataset.old")
        assert "/reload/" in page.evaluate("document.activeElement.href")

        # A reload is asked for, confirmed by the keyboard, and followed to its end.
        page.keyboard.press("Enter")
        page.get_by_role("heading", name=said("Reload %(model)s", model="fake")).wait_for()
        page.get_by_label(said("Directory of the weights")).press("Enter")
        outcome = page.get_by_role("status")
        begun = (
            "%(model)s is being loaded: %(loaded)d of %(all)d workers have generation "
            "%(generation)d. What was loaded before goes on serving."
        )
        facts = {"model": "fake", "generation": 2}
        outcome.filter(has_text=said(begun, **facts, loaded=0, all=1)).wait_for()
        done = "Done: every worker has generation %(generation)d of %(model)s."
        outcome.filter(has_text=said(done, **facts)).wait_for()
        page.get_by_text(said("serving %(serving)s", serving=2)).wait_for()

        # Paused, what comes in waits, and who sent it is told why.
        page.get_by_role("link", name=said("Pause the queue")).click()
        page.get_by_label(said("Reason")).fill("new disk")
        page.get_by_role("button", name=said("Pause"), exact=True).click()
        page.get_by_text(said("Reason: %(reason)s", reason="new disk")).wait_for()
        sent = upload()
        assert (sent["code"], sent["data"]["queue_paused"]) == (5001, True)
        assert service.client.get("/health").body["queue_paused"] is True
        page.locator(f"dd:has-text('1') >> xpath=../dt[text()='{waiting}']").wait_for()
        assert service.client.get(sent["data"]["url"]).body["status"] == "queued"

        page.get_by_role("link", name=said("Resume the queue")).click()
        page.get_by_role("button", name=said("Resume"), exact=True).click()
        page.get_by_text(said("The queue goes on.")).wait_for()
        page.locator(f"dd:has-text('0') >> xpath=../dt[text()='{waiting}']").wait_for()
        address = sent["data"]["url"]
        until(
            page, f"fetch('{address}').then((a) => a.json()).then((r) => r.status === 'completed')"
        )
        page.reload()
        picture = re.compile(re.escape(said("Last hour, by five minutes")))
        page.get_by_role("img", name=picture).wait_for()
        # Who did what can be read.
        page.goto(f"{root}/admin/")
        page.locator("#recent-actions-module li").first.wait_for()
        assert problems == []

    browser.run(scenario)
