"""Every page for people, as a Chinese reader sees it: no English shows through.

A new page is one line of ``PAGES``; a page of the admin that is a model's is found by itself, and
wants a row in ``rows``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.contrib.auth.tokens import default_token_generator
from django.core import mail
from django.core.cache import cache
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from tests.visible import english_in, read_texts
from transcription import models as ours
from transcription.services import tokens

Rows = dict[type[models.Model], Any]

#: Names of products, formats and protocols, and what stands for itself in Chinese too.
NAMES = {
    *("API", "ASR", "CSRF", "CSV", "DOCX", "HTTP", "HTTPS", "ISO", "JSON", "JSONL", "PBKDF", "SHA"),
    *("SRT", "TSV", "TXT", "URL", "URLs", "UUID", "VTT", "WAV", "MiB", "GiB", "WER", "CER", "CPU"),
    *("GPU", "MP", "FLAC", "OGG", "AAC", "AMR", "WebM", "Opus", "Webhook", "OpenAI", "OpenAPI"),
    *("Apprise", "Lark", "Qwen", "Whisper", "transformers", "Django", "Cookie", "Token", "Vue"),
    *("CTranslate", "Control", "Command", "Mac", "LDAP", "wav", "ASCII"),
    *("txt", "srt", "vtt", "tsv", "json", "docx", "csv", "Word", "JavaScript", "Option"),
    *("SQLite", "PostgreSQL", "Redis"),
    *("fake", "cpu", "utf", "UTC", "Ctrl", "Shift", "Alt", "Esc", "Enter", "Tab", "Space"),
}
#: What Django says of a yes or no beside its icon; it has no other words for it.
YES_AND_NO = {"True", "False"}
#: Names that a sentence has as an example.
QUOTED = {"Kubernetes", "NAME", "curl", "localhost"}
ALLOWED = NAMES | YES_AND_NO | QUOTED


@pytest.fixture
def rows(db: None) -> Rows:
    """One row of whatever has pages of its own, with everything filled in that can be."""
    cache.clear()
    user = User.objects.create_superuser("管理员", email="admin@example.com")
    model = ours.SpeechModel.objects.create(
        name="模型",
        engine="fake",
        languages=["zh"],
        max_seconds=60.0,
        generation=3,
        last_good={"generation": 2, "engine": "fake", "weights": "", "options": {}},
    )
    started = timezone.now() - timedelta(minutes=3)
    row = ours.Transcription.objects.create(
        owner=user,
        title="会议",
        file_name="会议.wav",
        status="completed",
        step="over",
        state="done",
        language="zh",
        language_hint="zh",
        duration_seconds=61.0,
        speech_seconds=60.0,
        processed_seconds=60.0,
        started_at=started,
        completed_at=timezone.now(),
        model=model,
        model_name=model.name,
        routing_reason="first_that_fits",
        text="大家好。",
        warnings=[],
    )
    for status, code, details in (
        ("failed", "audio_too_long", {"limit": "6 h"}),
        ("failed", "worker_crashed", None),
        ("processing", "", None),
        ("queued", "", None),
        ("cancelled", "", None),
    ):
        ours.Transcription.objects.create(
            owner=user,
            title=f"会议 {status[0]}",
            status=status,
            error_code=code,
            error_message="English",
            error_details=details,
            language="en",
        )
    bot = ours.Bot(name="群", kind="feishu")
    bot.set_address("https://open.feishu.cn/hook")
    bot.save()
    endpoint = ours.WebhookEndpoint(owner=user, url="https://a.example.com/", description="网店")
    endpoint.set_new_secret()
    endpoint.off_reason, endpoint.enabled = "gone", False
    endpoint.save()
    worker = ours.Worker.objects.create(
        host="主机",
        pid=17,
        cluster="engine-0@1",
        loaded=[
            {
                "name": "模型",
                "generation": 1,
                "stands_in_for": 3,
                "device": "cpu",
                "loaded_because": "recordings wait for it",
            }
        ],
        loading=[
            {
                "name": "模型",
                "generation": 3,
                "because": "generation 3 was asked for",
                "since": timezone.now().isoformat(),
            }
        ],
        failed=[{"name": "模型", "generation": 3, "message": "文件不完整", "at": "now"}],
        unloaded=[{"name": "大", "unloaded_because": "swapped for tiny_1: 3.4 of 4.0 GB"}],
        seen={"模型": 3},
    )
    token, _secret = tokens.create(user, name="网店")
    return {
        User: user,
        Group: Group.objects.create(name="审校员"),
        ours.Transcription: row,
        ours.SpeechModel: model,
        ours.Chunk: ours.Chunk.objects.create(
            transcription=row,
            start_sample=0,
            end_sample=160_000,
            model_name=model.name,
            state="done",
            text="大家好。",
        ),
        ours.ApiToken: token,
        ours.AuditEntry: audit_entry(user),
        ours.GlossaryTerm: ours.GlossaryTerm.objects.create(owner=user, term="会议", language="zh"),
        ours.ReviewScore: ours.ReviewScore.objects.create(
            transcription=row,
            model_name=model.name,
            language="zh",
            unit="character",
            errors=1,
            reference_length=20,
            duration_seconds=61.0,
            scored_at=timezone.now(),
        ),
        ours.UserLimits: ours.UserLimits.objects.create(user=user, stored_mb=10),
        ours.Bot: bot,
        ours.WebhookEndpoint: endpoint,
        ours.Worker: worker,
        ours.Delivery: ours.Delivery.objects.create(
            kind="webhook",
            owner=user,
            transcription=row,
            endpoint=endpoint,
            destination="a.example.com",
            event="transcription.completed",
            payload={},
            state="failed",
            http_status=500,
            error_code="receiver_failed",
        ),
    }


def audit_entry(user: User) -> ours.AuditEntry:
    """The last of one for each action and each way."""
    for action in ours.AuditEntry.Action:
        for via in ours.AuditEntry.Via:
            entry = ours.AuditEntry.objects.create(
                actor=user,
                actor_name="" if via == "retention" else user.username,
                via=via,
                action=action,
                object_type="token" if action == "token_revoked" else "transcription",
                object_id="17",
                owner_name=user.username,
            )
    return entry


@pytest.fixture
def browser(rows: Rows) -> Client:
    browser = Client(headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"})
    browser.force_login(rows[User])
    return browser


def reset_link(rows: Rows) -> str:
    user = rows[User]
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("password-reset-confirm", args=[uid, default_token_generator.make_token(user)])


#: Pages for people, by name: who is logged in (True, False), and the address.
PAGES: dict[str, tuple[bool, Callable[[Rows], str]]] = {
    "login": (False, lambda rows: reverse("login")),
    "password-reset": (False, lambda rows: reverse("password-reset")),
    "password-reset-sent": (False, lambda rows: reverse("password-reset-sent")),
    "password-reset-done": (False, lambda rows: reverse("password-reset-done")),
    "password-reset-confirm": (False, reset_link),
    "password-reset-confirm of an old link": (
        False,
        lambda rows: reverse("password-reset-confirm", args=["MQ", "old"]),
    ),
    "account-tokens": (True, lambda rows: reverse("account-tokens")),
    "no such page": (True, lambda rows: "/nothing-here/"),
    "admin": (True, lambda rows: reverse("admin:index")),
    "admin, log-in": (False, lambda rows: reverse("admin:login")),
    "admin, the app": (True, lambda rows: reverse("admin:app_list", args=["transcription"])),
    "admin, password": (True, lambda rows: reverse("admin:password_change")),
    "admin, chunks of one": (
        True,
        lambda rows: (
            f"{reverse('admin:transcription_chunk_changelist')}"
            f"?transcription__id__exact={rows[ours.Transcription].pk}"
        ),
    ),
    "admin, search": (
        True,
        lambda rows: f"{reverse('admin:transcription_transcription_changelist')}?q=大家",
    ),
    "admin, filters": (
        True,
        lambda rows: (
            f"{reverse('admin:transcription_transcription_changelist')}"
            "?status__exact=failed&created_from=2020-01-01&language=en"
        ),
    ),
    "admin, engine room": (True, lambda rows: reverse("admin:engine_room")),
    "admin, engine room, pause": (
        True,
        lambda rows: reverse("admin:engine_room_queue", args=["pause"]),
    ),
    "admin, engine room, reload": (
        True,
        lambda rows: reverse("admin:engine_room_model", args=[rows[ours.SpeechModel].pk, "reload"]),
    ),
    "admin, review": (
        True,
        lambda rows: reverse(
            "admin:transcription_transcription_review", args=[rows[ours.Transcription].pk]
        ),
    ),
    "admin, quality": (True, lambda rows: reverse("quality")),
    "home": (True, lambda rows: "/"),
    "history": (True, lambda rows: "/history/"),
    "a transcription": (True, lambda rows: f"/transcriptions/{rows[ours.Transcription].pk}/"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_wholly_chinese(rows: Rows, browser: Client, settings: Any, name: str) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com"
    logged_in, address = PAGES[name]
    if not logged_in:
        browser.logout()
    response = browser.get(address(rows), follow=True)
    html = response.content.decode()
    assert response.status_code == (404 if name == "no such page" else 200)
    assert 'lang="zh-hans"' in html
    assert english_in(html, ALLOWED) == []


@pytest.mark.parametrize(
    "model",
    list(apps.get_app_config("transcription").get_models()),
    ids=lambda model: model.__name__,
)
def test_a_model_has_a_chinese_name(model: type[models.Model]) -> None:
    """They are said of whatever hangs on a row that is to be deleted, and of the permissions."""
    with translation.override("zh-hans"):
        for name in (model._meta.verbose_name, model._meta.verbose_name_plural):
            assert english_in(str(name), ALLOWED) == []
            assert re.search("[\u3400-\u9fff]", str(name))


def admin_pages(rows: Rows, model: type[models.Model]) -> list[str]:
    """Return the addresses of everything that the admin shows of a model."""
    base = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
    row = rows.get(model)
    pages = [reverse(f"{base}changelist"), reverse(f"{base}add")]
    if row is not None:
        pages += [
            reverse(f"{base}{page}", args=[row.pk]) for page in ("change", "delete", "history")
        ]
    return pages


#: Made by packages: theirs are the rows, and the words.
PACKAGES = {"auth"}


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model.__name__)
def test_the_admin_of_a_model_is_wholly_chinese(
    rows: Rows, browser: Client, model: type[models.Model]
) -> None:
    assert model in rows or model._meta.app_label in PACKAGES, "make a row of it in `rows`"
    for address in admin_pages(rows, model):
        response = browser.get(address, follow=True)
        if response.status_code == 403:
            continue  # nobody may: only the machine makes or deletes it
        assert response.status_code == 200
        assert english_in(response.content.decode(), ALLOWED) == [], address


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model.__name__)
def test_what_the_admin_says_of_an_empty_form_is_chinese(
    rows: Rows, browser: Client, model: type[models.Model]
) -> None:
    add = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
    response = browser.post(add, {})
    if response.status_code == 200:
        assert english_in(response.content.decode(), ALLOWED) == []


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model.__name__)
def test_what_the_admin_says_of_an_action_is_chinese(
    rows: Rows, browser: Client, model: type[models.Model]
) -> None:
    if model not in rows or model._meta.app_label in PACKAGES:
        pytest.skip("a package's")
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    page = browser.get(address, follow=True)
    form = page.context.get("action_form")
    offered = [name for name, _words in form.fields["action"].choices] if form else []
    for name in filter(None, offered):
        pks = list(model._default_manager.values_list("pk", flat=True))
        done = browser.post(address, {"action": name, "_selected_action": pks}, follow=True)
        if done.headers.get("Content-Type", "").startswith("text/html"):  # else a file to keep
            assert english_in(done.content.decode(), ALLOWED) == [], name


def test_the_message_with_the_link_is_chinese(rows: Rows, browser: Client, settings: Any) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    user = rows[User]
    user.set_password("x")
    user.save()
    browser.logout()
    browser.post(reverse("password-reset"), {"email": "admin@example.com"})
    [message] = mail.outbox
    assert message.subject == "设置语音识别服务的新密码"
    assert english_in(f"{message.subject}\n{message.body}", ALLOWED | {"testserver"}) == []


def test_the_page_without_mail_and_the_page_of_too_many_tries_are_chinese(
    rows: Rows, browser: Client, settings: Any
) -> None:
    browser.logout()
    for _ in range(10):
        refused = browser.post(reverse("login"), {"username": "管理员", "password": "no"})
    assert refused.status_code == 429
    without = browser.get(reverse("password-reset"))
    for response in (refused, without):
        assert english_in(response.content.decode(), ALLOWED) == []


# --- and the reader of pages sees what a person sees


def test_english_is_found_wherever_a_person_meets_it() -> None:
    html = """<html lang="zh-hans"><title>Title here</title><script>var unseen;</script>
    <p>你好 <b>World</b> <code>python manage.py</code> <a lang="en">English</a></p>
    <input type="submit" value="Save it"><input type="text" value="any value" placeholder="Type">
    <img alt="Picture"><button aria-label="Close"></button><textarea>content</textarea>
    <script type="application/json" id="page-words">{"a": {"b": "From JavaScript"}}</script>
    <p>https://example.com/path qwen3-asr-0.6b ASR_QUOTA_MB 12:30 WAV</p></html>"""
    found = [one.partition(" in ")[0] for one in english_in(html, {"WAV", "asr", "qwen"})]
    assert found == [
        *("Title, here", "World", "Save", "Type", "Picture", "Close", "From, JavaScript"),
    ]
    assert "你好" in read_texts(html, "zh")
