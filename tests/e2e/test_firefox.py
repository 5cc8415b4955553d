"""The main journeys in Firefox: files, the microphone, reviewing with the keyboard."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User

from tests.e2e.conftest import SPOKEN
from tests.e2e.firefox import FIREFOX, Firefox
from tests.e2e.review_page import SENTENCES, session_of, texts, transcript
from tests.e2e.test_every_page import DESK, PHONE
from tests.served import Served, eventually
from transcription.management.benchmarks.common import Measured, measured_service, run_in_settings

pytestmark = pytest.mark.skipif(
    FIREFOX is None, reason="firefox is not installed: the tests in it are left out"
)
FIRST, SECOND, THIRD, FOURTH = SENTENCES


@pytest.fixture(scope="module")
def firefox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    firefox = Firefox(tmp_path_factory.mktemp("firefox") / "profile")
    yield firefox
    firefox.stop()


@pytest.fixture
def firefox(firefox_process: Firefox) -> Iterator[Firefox]:
    """The browser with a clean slate; what its console complains of is a fault."""
    firefox_process.command("storage.deleteCookies")
    firefox_process.size(**DESK)
    firefox_process.complaints.clear()
    yield firefox_process
    assert firefox_process.complaints == []


# --- the page for everybody


@pytest.fixture(scope="module")
def service() -> Iterator[Measured]:
    with measured_service(engine="fake", model_options={"chunk_seconds": 30}) as measured:
        run_in_settings(
            "from django.contrib.auth.models import User\n"
            "User.objects.create_user('ann', password='correct horse')\n"
            "print(User.objects.count())\n",
            [],
            measured.environment,
        )
        yield measured


def log_in(firefox: Firefox, root: str) -> None:
    firefox.go(root)
    firefox.click("[name=username]")
    firefox.type("ann")
    firefox.click("[name=password]")
    firefox.type("correct horse")
    firefox.press("Enter")
    firefox.until("document.querySelector('#home[data-ready]')")


TEXT = "document.querySelector('.card [data-card=text]')?.innerText"
DONE = "document.querySelector('.card [data-card=copy]:not([hidden])')"


def test_a_file_becomes_text_that_can_be_found_again(firefox: Firefox, service: Measured) -> None:
    root = service.service.url
    log_in(firefox, root)
    firefox.choose_file("#files", SPOKEN)
    firefox.until(DONE)
    assert firefox.value(TEXT).casefold().startswith("fake ")
    firefox.go(f"{root}/history/")
    firefox.click("#rows li a")
    firefox.until("document.querySelector('#review[data-ready] .segment')")
    # Firefox plays what the service keeps.
    firefox.until("document.querySelector('audio').duration > 5")


def test_what_the_microphone_hears_is_recorded_sent_and_decoded(
    firefox: Firefox, service: Measured
) -> None:
    log_in(firefox, service.service.url)
    firefox.click("[data-record=start]")
    # The meter is not looked at: without a sound card Firefox does no arithmetic on sound.
    firefox.until("document.querySelector('[data-record=stop]')?.offsetParent")
    firefox.value("new Promise((go) => setTimeout(go, 1500))")
    firefox.click("[data-record=stop]")
    firefox.until("document.querySelector('[data-record=listen][src]')")
    firefox.click("[data-record=send]")
    # Its microphone of tests hums, and says nothing.
    firefox.until("document.querySelector('.card [data-card=page]:not([hidden])')")
    state = "document.querySelector('.card [data-card=state]').innerText"
    firefox.until(f"{state} == 'Done. There is no speech in it.'")


@pytest.mark.parametrize("path", ["/", "/history/", "/account/tokens/"])
def test_a_page_is_as_wide_as_a_phone(firefox: Firefox, service: Measured, path: str) -> None:
    log_in(firefox, service.service.url)
    firefox.size(**PHONE)
    firefox.go(service.service.url + path)
    assert firefox.value("document.documentElement.scrollWidth") <= PHONE["width"]


# --- reviewing


class Reviewing:
    """The reviewing page in Firefox."""

    def __init__(self, firefox: Firefox) -> None:
        self.firefox = firefox

    def rows(self) -> list[str]:
        found: list[str] = self.firefox.value(
            "[...document.querySelectorAll('#segments .text')].map((one) => one.textContent.trim())"
        )
        return found

    def until_rows(self, *expected: str) -> None:
        wanted = list(expected)
        eventually(lambda: self.rows() == wanted)

    def saved(self) -> None:
        self.firefox.until("document.querySelector('[data-status=saved][data-state=saved]')")

    def caret(self, number: int, place: int) -> None:
        self.firefox.value(f"document.querySelectorAll('#segments .text')[{number}].focus()")
        self.firefox.press("Control+Home")
        for _ in range(place):
            self.firefox.press("ArrowRight")


@pytest.fixture
def reviewed(
    firefox: Firefox, serve_standing: Callable[..., Served], transactional_db: None
) -> tuple[Reviewing, str]:
    served = serve_standing()
    ann = User.objects.create_superuser("ann")
    pk = transcript(served, ann)
    root = f"http://127.0.0.1:{served.port}"
    firefox.set_cookie(root, "sessionid", session_of(ann))
    firefox.go(f"{root}/transcriptions/{pk}/")
    firefox.until("document.querySelector('#review[data-ready]')")
    return Reviewing(firefox), pk


def test_a_text_is_edited_split_merged_and_taken_back(reviewed: tuple[Reviewing, str]) -> None:
    page, pk = reviewed
    keys = page.firefox
    page.caret(1, 0)
    keys.press("End")
    keys.type(" Really.")
    page.saved()
    page.caret(1, len("The meating"))
    keys.press("Enter")
    page.until_rows(FIRST, "The meating", "begins now. Really.", THIRD, FOURTH)
    keys.type("It ")
    keys.press("Control+Home")
    keys.press("Backspace")
    page.until_rows(FIRST, "The meating It begins now. Really.", THIRD, FOURTH)
    page.saved()
    assert texts(pk)[1] == "The meating It begins now. Really."
    for _ in range(4):
        keys.press("Control+z")
    page.until_rows(*SENTENCES)
    page.saved()
    assert texts(pk) == list(SENTENCES)


def test_chinese_is_typed_between_chinese(reviewed: tuple[Reviewing, str]) -> None:
    page, pk = reviewed
    page.caret(2, 4)
    page.firefox.type("真的")
    page.until_rows(FIRST, SECOND, "今天天气真的很好。", FOURTH)
    page.saved()
    assert texts(pk)[2] == "今天天气真的很好。"


def test_nothing_but_plain_text_is_ever_pasted(reviewed: tuple[Reviewing, str]) -> None:
    page, _pk = reviewed
    page.caret(3, len(FOURTH))
    kinds = {"text/html": "<b onclick='alert(1)'>All</b> of you.", "text/plain": "All\nof you."}
    page.firefox.value(
        f"navigator.clipboard.write([new ClipboardItem({json.dumps(kinds)})]).then(() => 1)"
    )
    page.firefox.press("Control+v")
    page.until_rows(FIRST, SECOND, THIRD, f"{FOURTH}All of you.")
    assert page.firefox.value("document.querySelectorAll('#segments .text b').length") == 0
    page.saved()


def test_the_sound_is_played_from_the_sentence_that_is_chosen(
    reviewed: tuple[Reviewing, str],
) -> None:
    page, _pk = reviewed
    at = "document.querySelector('audio').currentTime"
    page.firefox.click("#segments li:nth-child(2) .text, #segments .segment:nth-child(2) .text")
    page.firefox.until(f"{at} >= 1.5 && {at} < 3")
    page.firefox.press("Alt+k")
    page.firefox.until(f"{at} > 1.7")
