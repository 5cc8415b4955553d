"""A real browser, and web servers of other origins whose pages it opens."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.served import PATIENCE_SECONDS

T = TypeVar("T")
CHROMIUM = shutil.which("chromium")
#: What the microphone hears in every test that is allowed to use it.
SPOKEN = Path(__file__).resolve().parent.parent.parent / "samples" / "english.wav"
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={SPOKEN}"),
]


def until(page: Any, expression: str) -> None:
    """Wait for it. Playwright's own way runs eval in the page, which our pages forbid."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


class FrontEnd:
    """A web server of an origin of its own: answers every path with one page."""

    def __init__(self) -> None:
        front_end = self
        self.page = ""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = front_end.page.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the output of the tests clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Browser:
    """Chromium, driven from one thread: the driver's event loop would forbid Django's ORM here."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._thread.submit(self._start).result()

    def _start(self) -> None:
        from playwright.sync_api import sync_playwright

        self._driver = sync_playwright().start()
        self._browser = self._driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)

    def run(self, scenario: Callable[[Any], T]) -> T:
        """Return what the scenario returns for a fresh page, without cookies or cache."""

        def in_a_fresh_page() -> T:
            context = self._browser.new_context(locale="en-US")
            try:
                return scenario(context.new_page())
            finally:
                context.close()

        return self._thread.submit(in_a_fresh_page).result()

    def stop(self) -> None:
        def close() -> None:
            self._browser.close()
            self._driver.stop()

        self._thread.submit(close).result()
        self._thread.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: the tests in a real browser are left out")
    browser = Browser()
    yield browser
    browser.stop()


@pytest.fixture(scope="module")
def front_end() -> Iterator[FrontEnd]:
    """The front end whose origin the service lets in."""
    front_end = FrontEnd()
    yield front_end
    front_end.stop()


@pytest.fixture(scope="module")
def other_site() -> Iterator[FrontEnd]:
    """Any other site of the world."""
    front_end = FrontEnd()
    yield front_end
    front_end.stop()
