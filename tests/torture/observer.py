"""Looks into the database of the tortured service, in a process of its own.

usage: observer.py; one command a line on the standard input, one line of JSON as its answer:
``prepare`` makes the account and the model, ``state`` tells who lives and holds what, ``rows``
tells of every transcription.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from typing import Any

import django


def prepare() -> dict[str, Any]:
    from django.contrib.auth.models import User

    from transcription.models import SpeechModel
    from transcription.services import tokens

    SpeechModel.objects.create(
        name="fake", engine="fake", chunk_seconds=30.0, options={"seconds_per_second": 0.03}
    )
    user = User.objects.create_user("torturer")
    return {"token": tokens.create(user, name="torture")[1]}


def state() -> dict[str, Any]:
    from transcription.models import Chunk, Delivery, LeasedWork, Transcription, Worker

    leased: Counter[str] = Counter()
    for table in (Chunk, Transcription, Delivery):
        leased.update(
            table.objects.filter(state=LeasedWork.State.LEASED).values_list("leased_by", flat=True)
        )
    return {
        "workers": list(Worker.objects.values_list("cluster", flat=True)),
        "leased": leased,
        "unfinished": Transcription.objects.exclude(status__in=Transcription.FINAL).count(),
    }


def rows() -> dict[str, Any]:
    from transcription.models import Transcription

    fields = ("id", "prompt", "status", "text", "warnings", "error_code", "attempts")
    return {
        "rows": [{**row, "id": str(row["id"])} for row in Transcription.objects.values(*fields)]
    }


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.torture.service_settings"
    django.setup()
    commands = {"prepare": prepare, "state": state, "rows": rows}
    for line in sys.stdin:
        print(json.dumps(commands[line.strip()]()), flush=True)


if __name__ == "__main__":
    main()
