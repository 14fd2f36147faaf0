"""The rows of a CSV file, one after the other, so that a file of any size begins at once and none is held.

Messages count rows as --rows does, from the first below the header, and lines as an editor does.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from cluster.errors import UserError
from cluster.notices import INTERVAL, Notices
from cluster.table import microseconds, number, read

LOOK_AHEAD = 20  # rows in which each column must have a number: the detector learns its streams from as many
LEAST_ROWS = 2
SAID_ONE_BY_ONE = 20  # bad cells and rows; of later ones some, and at the end how many there were


class Row(NamedTuple):
    """A row's time in microseconds since the epoch, 0 without a time column, and its numbers by column."""

    timestamp: int
    values: dict[str, float]


class Replay:
    """The chosen `columns` of a CSV file; iterate over it once.

    A cell without a finite number within float32 is not among its row's values, and a row whose time is not later
    than the one before is left out. Both are said.
    """

    def __init__(
        self,
        file: str,
        columns: list[str] | None = None,
        time_column: str | None = None,
        delimiter: str | None = None,
        rows: tuple[int, int | None] = (1, None),
        say: Callable[[str], None] = print,
    ) -> None:
        """Check the header and the first rows, and read no further than that.

        `columns`: by default all named ones but the time column. `delimiter`: by default the one that the header has
        most of. `rows`: the first and the last, from 1 on. Raises UserError if the file cannot be replayed; so does
        the iteration if it cannot be read on.
        """
        self._file = file
        self._time_column = time_column
        self._rows = rows
        held: list[str] = []
        self._say: Callable[[str], None] = held.append  # until it is clear that the file can be replayed
        self._notices = Notices(lambda text: self._say(text))
        self._bad = 0
        self._wrong: dict[str, str] = {}  # what was said first of each kind
        self._latest = (-1, "")  # time so far, in microseconds and as its cell tells it
        table = read(file, delimiter)
        self._header = self._read_header(table)
        self.columns = tuple(columns or [name for name in self._header if name not in ("", time_column)])
        self._check_names(*self.columns, *([] if time_column is None else [time_column]))
        self._parsed = self._parse(table)
        self._ahead = self._look_ahead()
        self._say = say
        for text in held:
            say(text)

    def __iter__(self) -> Iterator[Row]:
        yield from (row for row in chain(self._ahead, self._parsed) if row)
        if self._bad > SAID_ONE_BY_ONE:
            self._say(f"{self._file}: {self._bad} cells or rows could not be used")

    def _read_header(self, table: Iterator[tuple[int, list[str]]]) -> list[str]:
        line, header = next(table, (1, []))
        place = f"{self._file}, line {line}"
        if not header:
            raise UserError(f"{self._file} is empty; it needs a line with the columns' names, then rows of numbers")
        if any("\ufffd" in name or "\0" in name for name in header):
            raise UserError(f"{place} is no text in UTF-8; save the table as CSV in UTF-8")
        if all(_holds(number, name) or _holds(microseconds, name) for name in header if name):
            raise UserError(f"{place} has no column names but values; put a line with the names above it")
        return header

    def _check_names(self, *names: str) -> None:
        for name in names:
            if name not in self._header:
                known = textwrap.shorten(", ".join(map(repr, self._header)), 300)
                raise UserError(
                    f"{self._file} has no column {name!r}, but {known}; choose of these, or a --delimiter"
                )
            if self._header.count(name) > 1:
                raise UserError(f"{self._file} has more than one column {name!r}; rename them in its header line")
        if not self.columns:
            raise UserError(f"{self._file} has no column but {names[0]!r}; add one with values, or a --delimiter")

    def _look_ahead(self) -> list[Row | None]:
        """Return the first rows, until each column has had a number; raise UserError if one has none."""
        ahead: list[Row | None] = []
        lacking, usable = set(self.columns), 0
        for row in self._parsed:
            ahead.append(row)
            if row and row.values:
                usable += 1
                lacking.difference_update(row.values)
            if usable >= LEAST_ROWS and not lacking:
                return ahead
            if len(ahead) == LOOK_AHEAD:
                break
        first, last = self._rows[0], self._rows[0] + len(ahead) - 1
        if not ahead:
            raise UserError(f"{self._file} has no row {first} below its header; there is nothing to replay")
        if len(ahead) < LEAST_ROWS:
            raise UserError(f"{self._file} has only one row to replay, row {first}; {LEAST_ROWS} are the least")
        kinds = [f"column {name}" for name in self.columns if name in lacking]
        reason = next(self._wrong[kind] for kind in [*kinds, *self._wrong] if kind in self._wrong)
        raise UserError(
            f"{reason}; rows {first}-{last} hold too little to begin with: mend them, or choose with --columns, "
            "--time, --rows or --delimiter"
        )

    def _parse(self, table: Iterator[tuple[int, list[str]]]) -> Iterator[Row | None]:
        """Yield the chosen rows, None for one that is left out."""
        first, last = self._rows
        for count, (line, cells) in enumerate(table, start=1):
            if count >= first:
                yield self._row(f"{self._file}, row {count} (line {line})", cells)
            if count == last:
                return

    def _row(self, place: str, cells: list[str]) -> Row | None:
        width = len(self._header)
        if any(cells[width:]):
            header = f"the header {_quoted(', '.join(self._header))}"
            return self._skip("width", f"{place} has {len(cells)} cells, but {header} has {width}")
        row = dict(zip(self._header, cells + [""] * (width - len(cells)), strict=False))
        timestamp = 0
        if self._time_column is not None:
            cell = row[self._time_column]
            place_of_time = f"{place}, column {self._time_column}: {_quoted(cell)}"
            try:
                timestamp = microseconds(cell)
            except ValueError as error:
                return self._skip("time", f"{place_of_time} {error}")
            latest, before = self._latest
            if timestamp <= latest:
                return self._skip("order", f"{place_of_time} is not later than {before!r} in a row before")
            self._latest = timestamp, cell
        values = {}
        for name in self.columns:
            try:
                values[name] = number(row[name])
            except ValueError as error:
                wrong = _quoted(row[name]) + (f" {error}" if row[name] else "")
                self._complain(f"column {name}", f"{place}, column {name}: {wrong}; no point of {name} there")
        return Row(timestamp, values)

    def _skip(self, kind: str, text: str) -> Row | None:
        self._complain(kind, f"{text}; the row is left out")
        return None

    def _complain(self, kind: str, text: str) -> None:
        self._wrong.setdefault(kind, text)
        self._bad += 1
        apart = INTERVAL * min(self._bad, SAID_ONE_BY_ONE)  # so far apart the first ones are all said
        self._notices.add(time.monotonic() + apart, kind, text)


def _holds(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _quoted(cell: str) -> str:
    return repr(textwrap.shorten(cell, 40)) if cell else "an empty cell"
