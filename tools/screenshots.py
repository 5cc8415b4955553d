"""Takes the pictures of the documentation from the real pages: ``make screenshots``.

A service of its own on an empty data directory, the embedded model, the samples of the repository,
and Debian's chromium, driven by Playwright. In English and in Chinese.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BASE_DIR))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "asr_project.settings")

import django  # noqa: E402

django.setup()

from transcription.management.benchmarks.common import (  # noqa: E402
    Measured,
    measured_service,
    run_in_settings,
)

PASSWORD = "only for the pictures"
LANGUAGES = {"en": "en", "zh-CN": "zh-hans"}
PATIENCE_MS = 120_000
PATIENCE_SECONDS = PATIENCE_MS / 1000

_PEOPLE = (
    "import sys\n"
    "from django.contrib.auth.models import User\n"
    "from transcription.services import tokens\n"
    "User.objects.create_superuser('mei', password=sys.argv[1])\n"
    "User.objects.create_superuser('anna', password=sys.argv[1])\n"
    "mei = User.objects.get(username='mei')\n"
    "tokens.create(mei, name='web shop')\n"
    "print(tokens.create(mei, name='pictures')[1])\n"
)
#: One text corrected by somebody else, one approved.
_REVIEWS = (
    "import sys\n"
    "from django.contrib.auth.models import User\n"
    "from transcription.models import Transcription\n"
    "from transcription.services import review\n"
    "from transcription.services.revisions import By\n"
    "by = By(user=User.objects.get(username='anna'))\n"
    "story, english = (Transcription.objects.get(pk=pk) for pk in sys.argv[1:])\n"
    "first = story.segments.first()\n"
    "review.apply(story, by, [review.Operation(op='text', id=first.pk,\n"
    "    revision=first.revision, text=first.text.replace('.', '!', 1))])\n"
    "review.set_state(english, by, Transcription.ReviewState.APPROVED)\n"
    "print('done')\n"
)


class Photographer:
    """A person at the browser, in one language."""

    def __init__(self, page: Any, root: str, folder: Path, suffix: str) -> None:
        self.page, self.root, self.folder, self.suffix = page, root, folder, suffix
        page.set_default_timeout(PATIENCE_MS)

    def take(self, name: str) -> None:
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(400)
        path = self.folder / f"{name}.{self.suffix}.png"
        self.page.screenshot(path=path, animations="disabled")

    def go(self, path: str) -> None:
        self.page.goto(self.root + path)

    def log_in(self) -> None:
        self.go("/")
        self.page.fill("[name=username]", "mei")
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main button")
        self.page.wait_for_selector("#home[data-ready]")

    def round_trip(self, ids: dict[str, str]) -> None:
        page = self.page
        self.log_in()
        page.click("[data-sample$='english.wav']")
        page.locator(".card [data-card=copy]").wait_for()
        self.take("home")
        self.go(f"/transcriptions/{ids['story']}/")
        page.locator(".segment").first.wait_for()
        self.take("transcription")
        self.go(f"/admin/transcription/transcription/{ids['story']}/review/")
        page.locator(".segment").first.wait_for()
        page.locator("[data-action=history]").click()
        page.locator("#review-history ol button").first.click()
        page.locator("#review-history ins").first.wait_for()
        self.take("review-history")
        page.keyboard.press("Escape")
        self.take("review")
        for name, path in (
            ("admin-list", "/admin/transcription/transcription/"),
            ("engine-room", "/admin/transcription/engine-room/"),
            ("quality", "/admin/transcription/quality/"),
        ):
            self.go(path)
            self.take(name)


def until_over(measured: Measured, pk: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while (row := measured.client.get(f"/api/v1/transcriptions/{pk}/").body)["status"] in {
        "queued",
        "processing",
    }:
        if time.monotonic() > end:
            raise SystemExit(f"{row['file_name']} is not over after {PATIENCE_SECONDS:g} s.")
        time.sleep(0.2)


def upload(measured: Measured) -> dict[str, str]:
    """Send the samples and one file that is none; return their ids once they are over."""
    samples = BASE_DIR / "samples"
    sent = {
        "broken": measured.client.upload("notes.wav", b"not a sound"),
        "chinese": measured.client.upload(
            "chinese.wav", (samples / "chinese.wav").read_bytes(), {"language": "zh"}
        ),
        "english": measured.client.upload("english.wav", (samples / "english.wav").read_bytes()),
        "story": measured.client.upload("story.opus", (samples / "story.opus").read_bytes()),
    }
    ids = {name: answer.body["id"] for name, answer in sent.items()}
    for pk in ids.values():
        until_over(measured, pk)
    return ids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=BASE_DIR / "docs" / "images")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    given = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed. On Debian: apt install chromium")
    from playwright.sync_api import sync_playwright

    given.folder.mkdir(parents=True, exist_ok=True)
    with measured_service(
        engine="whisper",
        model_options={"chunk_seconds": 30, "weights": "whisper-base"},
        environment={"ASR_RATE_LOGIN": "1000/m", "ASR_TIME_ZONE": "Asia/Shanghai"},
    ) as measured:
        token = run_in_settings(_PEOPLE, [PASSWORD], measured.environment)
        measured.client.use(token)
        ids = upload(measured)
        run_in_settings(_REVIEWS, [ids["story"], ids["english"]], measured.environment)
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            for suffix, code in LANGUAGES.items():
                context = browser.new_context(
                    viewport={"width": given.width, "height": given.height}
                )
                context.add_cookies(
                    [{"name": "django_language", "value": code, "url": measured.service.url}]
                )
                person = Photographer(
                    context.new_page(), measured.service.url, given.folder, suffix
                )
                person.round_trip(ids)
                context.close()
            browser.close()


if __name__ == "__main__":
    main()
