"""A file that holds whole records, even if the disk fills up."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal


class WholeRecords:
    """A file to which records are appended, each of them at once or, after an error, not at all."""

    def __init__(self, path: Path, mode: Literal["wb", "ab", "xb"] = "wb") -> None:
        """Open the file for writing, `mode` as for `open`. Raises OSError."""
        self._file = path.open(mode, buffering=0)
        self._end = self._file.tell()

    def append(self, record: bytes) -> None:
        """Write a record; raise OSError after removing what was written of it."""
        rest = memoryview(record)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with contextlib.suppress(OSError):  # it may be a device
                self._file.seek(self._file.truncate(self._end))
            raise
        self._end += len(record)

    def sync(self) -> None:
        """Return once what was appended is on the disk. Raises OSError."""
        with contextlib.suppress(ValueError):  # closed meanwhile
            os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it gets the name `path` once the block is done, unless that raises."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
