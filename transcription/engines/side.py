"""A program that is measured: it loads something once and then works whenever it is told to.

One side of a comparison runs in a process of its own, with its own libraries. It reads lines
from its standard input and answers each with one line of JSON. This module is all that such a
program needs of ours, and needs nothing itself, so that it also runs where nothing else of the
service is installed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: Works on the clips with these numbers and returns how many tokens it wrote for each.
Work = Callable[[Sequence[int]], Sequence[int]]


def serve(load: Callable[[Mapping[str, Any]], tuple[Work, Mapping[str, Any]]]) -> None:
    """Load what the first line describes, then work on the clips that each further line lists.

    ``load`` returns the work and what is to be told about it. The answer to a list of clips
    holds ``seconds``, ``cpu_seconds`` of all threads, and ``tokens`` for each clip.
    """
    # Libraries print whatever they like; only we may write the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(facts: Mapping[str, Any]) -> None:
        answers.write(json.dumps(dict(facts)) + "\n")
        answers.flush()

    work, told = load(json.loads(sys.stdin.readline()))
    answer(told)
    for line in sys.stdin:
        clips = json.loads(line)
        started, started_cpu = time.perf_counter(), time.process_time()
        tokens = work(clips)
        answer(
            {
                "seconds": time.perf_counter() - started,
                "cpu_seconds": time.process_time() - started_cpu,
                "tokens": list(tokens),
            }
        )
