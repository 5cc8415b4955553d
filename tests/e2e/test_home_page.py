"""The page for everybody: send in, record, follow, look back; in English and in Chinese."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.axe import problems
from tests.e2e.conftest import SPOKEN, Browser, until
from transcription.management.benchmarks.common import (
    Measured,
    measured_service,
    run_in_settings,
)

PATIENCE_MS = 60_000
PHONE = {"width": 390, "height": 844}
LANGUAGES = ("en", "zh-hans")


@pytest.fixture(scope="module")
def service() -> Iterator[Measured]:
    with measured_service(
        engine="fake",
        model_options={"chunk_seconds": 30},
        environment={"ASR_RATE_LOGIN": "1000/m"},
    ) as measured:
        run_in_settings(
            "from django.contrib.auth.models import User\n"
            "User.objects.create_superuser('ann', password='correct horse')\n"
            "User.objects.create_user('bob', password='correct horse')\n"
            "print(User.objects.count())\n",
            [],
            measured.environment,
        )
        yield measured


class Visitor:
    """A person at the browser, logged in; what the console complains of is a fault."""

    def __init__(self, page: Any, service: Measured, language: str = "en") -> None:
        self.page, self.root = page, service.service.url
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.context.grant_permissions(["microphone"], origin=self.root)
        page.context.add_cookies([{"name": "django_language", "value": language, "url": self.root}])

    def log_in(self, name: str = "ann") -> None:
        self.page.goto(self.root)
        self.page.fill("[name=username]", name)
        self.page.fill("[name=password]", "correct horse")
        self.page.click("main button")
        self.page.wait_for_selector("#home[data-ready]")

    def until(self, expression: str) -> None:
        until(self.page, expression)

    def card(self, name: str) -> Any:
        return self.page.locator(".card", has_text=name)


def at(
    browser: Browser, service: Measured, story: Callable[[Visitor], Any], language: str = "en"
) -> None:
    def scenario(page: Any) -> None:
        visitor = Visitor(page, service, language)
        visitor.log_in()
        story(visitor)
        assert visitor.complaints == []

    browser.run(scenario)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_becomes_text_that_is_read_found_and_deleted(
    browser: Browser, service: Measured, language: str
) -> None:
    name = f"monday {language}.wav"

    def story(visitor: Visitor) -> None:
        page = visitor.page
        assert page.locator("html").get_attribute("lang") == language
        page.set_input_files(
            "#files", {"name": name, "mimeType": "audio/wav", "buffer": SPOKEN.read_bytes()}
        )
        card = visitor.card(name)
        card.locator("[data-card=copy]").wait_for()
        text = card.locator("[data-card=text]").inner_text()
        assert text.casefold().startswith("fake ")
        with page.expect_download() as download:
            card.locator("[data-format=srt]").click()
        assert "-->" in download.value.path().read_text(encoding="utf-8")

        page.goto(f"{visitor.root}/history/")
        page.fill("[name=search]", f'"{name.removesuffix(".wav")}"')
        page.wait_for_url("**/history/?search=**")
        [row] = page.locator("#rows li a").all()
        row.click()
        page.wait_for_url("**/transcriptions/**")
        assert problems(page) == []
        page.locator("details", has=page.locator(".danger")).locator("summary").click()
        page.click(".danger")
        page.wait_for_url("**/history/")
        assert name in page.locator(".note").inner_text()

    at(browser, service, story, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_into_the_microphone_becomes_text(
    browser: Browser, service: Measured, language: str
) -> None:
    def story(visitor: Visitor) -> None:
        page = visitor.page
        page.click("[data-record=start]")
        visitor.until("document.querySelector('[data-record=level]').value > 0.2")
        page.wait_for_timeout(1500)
        page.click("[data-record=stop]")
        page.wait_for_selector("[data-record=listen][src]")
        # Closing the page now would lose it, so the browser asks.
        assert page.evaluate("!dispatchEvent(new Event('beforeunload', {cancelable: true}))")
        page.click("[data-record=send]")
        page.locator(".card [data-card=copy]").wait_for()
        assert page.locator(".card [data-card=text]").inner_text()
        assert page.evaluate("dispatchEvent(new Event('beforeunload', {cancelable: true}))")

    at(browser, service, story, language)


def test_several_files_are_dropped_and_each_goes_its_own_way(
    browser: Browser, service: Measured
) -> None:
    def story(visitor: Visitor) -> None:
        visitor.page.evaluate(
            """async () => {
                const sound = await (await fetch("/samples/english.wav")).blob();
                const carried = new DataTransfer();
                carried.items.add(new File([sound], "speech.wav"));
                carried.items.add(new File(["just words"], "letter.txt"));
                dispatchEvent(new DragEvent("drop", {dataTransfer: carried, cancelable: true}));
            }"""
        )
        visitor.card("speech.wav").locator("[data-card=copy]").wait_for()
        error = visitor.card("letter.txt").locator("[data-card=error]")
        error.wait_for()
        assert "not a recording that can be read. Send WAV" in error.inner_text()

    at(browser, service, story)


def test_a_broken_connection_loses_nothing_and_sends_nothing_twice(
    browser: Browser, service: Measured
) -> None:
    keys = []

    def story(visitor: Visitor) -> None:
        page = visitor.page

        def break_off(route: Any) -> None:
            keys.append(route.request.headers["idempotency-key"])
            route.abort()

        page.route("**/api/v1/transcriptions/", break_off)
        page.click("[data-sample$='english.wav']")
        card = visitor.card("english.wav")
        card.locator("[data-card=again]").wait_for()
        assert "cannot be reached" in card.locator("[data-card=error]").inner_text()
        assert card.locator("[data-card=save]").get_attribute("download") == "english.wav"
        visitor.complaints.clear()  # of the connection that we broke

        page.unroute("**/api/v1/transcriptions/")
        page.on(
            "request",
            lambda sent: (
                keys.append(sent.headers.get("idempotency-key")) if sent.method == "POST" else None
            ),
        )
        card.locator("[data-card=again]").click()
        card.locator("[data-card=copy]").wait_for()
        assert keys == [keys[0]] * 2

        # What the service refuses, and what is no answer of it, are told apart.
        page.route(
            "**/api/v1/transcriptions/",
            lambda route: route.fulfill(
                status=507, json={"code": "storage_full", "message": "The disk is nearly full."}
            ),
        )
        page.click("[data-sample$='chinese.wav']")
        error = visitor.card("chinese.wav").locator("[data-card=error]")
        error.wait_for()
        assert error.inner_text() == "The service refused it: The disk is nearly full."
        page.unroute("**/api/v1/transcriptions/")
        page.route(
            "**/api/v1/transcriptions/",
            lambda route: route.fulfill(status=502, body="<html>Bad gateway</html>"),
        )
        visitor.card("chinese.wav").locator("[data-card=again]").click()
        page.get_by_text("does not understand (502)").wait_for()
        visitor.complaints.clear()  # of the two answers that we made up

    at(browser, service, story)


def test_where_browsers_forbid_the_microphone_the_page_says_why(
    browser: Browser, service: Measured
) -> None:
    def story(visitor: Visitor) -> None:
        visitor.page.add_init_script(
            "Object.defineProperty(navigator, 'mediaDevices', {value: undefined})"
        )
        visitor.page.reload()
        said = visitor.page.locator("[data-record=error]").inner_text()
        assert "only over HTTPS or on localhost" in said
        assert visitor.page.locator("[data-record=start]").is_disabled()

    at(browser, service, story)


def test_the_language_is_switched_where_one_is(browser: Browser, service: Measured) -> None:
    def story(visitor: Visitor) -> None:
        page = visitor.page
        page.goto(f"{visitor.root}/history/?status=failed")
        page.get_by_role("button", name="简体中文").click()
        visitor.until("document.documentElement.lang == 'zh-hans'")
        assert page.url == f"{visitor.root}/history/?status=failed"
        page.get_by_role("button", name="English").click()
        visitor.until("document.documentElement.lang == 'en'")

    at(browser, service, story)
