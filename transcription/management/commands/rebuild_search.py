"""``manage.py rebuild_search``: makes the search's index anew."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from transcription.services import search


class Command(BaseCommand):
    help = (
        "Make the index of the search anew from all transcriptions: after a repair by hand in the "
        "database, or when its index is reported as damaged. The service may go on running."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done = 0
        for done in search.rebuild():
            if done % 10_000 == 0:
                self.stdout.write(f"{done} transcriptions")
        self.stdout.write(f"The search knows {done} transcriptions.")
