"""A file that holds whole records, even if the disk fills up."""

from __future__ import annotations

import contextlib
from pathlib import Path


class WholeRecords:
    """A file to which records are appended, each of them at once or, after an error, not at all."""

    def __init__(self, path: Path, *, keep: bool = False) -> None:
        """Create the file; `keep` what it contains, if it exists. Raises OSError."""
        self._file = path.open("ab" if keep else "wb", buffering=0)
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

    def close(self) -> None:
        """Close the file."""
        self._file.close()
