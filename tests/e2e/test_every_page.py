"""Every page in both languages, on a desk and on a phone: nothing blocked or unreadable.

With ``ASR_TEST_PICTURES=FOLDER`` each is also kept there as a picture, whole, by day and by night.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.axe import problems
from tests.e2e.conftest import Browser
from tests.e2e.test_home_page import LANGUAGES, PHONE, Visitor
from transcription.management.benchmarks.common import Measured, measured_service, run_in_settings

DESK = {"width": 1280, "height": 800}
ADMIN = "/admin/transcription"
#: Name -> address; {id} of a finished transcription, {failed} of a failed one.
PAGES = {
    "home": "/",
    "history": "/history/",
    "a text": "/transcriptions/{id}/",
    "a failed recording": "/transcriptions/{failed}/",
    "tokens": "/account/tokens/",
    "admin": "/admin/",
    "list": f"{ADMIN}/transcription/",
    "one in the admin": f"{ADMIN}/transcription/{{id}}/change/",
    "review": f"{ADMIN}/transcription/{{id}}/review/",
    "engine room": f"{ADMIN}/engine-room/",
    "pausing": f"{ADMIN}/engine-room/queue/pause/",
    "reloading": f"{ADMIN}/engine-room/models/{{model}}/reload/",
    "quality": f"{ADMIN}/quality/",
    "models": f"{ADMIN}/speechmodel/",
    "a model": f"{ADMIN}/speechmodel/{{model}}/change/",
    "workers": f"{ADMIN}/worker/",
    "glossary": f"{ADMIN}/glossaryterm/",
    "a new term": f"{ADMIN}/glossaryterm/add/",
    "deliveries": f"{ADMIN}/delivery/",
    "endpoints": f"{ADMIN}/webhookendpoint/",
    "bots": f"{ADMIN}/bot/",
    "a new bot": f"{ADMIN}/bot/add/",
    "limits": f"{ADMIN}/userlimits/",
    "access tokens": f"{ADMIN}/apitoken/",
    "a new access token": f"{ADMIN}/apitoken/add/",
    "people": "/admin/auth/user/",
    "password": "/admin/password_change/",
    "audit": f"{ADMIN}/auditentry/",
    "API page": "/api/v1/docs/",
    "browsable API": "/api/v1/transcriptions/",
}
#: For those who have not logged in.
STRANGERS = {
    "log in": "/",
    "staff log in": "/admin/login/",
    "reset": "/accounts/password-reset/",
    "nothing there": "/no-such-page/",
}
#: Django's own tables are as wide as their columns; what is around them scrolls, not the page.
#: The forms of its change pages are stock, too.
STOCK = {"one in the admin", "a model", "a new term", "deliveries", "endpoints", "limits", "audit"}
#: Pages of packages, of which only that nothing is blocked on them is ours to see to.
FOREIGN = {"API page", "browsable API"}

_ROWS = (
    "import json\n"
    "from django.contrib.auth.models import User\n"
    "from transcription.models import *\n"
    "from django.core.files.base import ContentFile\n"
    "from django.utils import timezone\n"
    "from transcription.services import audit, glossary, peaks, tokens, webhooks\n"
    "ann = User.objects.create_superuser('ann', password='correct horse')\n"
    "tokens.create(ann, name='shop')\n"
    "glossary.create(ann, term='Kubernetes')\n"
    "webhooks.create_endpoint(ann, url='https://a.example.com/')\n"
    "failed = Transcription.objects.create(owner=ann, file_name='letter.txt', status='failed',\n"
    "    step='over', error_code='not_audio', error_message='-')\n"
    "made = Transcription.objects.create(owner=ann, file_name='talk.wav', status='completed',\n"
    "    step='over', text='Good morning. 大家好。', language='en', duration_seconds=3.0,\n"
    "    model_name='fake', engine_seconds=0.5, completed_at=timezone.now())\n"
    "audit.note_exported(made, audit.Actor(via='page', user=ann), 'srt')\n"
    "made.audio.save('talk.wav', ContentFile(b'RIFF'))\n"
    "peaks.store_peaks(made.pk, bytes(range(60)))\n"
    "for index, text in enumerate(('Good morning.', '大家好。')):\n"
    "    Segment.objects.create(transcription=made, index=index, start_seconds=1.5 * index,\n"
    "        end_seconds=1.5 * index + 1.5, text=text, language='en')\n"
    "print(json.dumps({'id': str(made.pk), 'failed': str(failed.pk),\n"
    "                  'model': SpeechModel.objects.get().pk}))\n"
)


@pytest.fixture(scope="module")
def service() -> Iterator[Measured]:
    with measured_service(
        engine="fake",
        model_options={"chunk_seconds": 30},
        environment={
            "ASR_RATE_LOGIN": "1000/m",
            "ASR_AUDIO_KEPT_DAYS": "30",
            "ASR_TEXT_KEPT_DAYS": "365",
        },
    ) as measured:
        yield measured


@pytest.fixture(scope="module")
def addresses(service: Measured) -> dict[str, str]:
    ids = json.loads(run_in_settings(_ROWS, [], service.environment))
    return {name: path.format(**ids) for name, path in PAGES.items()}


def take_pictures(page: Any, name: str, language: str) -> None:
    """Keep the page as it looks at both widths, in both schemes, where somebody asked for it."""
    folder = os.environ.get("ASR_TEST_PICTURES")
    if folder is None:
        return
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for size in (DESK, PHONE):
            page.set_viewport_size(size)
            page.wait_for_timeout(300)
            picture = f"{name.replace(' ', '-')}.{language}.{size['width']}.{scheme}.png"
            page.screenshot(path=Path(folder) / picture, full_page=True)
    page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_right(
    browser: Browser, service: Measured, addresses: dict[str, str], language: str
) -> None:
    found: dict[str, list[str]] = {}

    def look(visitor: Visitor, name: str, path: str) -> None:
        page = visitor.page
        wrong = found.setdefault(name, [])
        page.set_viewport_size(DESK)
        page.goto(visitor.root + path)
        wrong += visitor.complaints
        visitor.complaints.clear()
        if name in FOREIGN:
            take_pictures(page, name, language)
            return
        if page.locator("html").get_attribute("lang") != language:
            wrong.append("the language")
        for size in (DESK, PHONE):
            page.set_viewport_size(size)
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > size["width"] and name not in STOCK:
                wrong.append(f"{width} pixels wide at {size['width']}")
        if name in {"list", "audit"}:
            page.set_viewport_size(DESK)
            results = "document.querySelector('.results')"
            if page.evaluate(f"{results}.scrollWidth > {results}.clientWidth"):
                wrong.append("a column of the list is out of sight")
        wrong += problems(page)
        take_pictures(page, name, language)
        visitor.complaints.clear()  # what axe itself put into the page

    def scenario(page: Any) -> None:
        visitor = Visitor(page, service, language)
        for name, path in STRANGERS.items():
            page.goto(visitor.root + path)
            assert problems(page) == []
            take_pictures(page, name, language)
        visitor.complaints.clear()  # of the page that is not there
        visitor.log_in()
        for name, path in addresses.items():
            look(visitor, name, path)

    browser.run(scenario)
    lines = [f"{name}: {one}" for name, wrong in found.items() for one in wrong]
    assert not lines, "\n".join(lines)
