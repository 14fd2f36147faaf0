"""The command line of DataPublisher.py for a user's own data."""

from __future__ import annotations

import csv
import math
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from cluster.replay import Replay

DEPENDENT = ("columns", "time", "rate", "speed", "delimiter", "rows")  # options that mean nothing without --csv


def add(parser: ArgumentParser) -> None:
    """Add --csv and what belongs to it; an option that is not given is None."""
    group = parser.add_argument_group(
        "your own data",
        "Begins when somebody subscribes, ends with the file. A cell without a finite number is a point that its "
        "stream lacks; a row whose time is no later than the row before is left out. Both are said with row and "
        "column. The file cannot be replayed if a column has no number in the first 20 rows.",
    )
    group.add_argument("--csv", metavar="FILE", help="replay this file, one stream a column; it needs a header line")
    group.add_argument("--columns", metavar="A,B", type=names, help="which columns (all but that of --time)")
    clock = group.add_mutually_exclusive_group()
    clock.add_argument(
        "--time", metavar="COLUMN", help="the rows' times: ISO 8601, local without a zone, or seconds since 1970"
    )
    clock.add_argument(
        "--rate", metavar="R", type=above_0, help="rows a second, from now on (sample_rate of Gravity.ini)"
    )
    group.add_argument(
        "--speed", metavar="F", type=above_0, help="with --time: replay F times as fast; the times stay (1)"
    )
    group.add_argument(
        "--delimiter", metavar="C", type=delimiter, help="between cells: ',' ';' '|' or tab (as the header has it)"
    )
    group.add_argument(
        "--rows", metavar="A-B", type=rows, help="which rows, 1 is the first below the header: 1-400, -400, 401-"
    )


def check(parser: ArgumentParser, arguments: Namespace) -> None:
    """End the program with a usage error if options do not go together; set the default speed."""
    if arguments.csv is None:
        for name in DEPENDENT:
            if getattr(arguments, name) is not None:
                parser.error(f"--{name} needs --csv FILE")
    elif not arguments.csv:
        parser.error("--csv needs the name of a file")
    elif arguments.anomaly_start is not None:
        parser.error("ANOMALY_START is for sin and cos, it does not go with --csv")
    elif arguments.speed is not None and arguments.time is None:
        parser.error("--speed needs --time COLUMN; without it choose a --rate")
    arguments.speed = arguments.speed or 1.0


def replay(options: Namespace) -> Replay | None:
    """Return the file that is to be replayed, opened and looked into, if any; raise UserError if it cannot be."""
    if options.csv is None:
        return None
    return Replay(options.csv, options.columns, options.time, options.delimiter, options.rows or (1, None))


def names(text: str) -> list[str]:
    """Return the names in a list with commas; one that has a comma in it stands in double quotes."""
    found = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not found or "" in found or len(set(found)) < len(found):
        raise ArgumentTypeError(f"{text!r} is no list of different names such as A,B")
    return found


def above_0(text: str) -> float:
    """Return a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def delimiter(text: str) -> str:
    """Return the character that `text` is or names."""
    text = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(text) != 1 or text in '"\r\n\0':
        raise ArgumentTypeError(f"{text!r} is no delimiter: one character, or the word tab")
    return text


def rows(text: str) -> tuple[int, int | None]:
    """Return the first and the last row of a range such as 1-400, -400 or 401-; None for an open end."""
    match = re.fullmatch(r"(\d*)-(\d*)", text, re.ASCII)
    if match and text != "-":
        first, last = int(match[1] or 1), int(match[2]) if match[2] else None
        if first >= 1 and (last is None or first <= last):
            return first, last
    raise ArgumentTypeError(f"{text!r} is no range of rows such as 1-400, -400 or 401-")
