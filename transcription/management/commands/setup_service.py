"""``manage.py setup_service``: what a fresh installation needs before its first request."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils.crypto import get_random_string

from transcription.services import tokens
from transcription.services.models import ensure_default_models

ACCOUNT = "admin"
#: About 116 bits, of characters that nobody mistakes for each other when he types them off.
PASSWORD_LENGTH = 20
PASSWORD_CHARACTERS = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Command(BaseCommand):
    help = (
        "Make the first account and the first API token, enter the embedded model, and print "
        "how to use them. Where there is an administrator already, only the address is printed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="address that `serve` gets")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port of it")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        ensure_default_models()
        named = "127.0.0.1" if host in {"0.0.0.0", "::"} else host
        url = f"http://[{named}]:{port}" if ":" in named else f"http://{named}:{port}"
        made = make_first_account()
        if made is None:
            self.stdout.write(f"Address:   {url}")
            return
        name, password, token = made
        sample = shlex.quote(str(settings.BASE_DIR / "samples" / "english.wav"))
        # On the console only, and only now: the token and the password are stored as digests.
        self.stdout.write(
            f"\nAddress:   {url}    (pages of the administrator: {url}/admin/)\n"
            f"Account:   {name}\n"
            f"Password:  {password}\n"
            f"API token: {token}\n"
            "These are shown this once. Try:\n\n"
            f"  curl -H 'Authorization: Token {token}' -F file=@{sample} "
            f"{url}/api/v1/transcribe\n"
        )


@transaction.atomic
def make_first_account() -> tuple[str, str, str] | None:
    """Make the administrator and a token of his; return name, password and token.

    None where an administrator exists.
    """
    if User.objects.filter(is_superuser=True).exists():
        return None
    # A plain account of that name, made before there was an administrator, is not taken over.
    name = ACCOUNT
    while User.objects.filter(username=name).exists():
        name = f"{ACCOUNT}-{get_random_string(4).lower()}"
    password = get_random_string(PASSWORD_LENGTH, PASSWORD_CHARACTERS)
    user = User.objects.create_superuser(username=name, password=password)
    _row, token = tokens.create(user, name="first start")
    return name, password, token
