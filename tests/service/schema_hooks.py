"""What schemathesis is told about this API: read by it, in a process of its own.

Ids that it makes up lead nowhere, so most calls get one of a row that is there. Nothing is left
out but one thing: the events of a recording that nobody works on never end, so that route is
called with recordings that are over, and with ids that lead nowhere.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import schemathesis

#: First part of the route below /api/v1/, some with a method before it -> ids of rows that are
#: there; written by the test.
IDS: dict[str, list[str]] = json.loads(Path(os.environ["SCHEMA_TEST_IDS"]).read_text("utf-8"))
#: Where every call is noted: method, path of its route, status.
CALLS = Path(os.environ["SCHEMA_TEST_CALLS"])
#: So many of the calls keep the id that was made up.
MADE_UP_SHARE = 0.2
_random = random.Random(20)


def kind_of(path: str) -> str:
    """Return whose ids a route takes."""
    if path.endswith("/events/") or "/review/" in path or "/revisions/" in path:
        return "over"
    parts = path.strip("/").split("/")
    return "models" if parts[0] == "v1" else parts[2]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    if not case.path_parameters or _random.random() < MADE_UP_SHARE:
        return
    if "number" in case.path_parameters:
        # Of revisions there are few.
        case.path_parameters = {**case.path_parameters, "number": 0}
    kind = kind_of(case.path)
    ids = IDS.get(f"{case.method.upper()} {kind}", IDS[kind])
    name = next(name for name in case.path_parameters if name != "number")
    case.path_parameters = {**case.path_parameters, name: _random.choice(ids)}


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    with CALLS.open("a", encoding="utf-8") as file:
        print(case.method.upper(), case.operation.path, response.status_code, file=file)
