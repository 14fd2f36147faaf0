"""The cells of a CSV file, read line by line, and the numbers and times in them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import chain

from node.errors import UserError

DELIMITERS = ",;\t|"
LONGEST_LINE = 1 << 20  # characters; longer ones come in parts, which csv refuses, and do not fill the memory
FLOAT32_MAX = 3.4028234663852886e38
LATEST = 1e10  # seconds since 1970, in the year 2286; longer numbers are dates as digits, or in a finer unit
FINER = {13: "milliseconds", 16: "microseconds", 19: "nanoseconds"}  # by the number of digits since 2001


def read(file: str, delimiter: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank: the line on which each starts, and its cells without outer blanks.

    `delimiter`: by default the most frequent one in the first line. Raises UserError if the file cannot be read on.
    """
    start = 1
    try:
        with open(file, encoding="utf-8-sig", errors="replace", newline="") as text:
            lines = iter(partial(text.readline, LONGEST_LINE), "")
            blank, head = next(((number, line) for number, line in enumerate(lines) if line.strip()), (0, ""))
            start = blank + 1
            unquoted = re.sub('"[^"]*"', "", head)
            likely = max(DELIMITERS, key=unquoted.count)
            if delimiter and delimiter not in unquoted and likely in unquoted:
                raise UserError(
                    f"{file}, line {start} has only one column with the delimiter {delimiter!r}; "
                    f"it seems to use {likely!r}: set --delimiter {likely!r}"
                )
            reader = csv.reader(
                chain([head], lines), delimiter=delimiter or likely, skipinitialspace=True, strict=True
            )
            for cells in reader:
                if any(cells) or len(cells) > 1:
                    yield start, [cell.strip() for cell in cells]
                start = blank + reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{file}, line {start}: {error}; check the quotation marks there, one may be missing"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {file} ({error.strerror}); check the name given to --csv") from None


def number(text: str) -> float:
    """Return `text` as a number; raise ValueError with the reason if it is not one, or not finite within float32."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= FLOAT32_MAX or "_" in text:  # NaN compares false
        _refuse_decimal_comma(text)
        raise ValueError("is not a finite number (float32)")
    return value


def microseconds(text: str) -> int:
    """Return a time as microseconds since the epoch; raise ValueError with the reason if it is not one.

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
        wrong = f"seems to be in {unit}" if unit else "is not a time between 1970 and 2286"
        raise ValueError(f"{wrong}; write ISO 8601, such as 2024-12-31 12:00:00, or seconds since 1970")
    return round(seconds * 1e6)


def _refuse_decimal_comma(text: str) -> None:
    if re.fullmatch(r"[-+.\d]*,\d+(e[-+]?\d+)?", text, re.IGNORECASE):
        raise ValueError("has a decimal comma; write a decimal point")
