"""``manage.py demo``: the whole service once through, from a file to its text."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone

from transcription.management.client import Client, NoAnswerError
from transcription.management.running_service import DidNotStartError, RunningService
from transcription.models import ApiToken
from transcription.services import audit, tokens
from transcription.services.models import ensure_default_models
from transcription.text.scoring import count_errors
from transcription.work.locks import ServeLock

#: The account of the demo; nobody can log in with it.
ACCOUNT = "demo"
#: More than this share of wrong words means that something is broken.
TOLERATED_WORD_ERROR = 0.15


class Command(BaseCommand):
    help = (
        "Start the service on a free port, send it the English sample through the HTTP API, "
        "print the answer and the transcript, and stop it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        served = ServeLock(settings.RUN_DIR).read()
        if served is not None:
            self._again_elsewhere(served.url)
        call_command("migrate", verbosity=0)
        ensure_default_models()
        user, _made = User.objects.get_or_create(username=ACCOUNT)
        row, token = tokens.create(
            user,
            name="demo",
            scope=ApiToken.Scope.TRANSCRIBE,
            expires_at=timezone.now() + timedelta(hours=1),
        )
        connections.close_all()
        try:
            self._run(token)
        except (DidNotStartError, NoAnswerError, OSError) as error:
            raise CommandError(f"The demo failed. {error}") from error
        finally:
            tokens.revoke(row, audit.Actor.of_command())

    def _again_elsewhere(self, url: str) -> None:
        """Run once more with a data directory of its own: this one is being served."""
        elsewhere = settings.DATA_DIR / "demo"
        self.stdout.write(f"{url or 'A service'} uses {settings.DATA_DIR}; using {elsewhere}.")
        self.stdout.flush()
        os.environ["ASR_DATA_DIR"] = str(elsewhere)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

    def _run(self, token: str) -> None:
        sample = settings.BASE_DIR / "samples" / "english.wav"
        expected = sample.with_suffix(".txt").read_text(encoding="utf-8").strip()
        log_path = settings.LOG_DIR / "demo.log"
        log_path.unlink(missing_ok=True)
        self.stdout.write("Starting the service…")
        service = RunningService(
            base_dir=settings.BASE_DIR, data_dir=settings.DATA_DIR, log_path=log_path
        )
        with service:
            self.stdout.write(f"It serves on {service.url}. Sending {sample.name}…")
            answer = Client(service.url, token).transcribe_file(sample)
        self.stdout.write(json.dumps(answer.body, ensure_ascii=False, indent=2))
        data = answer.body.get("data") or {}
        if answer.status != 200 or answer.body.get("code") != 0:
            raise CommandError(
                f"The service answered with status {answer.status} instead of a transcript. "
                f"Its log is {service.log_path}; the end of it:\n{service.last_words()}"
            )
        heard = str(data["text"])
        counted = count_errors([(expected, heard)], language="en", unit="word")
        self.stdout.write(
            f"\nSaid:  {expected}\nHeard: {heard}\n"
            f"{counted.errors} of {counted.reference_length} words differ "
            f"({counted.rate:.1%} word error); "
            f"{data['duration_sec']:g} s of audio, answered in {answer.seconds:.2f} s."
        )
        if counted.rate > TOLERATED_WORD_ERROR:
            raise CommandError(
                f"That is more than {TOLERATED_WORD_ERROR:.0%}: something is wrong with the model "
                "in place. `manage.py fetch_model whisper-base --verify` checks its files."
            )
        self.stdout.write(self.style.SUCCESS("The service works, and is stopped again."))
