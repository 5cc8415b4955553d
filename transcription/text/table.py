"""Rows of a CSV file that a spreadsheet opens without doing anything else."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

__all__ = ["CSV_MEDIA_TYPE", "CSV_START", "csv_row", "harmless"]

CSV_MEDIA_TYPE = "text/csv"
#: Without this mark Excel takes UTF-8 for the code page of the machine, and breaks Chinese.
CSV_START = "\N{BYTE ORDER MARK}"

#: With one of these a cell is a formula (OWASP, "CSV Injection"); Excel in Chinese and Japanese
#: takes the wide ones for the same.
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_row(cells: Sequence[str | int | float | None]) -> str:
    """Return one line (RFC 4180); None is an empty cell, and no text is a formula."""
    line = io.StringIO()
    csv.writer(line).writerow([harmless(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue()


def harmless(text: str) -> str:
    """Return the text with an apostrophe before what a spreadsheet would compute."""
    return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) else text
