"""The rows of a CSV file, one by one, so that a file of any size starts at once and is never held in memory.

Messages count rows as --rows does, from the first below the header, and lines as an editor does.
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from node.errors import UserError

from streams.csv_cells import microseconds, number, read

LOOK_AHEAD = 20  # rows in which each column must have a number: the detector learns its streams from as many
LEAST_ROWS = 2
MOST_LOGGED = 20  # bad cells and rows that are logged; the others are only counted

log = logging.getLogger(__name__)


class Row(NamedTuple):
    """A row's time in microseconds since the epoch, 0 without a time column, and its numbers by column."""

    timestamp: int
    values: dict[str, float]


class CsvFile:
    """The chosen `columns` of a CSV file; iterate over it once.

    A cell that is not a finite number within float32 is missing from its row's values, and a row whose time is not
    later than the one before is skipped. Both are logged during the iteration.
    """

    def __init__(
        self,
        file: str,
        columns: list[str] | None = None,
        time_column: str | None = None,
        delimiter: str | None = None,
        rows: tuple[int, int | None] = (1, None),
    ) -> None:
        """Check the header and the first rows, and read no further than that.

        `columns`: by default all named ones but the time column. `delimiter`: by default the most frequent one in the
        header. `rows`: the first and the last, from 1 on. Raises UserError if the file cannot be replayed; so does
        the iteration if the file cannot be read on.
        """
        self._file = file
        self._time_column = time_column
        self._rows = rows
        self._bad = 0
        self._complaints: list[tuple[str, str]] = []  # the first ones: kind, text
        self._latest = (-1, "")  # time so far, in microseconds and as its cell
        table = read(file, delimiter)
        self._header = self._read_header(table)
        self.columns = tuple(columns or [name for name in self._header if name not in ("", time_column)])
        self._check_names(*self.columns, *([] if time_column is None else [time_column]))
        self._parsed = self._parse(table)
        self._ahead = self._look_ahead()

    def __iter__(self) -> Iterator[Row]:
        logged = 0
        for row in chain(self._ahead, self._parsed):
            for _, text in self._complaints[logged:]:
                log.warning("%s", text)
            logged = len(self._complaints)
            if row:
                yield row
        if self._bad > MOST_LOGGED:
            log.warning("%s: %d cells or rows were unusable", self._file, self._bad)

    def _read_header(self, table: Iterator[tuple[int, list[str]]]) -> list[str]:
        line, header = next(table, (1, []))
        place = f"{self._file}, line {line}"
        if not header:
            raise UserError(f"{self._file} is empty; it needs a line with the columns' names, then rows of numbers")
        if any("\ufffd" in name or "\0" in name for name in header):
            raise UserError(f"{place} is not text in UTF-8; save the table as CSV in UTF-8")
        if all(_is_a(number, name) or _is_a(microseconds, name) for name in header if name):
            raise UserError(f"{place} holds values instead of column names; add a line with the names above it")
        return header

    def _check_names(self, *names: str) -> None:
        for name in names:
            if name not in self._header:
                known = textwrap.shorten(", ".join(map(repr, self._header)), 300)
                raise UserError(
                    f"{self._file} has no column {name!r}, only {known}; choose from these, or set --delimiter"
                )
            if self._header.count(name) > 1:
                raise UserError(f"{self._file} has more than one column {name!r}; rename them in its header line")
        if not self.columns:
            raise UserError(f"{self._file} has no column but {names[0]!r}; add one with values, or set --delimiter")

    def _look_ahead(self) -> list[Row | None]:
        """Return the first rows, until each column has had a number; raise UserError if one has none."""
        ahead: list[Row | None] = []
        empty, usable = set(self.columns), 0
        for row in islice(self._parsed, LOOK_AHEAD):
            ahead.append(row)
            if row and row.values:
                usable += 1
                empty.difference_update(row.values)
            if usable >= LEAST_ROWS and not empty:
                return ahead
        first, last = self._rows[0], self._rows[0] + len(ahead) - 1
        if len(ahead) < LEAST_ROWS:
            raise UserError(f"{self._file} has too few rows from row {first} on; a replay needs {LEAST_ROWS}")
        of_empty = (text for kind, text in self._complaints if kind in empty)
        raise UserError(
            f"{next(of_empty, self._complaints[0][1])}; too few usable values in rows {first}-{last}: fix them, or "
            "choose others with --columns, --time, --rows or --delimiter"
        )

    def _parse(self, table: Iterator[tuple[int, list[str]]]) -> Iterator[Row | None]:
        """Yield the chosen rows, None for one that is skipped."""
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
            return self._skipped(f"{place} has {len(cells)} cells, but {header} has {width}")
        row = dict(zip(self._header, cells + [""] * (width - len(cells)), strict=False))
        timestamp = 0
        if self._time_column is not None:
            cell = row[self._time_column]
            place_of_time = f"{place}, column {self._time_column}: {_quoted(cell)}"
            try:
                timestamp = microseconds(cell)
            except ValueError as error:
                return self._skipped(f"{place_of_time} {error}")
            latest, before = self._latest
            if timestamp <= latest:
                return self._skipped(f"{place_of_time} is not later than {before!r} in a row before")
            self._latest = timestamp, cell
        values = {}
        for name in self.columns:
            try:
                values[name] = number(row[name])
            except ValueError as error:
                wrong = _quoted(row[name]) + (f" {error}" if row[name] else "")
                self._complain(name, f"{place}, column {name}: {wrong}; counted as a missing value")
        return Row(timestamp, values)

    def _skipped(self, text: str) -> Row | None:
        self._complain("", f"{text}; skipped the row")
        return None

    def _complain(self, column: str, text: str) -> None:
        self._bad += 1
        if self._bad <= MOST_LOGGED:
            self._complaints.append((column, text))


def _is_a(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _quoted(cell: str) -> str:
    return repr(textwrap.shorten(cell, 40)) if cell else "an empty cell"
