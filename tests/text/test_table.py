"""CSV for spreadsheets."""

from __future__ import annotations

import csv
import io

import pytest

from transcription.text.table import csv_row, harmless


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx"),
        *("＝1", "＋1", "－1", "＠x", '=HYPERLINK("http://evil.example","x")'),
    ],
)
def test_no_text_is_a_formula(text: str) -> None:
    assert harmless(text) == f"'{text}"
    [[cell]] = csv.reader(io.StringIO(csv_row([text]), newline=""))
    assert cell == f"'{text}"


@pytest.mark.parametrize("text", ["", "预算", "a=b", "1-2", " =1", "'=1"])
def test_other_text_is_left_alone(text: str) -> None:
    assert harmless(text) == text


def test_a_row_reads_back_as_it_was() -> None:
    cells = ['say "yes"', "two\nlines", "a,b", -1.5, None, 7]
    line = csv_row(cells)
    assert line.endswith("\r\n")
    [read] = csv.reader(io.StringIO(line, newline=""))
    assert read == ['say "yes"', "two\nlines", "a,b", "-1.5", "", "7"]
