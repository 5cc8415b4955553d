"""The page to try calls on, in a real browser that reaches nothing but the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.conftest import Browser
from tests.served import Served


def test_a_call_is_tried_on_the_api_page_without_the_internet(
    browser: Browser, serve: Callable[..., Served], token: str
) -> None:
    served = serve()
    origin = f"http://127.0.0.1:{served.port}"

    def scenario(page: Any) -> tuple[str, list[str], list[str]]:
        errors: list[str] = []
        asked: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.set_default_timeout(60_000)
        page.goto(f"{origin}/api/v1/docs/")
        page.click("button.authorize")
        page.fill("input[aria-label='auth-bearer-value']:first-of-type", token)
        page.click(".auth-btn-wrapper button[type=submit]")
        page.click("button.btn-done")
        page.click("#operations-transcriptions-api_v1_transcriptions_list")
        page.click("button.try-out__btn")
        page.click("button.execute")
        page.wait_for_selector(".live-responses-table tbody .response-col_status")
        return page.inner_text(".live-responses-table tbody .response-col_status"), errors, asked

    status, errors, asked = browser.run(scenario)

    assert status.startswith("200")
    assert errors == []
    assert [url for url in asked if not url.startswith((origin, "data:", "blob:"))] == []
    assert any("/api/v1/transcriptions/" in url for url in asked)
