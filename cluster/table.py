"""A CSV file as cells, and what the cells mean; the file is read line by line."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from cluster.errors import UserError

DELIMITERS = ",;\t|"
LONGEST_LINE = 1 << 20  # characters; what has longer lines is no table and must not fill the memory
FLOAT32_MAX = 3.4028234663852886e38
LATEST = 1e10  # seconds since 1970, in the year 2286; longer numbers are dates as digits, or in a finer unit
FINER = {13: "milliseconds", 16: "microseconds", 19: "nanoseconds"}  # by the digits that they have since 2001


def read(file: str, delimiter: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank: the line on which each begins, and its cells without outer blanks.

    `delimiter`: by default the one that the first line has most of. Raises UserError if the file cannot be read on.
    """
    lines = _lines(file)
    blank, head = 0, next(lines, "")
    while head and not head.strip():
        blank, head = blank + 1, next(lines, "")
    begin = blank + 1
    unquoted = re.sub('"[^"]*"', "", head)
    likely = max(DELIMITERS, key=unquoted.count)
    if delimiter and delimiter not in unquoted and likely in unquoted:
        raise UserError(
            f"{file}, line {begin} has only one column with the delimiter {delimiter!r}; "
            f"choose --delimiter {likely!r}, which it seems to have"
        )
    reader = csv.reader(chain([head], lines), delimiter=delimiter or likely, skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            if any(cells) or len(cells) > 1:
                yield begin, [cell.strip() for cell in cells]
            begin = blank + reader.line_num + 1
    except csv.Error as error:
        hint = "is a quotation mark left open there, or one too many?"
        raise UserError(f"{file}, line {begin}: {error}; {hint}") from None


def _lines(file: str) -> Iterator[str]:
    try:
        with open(file, encoding="utf-8-sig", errors="replace", newline="") as text:
            while line := text.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE:
                    raise UserError(f"{file} has a line of {LONGEST_LINE} characters; is it a CSV file?")
                yield line
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}); check the name given to --csv") from None


def number(text: str) -> float:
    """Return `text` as a number; raise ValueError, which says why, if it is none or not finite within float32."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= FLOAT32_MAX or "_" in text:  # not a number compares false
        _refuse_decimal_comma(text)
        raise ValueError("is no finite number (float32)")
    return value


def microseconds(text: str) -> int:
    """Return a time as microseconds since the epoch; raise ValueError, which says why, if it is none.

    `text`: seconds since the epoch, or ISO 8601, which is local time unless it names its zone.
    """
    try:
        if re.fullmatch(r"(19|20)\d{6}", text):
            raise ValueError  # a date without hyphens: as seconds it would be in the year 1970
        seconds = number(text)
    except ValueError:
        try:
            seconds = datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError):  # OverflowError: at the calendar's ends
            seconds = -1
    if not 0 <= seconds < LATEST:
        _refuse_decimal_comma(text)
        unit = FINER.get(len(f"{seconds:.0f}"))
        wrong = f"seems to be in {unit}" if unit else "is no time between 1970 and 2286"
        raise ValueError(f"{wrong}; write ISO 8601, such as 2024-12-31 12:00:00, or seconds since 1970")
    return round(seconds * 1e6)


def _refuse_decimal_comma(text: str) -> None:
    if re.fullmatch(r"[-+.\d]*,\d+(e[-+]?\d+)?", text, re.IGNORECASE):
        raise ValueError("has a comma; a decimal comma is not understood, write a point")
