"""The handbook's upload component, at an origin of its own, against the running service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.e2e.conftest import Browser, FrontEnd
from tests.served import Served
from transcription.management.benchmarks.common import Measured, measured_service
from transcription.models import Transcription

HERE = Path(__file__).parent
SAMPLE = settings.BASE_DIR / "samples" / "english.wav"
PATIENCE_MS = 90_000
ANON_LIMIT = 5


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the person at the browser gets to see, and what the page's script can read."""

    text: str
    language: str
    alerts: list[str]
    #: Status, headers and body as the script sees them; None: the browser gave it nothing.
    seen: dict[str, Any] | None


@pytest.fixture(scope="module")
def service(front_end: FrontEnd) -> Iterator[Measured]:
    with measured_service(
        engine="fake",
        model_options={"chunk_seconds": 30},
        environment={
            "ASR_CORS_ORIGINS": front_end.origin,
            "ASR_ALLOW_ANONYMOUS": "true",
            "ASR_RATE_ANON": f"{ANON_LIMIT}/h",
        },
    ) as measured:
        yield measured


def upload_in(
    browser: Browser, site: FrontEnd, address: str, authorization: str = "", *, times: int = 1
) -> list[Shown]:
    """Open the site's page and choose a file, so many times; return what was shown each time."""
    headers = f"headers: {{ 'Authorization': '{authorization}' }}," if authorization else ""
    site.page = (
        (HERE / "handbook.html")
        .read_text(encoding="utf-8")
        .replace("__ADDRESS__", address)
        .replace("__HEADERS__", headers)
    )

    def scenario(page: Any) -> list[Shown]:
        shown = []
        alerts: list[str] = []

        def dismiss(dialog: Any) -> None:
            alerts.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", dismiss)
        for _ in range(times):
            alerts.clear()
            page.goto(site.origin)
            page.set_input_files("#fileInput", SAMPLE)
            page.wait_for_function("window.done", timeout=PATIENCE_MS)
            shown.append(
                Shown(
                    text=page.text_content("#text"),
                    language=page.text_content("#language"),
                    alerts=list(alerts),
                    seen=page.evaluate("window.seen || null"),
                )
            )
        return shown

    return browser.run(scenario)


def address_of(service: Measured) -> str:
    return f"{service.service.url}/api/v1/transcribe"


def test_with_an_authorization_header_it_shows_the_text(
    browser: Browser, service: Measured, front_end: FrontEnd
) -> None:
    [shown] = upload_in(browser, front_end, address_of(service), service.client.authorization)

    assert shown.alerts == []
    assert shown.text
    assert shown.seen is not None
    assert shown.seen["status"] == 200
    assert shown.seen["body"]["message"] == "success"
    assert shown.seen["body"]["data"]["text"] == shown.text
    assert shown.language == shown.seen["body"]["data"]["language"]
    assert len(shown.seen["headers"]["x-request-id"]) >= 8


def test_a_wrong_token_is_told_in_words(
    browser: Browser, service: Measured, front_end: FrontEnd
) -> None:
    """It spends one of the calls of this address."""
    [shown] = upload_in(browser, front_end, address_of(service), "Token asr_guessed")

    assert shown.alerts[0].startswith("识别失败:The token is unknown")
    assert shown.text == ""


def test_without_any_header_it_works_until_the_limit_is_reached_and_says_so(
    browser: Browser, service: Measured, front_end: FrontEnd
) -> None:
    shown = upload_in(browser, front_end, address_of(service), times=ANON_LIMIT + 1)

    assert shown[0].alerts == []
    assert shown[0].text
    refused = shown[-1]
    assert refused.alerts[0].startswith("识别失败:Too many requests.")
    assert refused.seen is not None
    assert (refused.seen["status"], refused.seen["body"]["code"]) == (429, 1006)
    assert int(refused.seen["headers"]["retry-after"]) >= 1


@pytest.mark.parametrize("with_token", [True, False], ids=["with a token", "without"])
def test_a_page_of_another_origin_gets_nothing_and_leaves_nothing(
    browser: Browser, service: Measured, other_site: FrontEnd, with_token: bool
) -> None:
    def recordings() -> int:
        return len(list((service.data_dir / "media").rglob("*.*")))

    before = recordings()
    authorization = service.client.authorization if with_token else ""
    [shown] = upload_in(browser, other_site, address_of(service), authorization)

    assert shown.alerts[0].startswith("网络错误:")
    assert shown.seen is None
    assert recordings() == before


def test_the_link_of_a_long_recording_can_be_followed_by_the_page(
    browser: Browser, front_end: FrontEnd, serve: Callable[..., Served]
) -> None:
    served = serve(
        ASR_CORS_ORIGINS=front_end.origin, ASR_ALLOW_ANONYMOUS="true", ASR_SYNC_WAIT_SECONDS="0"
    )
    root = f"http://127.0.0.1:{served.port}"
    [shown] = upload_in(browser, front_end, f"{root}/api/v1/transcribe")

    assert shown.alerts[0].startswith("识别失败:The recording is accepted")
    assert shown.seen is not None
    assert shown.seen["status"] == 202
    assert shown.seen["headers"]["retry-after"] == "5"
    link = shown.seen["headers"]["location"]
    row = Transcription.objects.get()
    assert row.owner is None
    Transcription.objects.update(status="completed", step="over", text="今天我们要讨论。")

    def follow(page: Any) -> Any:
        page.goto(front_end.origin)
        return page.evaluate("url => fetch(url).then(one => one.json())", root + link)

    result = browser.run(follow)
    assert (result["id"], result["text"]) == (str(row.pk), "今天我们要讨论。")
