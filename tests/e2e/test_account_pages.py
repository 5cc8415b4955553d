"""The pages for people, as a person uses them, with a mail server that takes what is sent."""

from __future__ import annotations

import quopri
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.e2e.conftest import Browser
from tests.served import Served, eventually
from transcription.models import ApiToken

Serve = Callable[..., Served]
PASSWORD = "correct horse battery"


class MailServer(socketserver.ThreadingTCPServer):
    """Takes every message (SMTP, RFC 5321, as much of it as a client needs)."""

    daemon_threads = True

    def __init__(self) -> None:
        self.messages: list[str] = []
        super().__init__(("127.0.0.1", 0), MailSession)


class MailSession(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                self.server.messages.append(quopri.decodestring(b"".join(lines)).decode())
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")
            if verb == b"QUIT":
                return


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ann(transactional_db: None, settings: Any) -> User:
    # As the service itself would store it; the tests' own quick hashes are unknown to it.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    return User.objects.create_user("ann", email="ann@example.com", password=PASSWORD)


def log_in(page: Any, root: str, password: str = PASSWORD) -> None:
    page.goto(f"{root}/account/tokens/")
    page.fill("[name=username]", "ann")
    page.fill("[name=password]", password)
    page.click("main button")
    page.get_by_role("heading", name="My tokens").wait_for()


def test_a_token_is_made_used_and_revoked(browser: Browser, serve: Serve, ann: User) -> None:
    served = serve()
    root = f"http://127.0.0.1:{served.port}"

    def status(token: str) -> int:
        headers = {"Authorization": f"Token {token}"}
        return served.request("GET", "/api/v1/transcriptions/", headers=headers).status

    def scenario(page: Any) -> tuple[str, int, int]:
        log_in(page, root)
        page.get_by_label("Name").fill("web shop")
        page.get_by_label("It may").select_option("read")
        page.get_by_role("button", name="Make the token").click()
        token = page.text_content("#new-token")
        before = status(token)
        page.get_by_role("button", name="Revoke: web shop").click()
        page.get_by_text("is revoked").wait_for()
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("heading", name="Log in").wait_for()
        return token, before, status(token)

    token, before, after = browser.run(scenario)
    assert token.startswith("asr_")
    assert (before, after) == (200, 401)
    assert ApiToken.objects.get().name == "web shop"


def test_a_forgotten_password_comes_back_by_mail(
    browser: Browser, serve: Serve, ann: User, mail_server: MailServer
) -> None:
    port = mail_server.server_address[1]
    served = serve(
        ASR_EMAIL_URL=f"smtp+plain://127.0.0.1:{port}", ASR_EMAIL_FROM="asr@service.example"
    )
    root = f"http://127.0.0.1:{served.port}"
    new = "a wholly new password"

    def scenario(page: Any) -> str:
        page.goto(f"{root}/accounts/login/")
        page.get_by_text("I forgot my password").click()
        page.fill("[name=email]", "ann@example.com")
        page.click("main button")
        page.get_by_role("heading", name="Look into your mailbox").wait_for()
        eventually(lambda: bool(mail_server.messages))
        link = re.search(r"http://\S+", mail_server.messages[0])
        assert link, mail_server.messages
        page.goto(link[0])
        page.fill("[name=new_password1]", new)
        page.fill("[name=new_password2]", new)
        page.click("main button")
        page.get_by_role("heading", name="Your password is set").wait_for()
        log_in(page, root, new)
        return str(page.title())

    assert browser.run(scenario).startswith("My tokens")
    assert "From: asr@service.example" in mail_server.messages[0]
    assert "To: ann@example.com" in mail_server.messages[0]
