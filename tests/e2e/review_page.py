"""A transcript to review, and a person's hands on the page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from tests.served import Served
from transcription.models import Segment, Transcription

SAMPLE = Path(__file__).parents[2] / "samples" / "english.wav"
PEAKS = bytes(range(0, 250, 5)) * 3
SENTENCES = (
    "Good morning to everybody.",
    "The meating begins now.",
    "今天天气很好。",
    "Thank you.",
)
SECONDS_EACH = 1.5
PATIENCE_SECONDS = 15.0
#: What this product's pages are served with, or would be at the strictest.
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)


def transcript(served: Served, owner: User, sentences: tuple[str, ...] = SENTENCES) -> str:
    """Store a finished recording with these sentences; returns its id."""
    row = Transcription.objects.create(
        owner=owner,
        title="Meeting",
        status=Transcription.Status.COMPLETED,
        step=Transcription.Step.OVER,
        content_type="audio/wav",
        duration_seconds=len(sentences) * SECONDS_EACH,
        text=" ".join(sentences),
        language="en",
    )
    media = served.data_dir / "media"
    row.audio = f"audio/{row.pk}.wav"
    row.save(update_fields=["audio"])
    sound = media / row.audio.name
    sound.parent.mkdir(parents=True, exist_ok=True)
    sound.write_bytes(SAMPLE.read_bytes())
    peaks = media / "peaks" / str(row.pk)[:2] / f"{row.pk}.peaks"
    peaks.parent.mkdir(parents=True, exist_ok=True)
    peaks.write_bytes(PEAKS)
    for index, text in enumerate(sentences):
        start = index * SECONDS_EACH
        words = None
        if "meating" in text:
            words = [
                {"word": word, "start": start + 0.3 * at, "end": start + 0.3 * at + 0.3,
                 "probability": 0.31 if word == "meating" else 0.97}
                for at, word in enumerate(text.split())
            ]  # fmt: skip
        Segment.objects.create(
            transcription=row,
            index=index,
            start_seconds=start,
            end_seconds=start + SECONDS_EACH,
            text=text,
            language="zh" if "天" in text else "en",
            words=words,
        )
    return str(row.pk)


def session_of(user: User) -> str:
    """Log the person in; returns the cookie."""
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


def texts(pk: str) -> list[str]:
    """What the database has now."""
    rows = Segment.objects.filter(transcription=pk).order_by("index")
    return list(rows.values_list("text", flat=True))


class ReviewPage:
    """The page, opened by one person."""

    def __init__(self, page: Any, served: Served, pk: str, cookie: str) -> None:
        self.page = page
        self.origin = f"http://127.0.0.1:{served.port}"
        self.url = f"{self.origin}/admin/transcription/transcription/{pk}/review/"
        self.complaints: list[str] = []
        page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": self.origin}])
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        # What the network refuses is told by the page itself, and looked at there.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def open(self) -> ReviewPage:
        self.page.route(self.url, self._with_policy)
        self.page.goto(self.url)
        self.page.locator("#review[data-ready]").wait_for()
        return self

    @staticmethod
    def _with_policy(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": CSP})

    def row(self, number: int) -> Any:
        return self.page.locator("#segments .text").nth(number)

    def rows(self) -> list[str]:
        return [text.strip() for text in self.page.locator("#segments .text").all_text_contents()]

    def caret(self, number: int, place: int) -> None:
        """Put the caret into a row, with keys alone."""
        self.row(number).focus()
        self.page.keyboard.press("Control+Home")
        for _ in range(place):
            self.page.keyboard.press("ArrowRight")

    def saved(self) -> None:
        """Wait until everything has arrived."""
        self.page.locator("[data-status=saved][data-state=saved]").wait_for()

    def poll(self) -> None:
        """Ask for what others changed, as the page does when somebody comes back to it."""
        self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    def until(self, condition: str) -> None:
        """Ask until it holds; by the debugger, since the page's policy forbids eval."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"still not so: {condition}"
            self.page.wait_for_timeout(20)

    def until_rows(self, *expected: str) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while self.rows() != list(expected):
            assert time.monotonic() < end, f"{self.rows()} are not {expected}"
            self.page.wait_for_timeout(20)


@contextmanager
def another_context(page: Any, **options: Any) -> Iterator[Any]:
    """A second computer."""
    context = page.context.browser.new_context(**options)
    try:
        yield context
    finally:
        context.close()
