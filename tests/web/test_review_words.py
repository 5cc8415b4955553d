"""What the scripts of the reviewing page say is there to be said, and translated."""

from __future__ import annotations

import re
from pathlib import Path

from transcription.models import Revision, Transcription
from transcription.templatetags.review import WORDS, review_words

BASE = Path(__file__).parents[2]
SCRIPTS = sorted((BASE / "transcription/static/transcription/review").glob("*.js"))
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
TEMPLATE = (BASE / "templates/pages/editor.html").read_text(encoding="utf-8")


def test_every_word_that_a_script_asks_for_is_there() -> None:
    asked = set(re.findall(r"\b(?:say|#say|#notice)\(\s*\"(\w+)\"", SOURCE))
    assert len(asked) > 30
    assert asked - set(WORDS) == set()


def test_every_kind_and_state_has_its_words() -> None:
    states = {"saved", "waiting", "sending", *(told := ("offline", "login", "approved", "gone"))}
    names = {
        *(f"kind_{kind}" for kind in Revision.Kind.values),
        *(f"review_{state}" for state in Transcription.ReviewState.values),
        *(f"state_{state}" for state in {*states, "unkept", "conflict"}),
        *(f"told_{state}" for state in {*told, "unkept", "conflict"}),
    }
    assert names - set(WORDS) == set()


def test_every_action_has_words_and_a_key() -> None:
    actions = set(re.findall(r"data-action=\"(\w+)\"", TEMPLATE))
    keys = (BASE / "transcription/static/transcription/review/keys.js").read_text(encoding="utf-8")
    assert len(actions) > 15
    assert {action for action in actions if f'"{action}"' not in keys} == set()
    assert {f"key_{action}" for action in actions} - set(WORDS) == set()


def test_no_words_are_left_over() -> None:
    built = ("kind_", "review_", "state_", "told_", "key_", "in_text_")
    left = {name for name in WORDS if not name.startswith(built) and f'"{name}"' not in SOURCE}
    assert left == set()


def test_placeholders_are_named_and_words_are_plain_text() -> None:
    for name, words in review_words().items():
        assert words == re.sub(r"<[^>]*>|%\(", "", words), name
        assert re.sub(r"\{\w+\}", "", words).count("{") == 0, name
