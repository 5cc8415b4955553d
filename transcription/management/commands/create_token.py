"""``manage.py create_token USER``: prints one token and nothing else."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from transcription.models import ApiToken
from transcription.services import tokens

MAX_DAYS = 36_500


class Command(BaseCommand):
    help = "Create an API token for a user and print it. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="name of the user")
        parser.add_argument(
            "--name", default="command line", help="what the token is for (default: %(default)s)"
        )
        parser.add_argument(
            "--scope",
            choices=ApiToken.Scope.values,
            default=ApiToken.Scope.FULL,
            help="what it may do (default: %(default)s)",
        )
        parser.add_argument("--days", type=float, help="days until it expires (default: never)")

    def handle(
        self,
        *args: Any,
        user: str,
        name: str,
        scope: str,
        days: float | None,
        **options: Any,
    ) -> None:
        owner = User.objects.filter(username=user).first()
        if owner is None:
            raise CommandError(
                f"There is no user '{user}'. Create one with: manage.py createsuperuser"
            )
        if not owner.is_active:
            raise CommandError(
                f"The user '{user}' is not active, so the token would not work. "
                "Activate the account in the admin first."
            )
        if days is not None and not 0 < days <= MAX_DAYS:
            raise CommandError(f"--days: expected more than 0 and at most {MAX_DAYS}.")
        expires_at = timezone.now() + timedelta(days=days) if days is not None else None
        try:
            _, token = tokens.create(owner, name=name, scope=scope, expires_at=expires_at)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(token)
