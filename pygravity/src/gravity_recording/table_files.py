"""Tables as CSV and Parquet files."""

from __future__ import annotations

import csv
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from .tables import BOOL, BYTES, DOUBLE, FLOAT, TEXT, TIME, Table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLOAT = struct.Struct("f")
_BATCH = 10_000  # rows of a Parquet file that are written at once


class TableFile(Protocol):
    """A file that gets rows, as Table makes them."""

    def add(self, row: list[Any]) -> None:
        """Add a row."""

    def close(self) -> None:
        """Write what has not been written, and close the file."""


class CsvFile:
    """A CSV file: times are ISO 8601 in UTC, bytes hexadecimal; a value that is not there is an empty cell."""

    def __init__(self, path: Path, table: Table) -> None:
        """Raises OSError."""
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(table.names)
        self._texts = [_CSV.get(kind, str) for kind in table.kinds]

    def add(self, row: list[Any]) -> None:
        """Add a row; raise OSError."""
        self._writer.writerow(
            ["" if value is None else text(value) for value, text in zip(row, self._texts, strict=True)]
        )

    def close(self) -> None:
        """Close the file; raise OSError."""
        self._file.close()


def _iso(microseconds: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError:  # after the year 9999
        return str(microseconds)


def _shortest(value: float) -> str:
    """Return the shortest decimal that is this number of 32 bits."""
    texts = (f"{value:.{digits}g}" for digits in range(6, 10))
    return next((text for text in texts if _FLOAT.pack(float(text)) == _FLOAT.pack(value)), f"{value:.9g}")


_CSV: dict[str, Callable[[Any], str]] = {
    TIME: _iso,
    BYTES: bytes.hex,
    BOOL: lambda value: "true" if value else "false",
    FLOAT: _shortest,
    DOUBLE: repr,
}


class ParquetFile:
    """A Parquet file: times are timestamps in UTC; what does not fit into one is null."""

    def __init__(self, path: Path, table: Table) -> None:
        """Raises ImportError without pyarrow, OSError."""
        import pyarrow
        import pyarrow.parquet

        special = {
            TIME: pyarrow.timestamp("us", tz="UTC"),
            TEXT: pyarrow.string(),
            BYTES: pyarrow.binary(),
            BOOL: pyarrow.bool_(),
            FLOAT: pyarrow.float32(),
            DOUBLE: pyarrow.float64(),
        }
        self._times = [place for place, kind in enumerate(table.kinds) if kind == TIME]
        types = [special.get(kind) or getattr(pyarrow, kind)() for kind in table.kinds]
        self._schema = pyarrow.schema(list(zip(table.names, types, strict=True)))
        self._make = pyarrow.Table.from_arrays
        self._array = pyarrow.array
        self._rows: list[list[Any]] = []
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema)

    def add(self, row: list[Any]) -> None:
        """Add a row; raise OSError."""
        for place in self._times:
            if row[place] >= 2**63:
                row[place] = None
        self._rows.append(row)
        if len(self._rows) == _BATCH:
            self._flush()

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [self._array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._rows = []
        self._writer.write_table(self._make(arrays, schema=self._schema))

    def close(self) -> None:
        """Write the rest and close the file; raise OSError."""
        if self._rows:
            self._flush()
        self._writer.close()


FILES: dict[str, Callable[[Path, Table], TableFile]] = {".csv": CsvFile, ".parquet": ParquetFile}
