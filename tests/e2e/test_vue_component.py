"""The component, built and served by another origin, against the running service."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from django.conf import settings

from tests.clients.npm import ROOT, VUE, npm
from tests.e2e.conftest import Browser
from transcription.management.benchmarks.common import (
    Measured,
    measured_service,
    sample_speech,
    write_wav,
)

SAMPLES = settings.BASE_DIR / "samples"
PLAIN_PAGE = ROOT / "clients" / "plain" / "index.html"
PATIENCE_MS = 60_000
#: Something that calls itself a recording and is none.
LETTER = {"name": "letter.wav", "mimeType": "audio/wav", "buffer": b"Dear Sir or Madam, " * 99}
#: Where nothing listens.
NOWHERE = "http://127.0.0.1:9"


class Site:
    """A front end of an origin of its own: files, and tokens for its visitors."""

    def __init__(self, directory: Path) -> None:
        site = self
        self.service: Measured | None = None

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/plain.html":
                    return super().do_GET()
                return self._send("text/html; charset=utf-8", site.plain_page().encode())

            def do_POST(self) -> None:
                self._send("application/json", site.browser_token())

            def _send(self, content_type: str, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the output of the tests clean."""

        handler = partial(Handler, directory=str(directory))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        #: Where the plain page looks for the service; None: where it is.
        self.plain_address: str | None = None
        #: What it hands out in place of a token of the service's.
        self.token = ""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def plain_page(self) -> str:
        assert self.service is not None
        address = self.plain_address or self.service.service.url
        page = PLAIN_PAGE.read_text(encoding="utf-8")
        assert "'https://asr.example.com'" in page
        return page.replace("'https://asr.example.com'", f"'{address}'")

    def browser_token(self) -> bytes:
        """Ask the service for a token, as the server of a real front end does."""
        assert self.service is not None
        if self.token:
            return json.dumps({"token": self.token}).encode()
        request = urllib.request.Request(
            f"{self.service.service.url}/api/v1/browser-token/",
            data=json.dumps({"subject": "visitor-7"}).encode(),
            headers={
                "Authorization": self.service.client.authorization,
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request) as answer:
            body: bytes = answer.read()
        return body

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def is_older(path: Path, sources: list[Path]) -> bool:
    """Return whether a file was made before one of its sources was changed, or never."""
    return not path.exists() or path.stat().st_mtime < max(one.stat().st_mtime for one in sources)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    built = VUE / "example" / "dist"
    sources = [path for folder in ("src", "example") for path in (VUE / folder).rglob("*.[ctvh]*")]
    if is_older(built / "index.html", [path for path in sources if built not in path.parents]):
        npm("run", "build:example")
    site = Site(built)
    yield site
    site.stop()


@pytest.fixture(scope="module")
def service(site: Site) -> Iterator[Measured]:
    with measured_service(
        engine="fake",
        # Slow enough for its text to be seen growing, piece by piece.
        model_options={"chunk_seconds": 10, "options": {"seconds_per_second": 0.03}},
        environment={"ASR_CORS_ORIGINS": site.origin, "ASR_BATCH_SECONDS": "30"},
    ) as measured:
        site.service = measured
        yield measured


def lecture() -> dict[str, Any]:
    """A recording that is recognised in several batches: 102 s of speech."""
    content = write_wav(np.tile(sample_speech(), 12))
    return {"name": "lecture.wav", "mimeType": "audio/wav", "buffer": content}


def part(name: str) -> str:
    return f'[data-asr="{name}"]'


def wait_for(page: Any, status: str) -> None:
    page.wait_for_selector(f'{part("status")}[data-status="{status}"]', timeout=PATIENCE_MS)


def open_example(page: Any, site: Site, address: str, token: str, locale: str = "en") -> None:
    page.goto(site.origin)
    fill_in(page, address, token)
    page.select_option("#locale", locale)


def fill_in(page: Any, address: str, token: str) -> None:
    page.evaluate("document.querySelector('details').open = true")
    page.fill("#service", address)
    page.fill("#token", token)
    page.press("#token", "Tab")


def axe_finds(page: Any) -> list[str]:
    page.add_script_tag(path=str(VUE / "node_modules" / "axe-core" / "axe.min.js"))
    found = page.evaluate("axe.run().then(found => found.violations)")
    return [f"{one['impact']} {one['id']}: {one['nodes'][0]['html']}" for one in found]


def token_of(service: Measured) -> str:
    return service.client.authorization.partition(" ")[2]


def newest(service: Measured) -> Any:
    return service.client.get("/api/v1/transcriptions/").body["results"][0]


def errors_shown(page: Any) -> tuple[str, str, str]:
    """Kind, code and words of the error that the component shows."""
    page.wait_for_selector(part("error"), timeout=PATIENCE_MS)
    shown = page.locator(part("error"))
    return shown.get_attribute("data-kind"), shown.get_attribute("data-code"), shown.inner_text()


def test_text_grows_until_it_is_cancelled_and_goes_on_to_its_end(
    browser: Browser, site: Site, service: Measured
) -> None:
    def story(page: Any) -> None:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.set_viewport_size({"width": 1280, "height": 900})
        open_example(page, site, service.service.url, token_of(service))
        assert axe_finds(page) == []
        page.evaluate(
            """() => {
                window.seen = []
                new MutationObserver(() => {
                    const text = document.querySelector('[data-asr="text"]')?.value
                    const { status } = document.querySelector('[data-asr="status"]').dataset
                    if (text && status === 'processing') window.seen.push(text.length)
                }).observe(document.body, { subtree: true, childList: true, characterData: true })
            }"""
        )
        page.set_input_files("input[type=file]", lecture())
        page.wait_for_function("new Set(window.seen).size >= 2", timeout=PATIENCE_MS)
        page.click(part("cancel"))
        wait_for(page, "cancelled")
        cancelled = newest(service)
        assert cancelled["status"] == "cancelled"
        so_far = page.input_value(part("text"))
        page.click(part("retry"))
        wait_for(page, "completed")

        assert newest(service)["id"] == cancelled["id"]
        assert len(page.input_value(part("text"))) > len(so_far) > 0
        assert axe_finds(page) == []
        text = page.input_value(part("text"))
        row = newest(service)
        assert text == service.client.get(f"/api/v1/transcriptions/{row['id']}/").body["text"]
        with page.expect_download() as downloading:
            page.click(part("download-srt"))
        download = downloading.value
        assert download.suggested_filename == "lecture.srt"
        assert "-->" in Path(download.path()).read_text(encoding="utf-8")
        page.fill(part("text"), f"{text} Corrected.")
        page.click(part("copy"))
        page.get_by_text("Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == f"{text} Corrected."

    browser.run(story)


def test_each_kind_of_error_is_told_in_words_and_a_person_goes_on_from_there(
    browser: Browser, site: Site, service: Measured
) -> None:
    def story(page: Any) -> None:
        page.set_viewport_size({"width": 390, "height": 800})
        open_example(page, site, NOWHERE, token_of(service), "zh")
        page.set_input_files("input[type=file]", SAMPLES / "chinese.wav")
        kind, code, words = errors_shown(page)
        assert (kind, code) == ("network", "network_failed")
        assert words.startswith("网络错误：")
        assert "无法连接到服务" in words
        assert axe_finds(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

        # The network is back: what was chosen is sent without being chosen again.
        fill_in(page, service.service.url, token_of(service))
        page.click(part("retry"))
        wait_for(page, "completed")
        assert page.locator(part("error")).count() == 0

        fill_in(page, service.service.url, "asr_guessed")
        page.set_input_files("input[type=file]", SAMPLES / "chinese.wav")
        kind, code, words = errors_shown(page)
        # A large body under a token that is none is refused before the token is read.
        assert (kind, code) == ("service", "body_too_large_without_token")
        assert words.startswith("服务错误：")
        assert re.search(r"请求编号：\S{8}", words)

        fill_in(page, service.service.url, token_of(service))
        page.set_input_files(
            "input[type=file]", {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear"}
        )
        kind, code, words = errors_shown(page)
        assert (kind, code) == ("format", "wrong_type")
        assert words.startswith("格式错误：")
        assert "“letter.txt”" in words

        page.set_input_files("input[type=file]", LETTER)
        page.wait_for_selector(f'{part("error")}[data-code="not_audio"]', timeout=PATIENCE_MS)
        assert errors_shown(page)[0] == "format"
        assert axe_finds(page) == []

    browser.run(story)


def test_the_microphone_is_recorded_and_heard(
    browser: Browser, site: Site, service: Measured
) -> None:
    def story(page: Any) -> None:
        page.context.grant_permissions(["microphone"])
        open_example(page, site, service.service.url, token_of(service))
        page.click(part("record"))
        page.wait_for_function(
            "document.querySelector('[data-asr=\"level\"]')?.value > 0.2", timeout=PATIENCE_MS
        )
        page.get_by_text("Recording, 0:01").wait_for()
        assert axe_finds(page) == []
        page.click(part("stop"))
        wait_for(page, "completed")
        assert page.input_value(part("text"))

    browser.run(story)
    row = newest(service)
    assert re.fullmatch(r"recording-[\d-]+\.webm", row["file_name"])
    assert row["duration_seconds"] > 0.5


def test_the_plain_page_of_the_docs_does_it_with_a_browser_token(
    browser: Browser, site: Site, service: Measured
) -> None:
    def outcome(page: Any) -> tuple[str, str, str]:
        page.wait_for_function(
            "document.querySelector('#status').textContent === 'completed'"
            " || document.querySelector('#error').textContent",
            timeout=PATIENCE_MS,
        )
        kind = page.get_attribute("#error", "data-kind") or ""
        return kind, page.inner_text("#error"), page.inner_text("#text")

    def story(page: Any) -> None:
        page.goto(f"{site.origin}/plain.html")
        page.set_input_files("#file", SAMPLES / "english.wav")
        kind, words, text = outcome(page)
        assert (kind, words) == ("", "")
        assert text.startswith("Fake")

        page.set_input_files("#file", LETTER)
        page.wait_for_selector("#error:not(:empty)", timeout=PATIENCE_MS)
        kind, words, text = outcome(page)
        assert (kind, text) == ("format", "")
        assert "not a recording" in words

        site.plain_address = NOWHERE
        page.goto(f"{site.origin}/plain.html")
        page.set_input_files("#file", SAMPLES / "english.wav")
        assert outcome(page)[0] == "network"

        site.plain_address, site.token = None, "asrb_guessed"
        page.goto(f"{site.origin}/plain.html")
        page.set_input_files("#file", SAMPLES / "english.wav")
        kind, words, _text = outcome(page)
        assert kind == "service"
        assert "request id" in words

    browser.run(story)
