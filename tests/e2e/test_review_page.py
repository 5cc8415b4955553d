"""The reviewing page, as people use it: with the real service and in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.e2e.conftest import Browser
from tests.e2e.review_page import (
    SENTENCES,
    ReviewPage,
    another_context,
    session_of,
    texts,
    transcript,
)
from tests.served import Served, eventually
from transcription.models import Transcription

Serve = Callable[..., Served]
AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.js").read_text(encoding="utf-8")
FIRST, SECOND, THIRD, FOURTH = SENTENCES
#: What a page asks to hear of others.
CHANGES = "**/review/changes/*"
BOTH = pytest.mark.parametrize("language", ["en", "zh-hans"])


@pytest.fixture
def served(serve_standing: Serve) -> Served:
    return serve_standing()


@pytest.fixture
def ann(transactional_db: None) -> User:
    return User.objects.create_superuser("ann")


@pytest.fixture
def language() -> str:
    """Of the page; stories whose words matter are told in both."""
    return "en"


@pytest.fixture
def opened(served: Served, ann: User, language: str) -> Callable[[Any], ReviewPage]:
    """Opens the page of a new transcript; its id is the page's ``pk``."""
    pk, cookie = transcript(served, ann), session_of(ann)

    def open_it(page: Any) -> ReviewPage:
        page.set_default_timeout(15_000)
        root = f"http://127.0.0.1:{served.port}"
        page.context.add_cookies([{"name": "django_language", "value": language, "url": root}])
        return ReviewPage(page, served, pk, cookie)

    open_it.pk = pk  # type: ignore[attr-defined]
    return open_it


@BOTH
def test_edit_split_merge_undo_and_restore(browser: Browser, opened: Any) -> None:
    def scenario(page: Any) -> None:
        review = opened(page).open()
        keys = page.keyboard
        at = "document.querySelector('audio').currentTime"
        page.locator(".waveform").click(position={"x": 5, "y": 30})
        review.until(f"{at} < 0.3")
        review.row(1).click()
        review.until(f"{at} >= 1.5 && {at} < 3")
        keys.press("End")
        keys.type(" Really.")
        review.saved()
        review.caret(1, len("The meating"))
        keys.press("Enter")
        review.until_rows(FIRST, "The meating", "begins now. Really.", THIRD, FOURTH)
        # The caret is where the split was: typing goes on there.
        keys.type("It ")
        keys.press("Control+Home")
        keys.press("Backspace")
        review.until_rows(FIRST, "The meating It begins now. Really.", THIRD, FOURTH)
        review.saved()
        for _ in range(3):
            keys.press("Control+z")
        review.until_rows(FIRST, "The meating begins now. Really.", THIRD, FOURTH)
        keys.press("Control+z")
        review.until_rows(*SENTENCES)
        keys.press("Control+Shift+z")
        review.until_rows(FIRST, "The meating begins now. Really.", THIRD, FOURTH)
        review.saved()
        page.locator("[data-action=history]").click()
        history = page.locator("#review-history")
        history.locator("ol button").first.click()
        history.locator("ins").wait_for()
        assert history.locator("ins").all_text_contents() == [" Really."]
        history.locator("ol button").last.click()
        history.locator("del, ins").first.wait_for(state="detached")
        history.locator("[data-history=restore]").click()
        history.locator("[data-history=yes]").click()
        review.until_rows(*SENTENCES)
        assert review.complaints == []

    browser.run(scenario)
    assert texts(opened.pk) == list(SENTENCES)
    row = Transcription.objects.get()
    assert row.revisions.first().kind == "restore"
    assert row.review_state == "in_review"


@BOTH
def test_two_pages_that_change_one_sentence_decide_in_words(
    browser: Browser, served: Served, opened: Any
) -> None:
    bob = session_of(User.objects.create_superuser("bob"))

    def scenario(page: Any) -> None:
        review = opened(page).open()
        with another_context(page) as context:
            other = ReviewPage(context.new_page(), served, opened.pk, bob).open()
            other.page.locator("[data-status=people]", has_text="ann").wait_for()
            # Ann has not heard of his edit when she makes her own.
            page.route(CHANGES, lambda route: route.abort())
            other.row(1).click()
            other.page.keyboard.press("End")
            other.page.keyboard.type(" Says bob.")
            other.saved()
            review.row(1).click()
            page.keyboard.press("End")
            page.keyboard.type(" Says ann.")
            conflict = page.locator("#segments .conflict")
            conflict.wait_for()
            assert "bob" in conflict.locator("p").first.text_content()
            assert conflict.locator("q").text_content() == f"{SECOND} Says bob."
            assert review.rows()[1] == f"{SECOND} Says ann."
            page.keyboard.press("Control+Enter")
            page.unroute(CHANGES)
            review.saved()
            # What the other does not touch comes to him by itself.
            other.poll()
            other.until_rows(FIRST, f"{SECOND} Says ann.", THIRD, FOURTH)
            page.route(CHANGES, lambda route: route.abort())
            other.row(1).click()
            other.page.keyboard.press("End")
            other.page.keyboard.type(" Bob again.")
            other.saved()
            page.keyboard.type(" Ann again.")
            conflict.get_by_role("button").nth(1).click()
            review.until_rows(FIRST, f"{SECOND} Says ann. Bob again.", THIRD, FOURTH)
            page.unroute(CHANGES)
            review.saved()
            assert other.complaints == []
        assert review.complaints == []

    browser.run(scenario)
    assert texts(opened.pk)[1] == f"{SECOND} Says ann. Bob again."


def test_a_page_that_is_killed_has_lost_nothing_of_what_was_typed_two_seconds_before(
    browser: Browser, served: Served, opened: Any
) -> None:
    def typed_and_killed(page: Any) -> None:
        review = opened(page).open()
        review.row(0).click()
        page.keyboard.press("End")
        page.keyboard.type(" And to me.")
        page.wait_for_timeout(2_100)
        # No unload, no event: the process is gone.
        with pytest.raises(Exception, match="crash"):
            page.goto("chrome://crash")

    browser.run(typed_and_killed)
    assert texts(opened.pk)[0] == f"{FIRST} And to me."


def test_what_was_typed_without_a_connection_arrives_later(browser: Browser, opened: Any) -> None:
    def scenario(page: Any) -> str:
        review = opened(page).open()
        context = page.context
        context.set_offline(True)
        review.row(0).click()
        page.keyboard.press("End")
        page.keyboard.type(" Offline")
        page.locator("[data-status=saved][data-state=offline]").wait_for()
        words = page.text_content("[data-status=saved]")
        review.caret(1, len("The meating"))
        page.keyboard.press("Enter")
        page.keyboard.type("It ")
        review.until_rows(f"{FIRST} Offline", "The meating", "It begins now.", THIRD, FOURTH)
        context.set_offline(False)
        review.saved()
        # And once more: the page is killed before there is a connection again.
        page.route("**/api/**", lambda route: route.abort())
        page.keyboard.press("End")
        page.keyboard.type(" Killed.")
        page.locator("[data-status=saved][data-state=offline]").wait_for()
        with pytest.raises(Exception, match="crash"):
            page.goto("chrome://crash")
        again = opened(context.new_page()).open()
        again.until_rows(f"{FIRST} Offline", "The meating", "It begins now. Killed.", THIRD, FOURTH)
        again.saved()
        assert "computer" in words

    browser.run(scenario)
    assert texts(opened.pk) == [
        f"{FIRST} Offline", "The meating", "It begins now. Killed.", THIRD, FOURTH,
    ]  # fmt: skip


def test_what_has_no_place_any_more_is_kept_and_shown(
    browser: Browser, served: Served, opened: Any
) -> None:
    bob = session_of(User.objects.create_superuser("bob"))

    def scenario(page: Any) -> None:
        review = opened(page).open()
        page.context.set_offline(True)
        review.caret(0, len("Good morning"))
        page.keyboard.press("Enter")
        page.keyboard.type("Split by ann: ")
        review.row(3).focus()
        page.keyboard.press("End")
        page.keyboard.type(" Ann.")
        with another_context(page) as context:
            other = ReviewPage(context.new_page(), served, opened.pk, bob).open()
            other.row(0).focus()
            other.page.keyboard.press("End")
            other.page.keyboard.type(" Bob.")
            other.row(1).focus()
            other.page.keyboard.press("Alt+m")
            other.saved()
            merged = other.rows()[1]
            assert merged.startswith(SECOND)
            assert merged.endswith(THIRD)
            page.context.set_offline(False)
            lost = page.locator("[data-status=lost] li")
            lost.nth(1).wait_for()
            review.until_rows(f"{FIRST} Bob.", merged, FOURTH)
            kept = lost.locator("q").all_text_contents()
            assert sorted(kept) == sorted(["Split by ann: to everybody.", f"{THIRD} Ann."])
            lost.get_by_role("button").first.click()
            lost.get_by_role("button").first.click()
            review.saved()
            assert [*review.complaints, *other.complaints] == []

    browser.run(scenario)
    assert texts(opened.pk)[::2] == [f"{FIRST} Bob.", FOURTH]


def test_who_is_logged_out_logs_in_again_and_loses_nothing(
    browser: Browser, ann: User, opened: Any
) -> None:
    again = session_of(ann)

    def scenario(page: Any) -> None:
        review = opened(page).open()
        page.context.clear_cookies(name="sessionid")
        review.row(3).click()
        page.keyboard.press("End")
        page.keyboard.type(" Bye.")
        page.locator("[data-status=saved][data-state=login] a").wait_for()
        cookie = {"name": "sessionid", "value": again, "url": review.origin}
        page.context.add_cookies([cookie])
        page.evaluate("dispatchEvent(new Event('focus'))")
        review.saved()
        assert review.complaints == []

    browser.run(scenario)
    assert texts(opened.pk)[3] == f"{FOURTH} Bye."


@BOTH
def test_a_text_is_reviewed_with_the_keyboard_alone(browser: Browser, opened: Any) -> None:
    def by_keyboard(page: Any) -> None:
        review = opened(page).open()
        keys = page.keyboard
        playing = "!document.querySelector('audio').paused"
        at = "document.querySelector('audio').currentTime"
        review.row(0).focus()
        keys.press("Alt+k")
        review.until(f"{playing} && {at} > 0.2")
        keys.press("Alt+ArrowDown")
        review.until(f"{at} >= 1.5")
        review.until("document.querySelectorAll('#segments [data-key]')[1].ariaCurrent === 'true'")
        # Who scrolls is not pulled back, until he wants to be.
        follow = page.locator("[data-action=follow]")
        page.mouse.wheel(0, 10)
        follow.wait_for()
        keys.press("Alt+u")
        follow.wait_for(state="hidden")
        keys.press("Alt+k")
        review.until(f"!({playing})")
        # It goes on a little before the pause.
        paused = page.evaluate(at)
        page.evaluate(
            "document.querySelector('audio').addEventListener('play',"
            "({target}) => { globalThis.resumed = target.currentTime; }, {once: true})"
        )
        keys.press("Alt+k")
        review.until("globalThis.resumed")
        assert page.evaluate("resumed") == pytest.approx(paused - 0.5, abs=0.2)
        keys.press("Alt+k")
        keys.press("Alt+j")
        review.until(f"{at} < 1")
        keys.press("Alt+.")
        assert page.evaluate("document.querySelector('audio').playbackRate") == 1.25
        keys.press("Alt+w")
        assert page.evaluate("String(getSelection())") == "meating"
        keys.type("meeting")
        keys.press("Alt+w")
        assert page.evaluate("String(getSelection())") == ""
        keys.press("Enter")
        review.until_rows(FIRST, "The meeting", "begins now.", THIRD, FOURTH)
        keys.press("Alt+Shift+m")
        review.until_rows(FIRST, "The meeting begins now.", THIRD, FOURTH)
        review.row(3).focus()
        keys.press("Alt+i")
        keys.type("4.8")
        keys.press("Enter")
        page.get_by_text("0:04.8", exact=True).wait_for()
        assert page.evaluate("document.activeElement.textContent") == FOURTH
        # An input method is left alone: its Enter chooses a word.
        review.caret(2, 2)
        page.evaluate(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown',"
            "{key: 'Enter', code: 'Enter', isComposing: true, bubbles: true, cancelable: true}))"
        )
        assert len(review.rows()) == 4
        # What it shows on the way to a character is no text yet.
        input_method = page.context.new_cdp_session(page)
        composing = {"text": "ni", "selectionStart": 2, "selectionEnd": 2}
        input_method.send("Input.imeSetComposition", composing)
        assert review.rows()[2] == "今天ni天气很好。"
        page.wait_for_timeout(300)
        assert "天ni" not in page.evaluate("JSON.stringify(localStorage)")
        input_method.send("Input.insertText", {"text": "你"})
        review.until_rows(FIRST, "The meeting begins now.", "今天你天气很好。", FOURTH)
        review.saved()
        keys.press("Control+z")
        review.until_rows(FIRST, "The meeting begins now.", THIRD, FOURTH)
        keys.press("Control+h")
        keys.type("天")
        keys.press("Tab")
        keys.type("日")
        keys.press("Shift+Tab")
        keys.press("Enter")
        for _ in range(6):
            keys.press("Tab")
        keys.press("Enter")  # replaces the first
        review.until_rows(FIRST, "The meeting begins now.", "今日天气很好。", FOURTH)
        keys.press("Tab")
        keys.press("Enter")  # replaces all
        review.until_rows(FIRST, "The meeting begins now.", "今日日气很好。", FOURTH)
        keys.press("Escape")
        keys.press("Control+z")
        review.until_rows(FIRST, "The meeting begins now.", "今日天气很好。", FOURTH)
        keys.press("F1")
        page.locator("#review-help[open] kbd").first.wait_for()
        check_with_axe(page)
        keys.press("Escape")
        keys.press("Alt+a")
        page.locator("[data-action=reopen]:not([hidden])").wait_for()
        assert review.row(0).get_attribute("contenteditable") == "false"
        check_with_axe(page)
        assert review.complaints == []

    browser.run(by_keyboard)
    eventually(lambda: Transcription.objects.get().review_state == "approved")
    assert texts(opened.pk)[1:3] == ["The meeting begins now.", "今日天气很好。"]


def check_with_axe(page: Any) -> None:
    """Nothing critical and nothing serious."""
    # By the debugger, where the policy of the page has no say.
    page.evaluate(AXE)
    found = page.evaluate("axe.run('#review, #review dialog').then(({violations}) => violations)")
    bad = [
        (one["id"], [node["html"][:200] for node in one["nodes"]])
        for one in found
        if one["impact"] in {"critical", "serious"}
    ]
    assert bad == []


def test_a_recording_without_waveform_and_one_that_cannot_be_played_say_so(
    browser: Browser, served: Served, opened: Any
) -> None:
    media = served.data_dir / "media"
    (media / f"audio/{opened.pk}.wav").write_bytes(b"this is no sound")
    (media / "peaks" / opened.pk[:2] / f"{opened.pk}.peaks").unlink()

    def scenario(page: Any) -> str:
        review = opened(page).open()
        page.get_by_text("no waveform").wait_for()
        page.get_by_role("link", name="Download the recording").wait_for()
        assert review.rows() == list(SENTENCES)
        return str(page.text_content("[data-player=note]"))

    assert "cannot play" in browser.run(scenario)
