"""The publisher's command line, which train.sh and detect.sh share."""

from __future__ import annotations

import csv
import math
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence

from streams import replay
from streams.csv_file import CsvFile

from gravity_recording import Recording

DEPENDENT = ("columns", "time", "rate", "delimiter", "rows")  # options that need --csv


def parse(parser: ArgumentParser, arguments: Sequence[str] | None = None, *, anomaly: bool = True) -> Namespace:
    """Add the publisher's options to `parser`, parse `arguments` (by default the program's) and check them.

    An option that is not given is None, but `speed` is 1. `anomaly`: whether ANOMALY_START is one of them. Exits with
    a usage error if options are wrong or do not go together.
    """
    parser.set_defaults(anomaly_start=None)
    if anomaly:
        parser.add_argument(
            "anomaly_start", metavar="ANOMALY_START", nargs="?", type=sample_number,
            help="number of the sample at which the second sine wave changes, from 1 on",
        )  # fmt: skip
    group = parser.add_argument_group(
        "your own data",
        "The replay starts when a node subscribes and ends with the file. Of a CSV file, non-numeric cells count as "
        "missing values; rows whose time is not later than that of the row before are skipped. Both are reported "
        "with row and column. Each column needs a number in the first 20 rows.",
    )
    source = group.add_mutually_exclusive_group()
    source.add_argument("--csv", metavar="FILE", help="replay this file, one stream per column, with a header line")
    source.add_argument(
        "--replay",
        metavar="FILE",
        help="replay a recording: of --record or another MCAP file, or an archive",
    )
    group.add_argument(
        "--columns", metavar="A,B", type=names, help="columns to replay (default: all but that of --time)"
    )
    clock = group.add_mutually_exclusive_group()
    clock.add_argument(
        "--time", metavar="COLUMN", help="the rows' times: ISO 8601, local without a zone, or seconds since 1970"
    )
    clock.add_argument(
        "--rate", metavar="R", type=above_0, help="rows per second, from now on (default: sample_rate in Gravity.ini)"
    )
    group.add_argument(
        "--speed", metavar="F", type=above_0,
        help="with --time or --replay: replay F times as fast; the times stay (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "--delimiter", metavar="C", type=delimiter, help="between cells: ',' ';' '|' or tab (default: the header's)"
    )
    group.add_argument(
        "--rows", metavar="A-B", type=rows, help="rows to replay, 1 is the first below the header: 1-400, -400, 401-"
    )
    options = parser.parse_args(arguments)
    if error := _conflict(options):
        parser.error(error)
    options.speed = options.speed or 1.0
    return options


def _conflict(options: Namespace) -> str | None:
    """Return why options do not go together."""
    if options.csv is None:
        needless = next((name for name in DEPENDENT if getattr(options, name) is not None), None)
        if needless:
            return f"--{needless} needs --csv FILE"
    for name in ("csv", "replay"):
        if getattr(options, name) == "":
            return f"--{name} needs a file name"
        if getattr(options, name) and options.anomaly_start is not None:
            return f"ANOMALY_START is for the sine waves; leave it out with --{name}"
    if options.speed is not None and options.time is None and options.replay is None:
        return "--speed needs --replay FILE, or --csv FILE with --time COLUMN; without times, use --rate"
    return None


def open_file(options: Namespace) -> CsvFile | Recording | None:
    """Return the file to replay, if any, its beginning checked; raise UserError if it cannot be used."""
    if options.replay is not None:
        return replay.opened(options.replay)
    if options.csv is not None:
        return CsvFile(options.csv, options.columns, options.time, options.delimiter, options.rows or (1, None))
    return None


def sample_number(text: str) -> int:
    """Return `text` as a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def names(text: str) -> list[str]:
    """Return the names in a comma-separated list; a name with a comma needs double quotes."""
    found = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not found or "" in found or len(set(found)) < len(found):
        raise ArgumentTypeError(f"{text!r} is not a list of different names such as A,B")
    return found


def above_0(text: str) -> float:
    """Return `text` as a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def delimiter(text: str) -> str:
    """Return the character that `text` is or names."""
    text = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(text) != 1 or text in '"\r\n\0':
        raise ArgumentTypeError(f"{text!r} is not a delimiter: one character, or the word tab")
    return text


def rows(text: str) -> tuple[int, int | None]:
    """Return the first and the last row of a range such as 1-400, -400 or 401-; None for an open end."""
    match = re.fullmatch(r"(\d*)-(\d*)", text, re.ASCII)
    if match and text != "-":
        first, last = int(match[1] or 1), int(match[2]) if match[2] else None
        if first >= 1 and (last is None or first <= last):
            return first, last
    raise ArgumentTypeError(f"{text!r} is not a range of rows such as 1-400, -400 or 401-")
