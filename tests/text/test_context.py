"""Which terms go along with a prompt, and in which order."""

from __future__ import annotations

from transcription.text.context import (
    BUDGET_TOKENS,
    choose_terms,
    estimate_tokens,
    join_context,
    write_terms,
)


def test_without_a_glossary_the_prompt_goes_just_as_it_is() -> None:
    assert join_context("", " The prompt,\nas it was. ") == " The prompt,\nas it was. "
    assert join_context("", "") == ""


def test_the_weightiest_stands_last_and_the_prompt_behind_it() -> None:
    chosen = choose_terms("On clusters.", ["Kubernetes", "张伟"])
    assert (
        join_context(write_terms(chosen.terms), "On clusters.") == "张伟, Kubernetes. On clusters."
    )


def test_what_has_no_room_is_left_out_from_the_least_weighty_on() -> None:
    terms = [f"Nameofsomebody{number}" for number in range(100)] + ["X"]
    chosen = choose_terms("", terms)
    assert 20 < len(chosen.terms) < 100
    # "X" would have had room, but never in the place of a weightier one.
    assert (*chosen.terms, *chosen.left_out) == tuple(terms)
    assert estimate_tokens(write_terms(chosen.terms)) <= BUDGET_TOKENS


def test_a_long_prompt_leaves_no_room_for_terms() -> None:
    assert choose_terms("word " * 400, ["Kubernetes"]).left_out == ("Kubernetes",)


def test_what_is_said_twice_goes_once() -> None:
    chosen = choose_terms(
        "About etcd and 张伟的书", ["Kubernetes", "kubernetes", "ETCD", "张伟", "et"]
    )
    assert chosen.terms == ("Kubernetes", "et")
    assert chosen.left_out == ()
