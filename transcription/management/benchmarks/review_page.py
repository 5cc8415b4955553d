"""The reviewing page in a real browser: from a key to the frame that shows what it did."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from typing import Any

from transcription.management.benchmarks.common import (
    Figure,
    at_most,
    percentile_95,
    run_in_settings,
    web_alone,
)

SEGMENTS = (500, 5_000)
#: For every key, with the first of these numbers of segments.
MOST_MILLISECONDS = 50.0
TYPED = "and so the committee decided to wait until the end of the year "
#: Between two keys: somebody types quickly.
PAUSE_MILLISECONDS = 60.0
#: Splits and merges take turns, so that the number of segments stays.
TURNS = 15
START_MILLISECONDS = 60_000.0

#: Makes a user and a finished transcription of so many segments of two seconds.
_FILL = """
import json, sys
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from transcription.models import Segment, Transcription
call_command("migrate", verbosity=0)
count = int(sys.argv[1])
user = User.objects.create_superuser("benchmark")
row = Transcription.objects.create(
    owner=user, status="completed", step="over", duration_seconds=2.0 * count)
words = "we have been talking about the plans of the coming year".split()
Segment.objects.bulk_create(
    Segment(
        transcription=row, index=at, start_seconds=2.0 * at, end_seconds=2.0 * at + 2.0,
        text=" ".join(words), language="en",
        words=[
            {"word": word, "start": 2.0 * at + 0.18 * place, "end": 2.0 * at + 0.18 * place + 0.18,
             "probability": 0.3 if (at + place) % 17 == 0 else 0.9}
            for place, word in enumerate(words)
        ],
    )
    for at in range(count)
)
client = Client()
client.force_login(user)
print(json.dumps({"pk": str(row.pk), "session": client.cookies["sessionid"].value}))
"""

#: Every key from its event to the first moment after the frame that follows it was painted.
_WATCH = """() => {
  window.benchmarkKeys = [];
  document.addEventListener("keydown", (event) => {
    const pressed = event.timeStamp;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => benchmarkKeys.push(performance.now() - pressed);
      port2.postMessage(null);
    });
  }, { capture: true });
}"""


class NoBrowserError(Exception):
    """There is nothing to open the page with; the message says what to install."""


def measure(*, segments: Sequence[int] = SEGMENTS) -> list[Figure]:
    """Type, split, merge and walk in texts of so many segments; the first is promised."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise NoBrowserError(
            "The browser is driven by playwright, which is for development: "
            "pip install -r requirements-dev.txt"
        ) from error
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise NoBrowserError("There is no chromium on this machine: apt-get install chromium")
    figures = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        try:
            figures += _bare(browser)
            for number, count in enumerate(segments):
                figures += _measured(browser, count, is_promised=number == 0)
        finally:
            browser.close()
    return figures


def _bare(browser: Any) -> list[Figure]:
    """Return what the same keys take in a bare field: what no page of this machine can be below."""
    page = browser.new_page()
    try:
        page.set_content("<textarea></textarea>")
        page.evaluate(_WATCH)
        page.focus("textarea")
        values = _press(page, [*(TYPED * 3)])
    finally:
        page.close()
    return _spread("a bare field: typing", values, is_promised=False)


def _measured(browser: Any, count: int, *, is_promised: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="asr-benchmark-") as data_dir:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "asr_project.settings",
            "ASR_DATA_DIR": data_dir,
            "ASR_DATABASE_URL": "",
            "ASR_RATE_API_USER": "1000000/m",
        }
        made = json.loads(run_in_settings(_FILL, [str(count)], environment))
        with web_alone(environment) as (port, _pid):
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            try:
                address = f"http://127.0.0.1:{port}"
                cookie = {"name": "sessionid", "value": made["session"], "url": address}
                context.add_cookies([cookie])
                page = context.new_page()
                url = f"{address}/admin/transcription/transcription/{made['pk']}/review/"
                return _used(page, url, count, is_promised=is_promised)
            finally:
                context.close()


def _used(page: Any, url: str, count: int, *, is_promised: bool) -> list[Figure]:
    page.goto(url)
    page.locator("#review[data-ready]").wait_for(timeout=START_MILLISECONDS)
    opened = page.evaluate("performance.now()")
    page.evaluate(_WATCH)
    middle = page.locator("#segments .text").nth(count // 2)
    middle.scroll_into_view_if_needed()
    middle.click()
    figures = [Figure(name=f"{count} segments: open after", value=opened / 1000, unit="s")]
    pressed: dict[str, list[float]] = {"typing": _press(page, [*(TYPED * 3)])}
    pressed["next sentence"] = _press(page, ["Alt+ArrowDown"] * TURNS)
    pressed["splitting"], pressed["merging"] = [], []
    for _ in range(TURNS):
        page.keyboard.press("Home")
        for _ in range(len("we have been")):
            page.keyboard.press("ArrowRight")
        page.wait_for_timeout(PAUSE_MILLISECONDS)
        pressed["splitting"] += _press(page, ["Enter"])
        # The caret is at the start of the second half.
        pressed["merging"] += _press(page, ["Backspace"])
    page.locator("[data-status=saved][data-state=saved]").wait_for(timeout=START_MILLISECONDS)
    for name, values in pressed.items():
        figures += _spread(f"{count} segments: {name}", values, is_promised=is_promised)
    return figures


def _spread(what: str, values: Sequence[float], *, is_promised: bool) -> list[Figure]:
    median, worst = statistics.median(values), max(values)
    return [
        Figure(name=f"{what}, median of {len(values)}", value=median, unit="ms"),
        Figure(name=f"{what}, p95", value=percentile_95(values), unit="ms"),
        at_most(f"{what}, worst", worst, "ms", MOST_MILLISECONDS)
        if is_promised
        else Figure(name=f"{what}, worst", value=worst, unit="ms"),
    ]


def _press(page: Any, keys: Sequence[str]) -> list[float]:
    """Press them one after the other; return each one's milliseconds."""
    page.evaluate("benchmarkKeys.length = 0")
    for key in keys:
        page.keyboard.press("Space" if key == " " else key)
        page.wait_for_timeout(PAUSE_MILLISECONDS)
    while len(values := page.evaluate("benchmarkKeys")) < len(keys):
        page.wait_for_timeout(PAUSE_MILLISECONDS)
    # A combination is two keys going down, and the last one does it.
    step = len(values) // len(keys)
    return [float(value) for value in values[step - 1 :: step]]
