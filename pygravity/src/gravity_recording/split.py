"""A recording in several files: NAME_0.mcap, NAME_1.mcap and so on."""

from __future__ import annotations

import errno
import os
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from .model import Compression
from .schemas import Types
from .writer import RecordingWriter

SUFFIXES = (".mcap", ".bin")


class SplitWriter:
    """Writes to one file after another, each opened with its first message; or to one, as RecordingWriter does."""

    def __init__(
        self,
        path: Path,
        types: Types | None = None,
        compression: Compression = "zstd",
        *,
        megabytes: float | None = None,
        seconds: float | None = None,
        overwrite: bool = False,
    ) -> None:
        """Begin a file after so many `megabytes` or `seconds`, or never if both are None.

        Raises OSError, FileExistsError if there is a file, or one of a series, and `overwrite` is false; else all of
        an earlier series are removed.
        """
        self._path = path
        self._types = types
        self._compression = compression
        self._bytes = None if megabytes is None else megabytes * 1e6
        self._seconds = seconds
        self._overwrite = overwrite
        self.counts: Counter[str] = Counter()
        self.paths: list[Path] = []
        self.size = 0  # bytes of all files
        self._writer: RecordingWriter | None = None
        self._earlier: list[Path] = []  # files of an earlier series, which make way for the first of this one
        if not self._splits:
            self._open(path)
            return
        self._earlier = series(path)
        if self._earlier and not overwrite:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self._earlier[0]))

    def add(self, product: bytes) -> None:
        """Add a serialized data product; raises what RecordingWriter.add raises."""
        if self._writer is None or self._is_full(self._writer):
            self._close()
            self._open(numbered(self._path, len(self.paths)) if self._splits else self._path)
            assert self._writer
        self._writer.add(product)

    def check(self) -> None:
        """Raise OSError if messages could not be written."""
        if self._writer:
            self._writer.check()

    def close(self) -> None:
        """Close the last file; raise OSError."""
        self._close()

    @property
    def _splits(self) -> bool:
        return self._bytes is not None or self._seconds is not None

    def _is_full(self, writer: RecordingWriter) -> bool:
        too_large = self._bytes is not None and writer.size >= self._bytes
        return too_large or (self._seconds is not None and time.monotonic() - self._opened >= self._seconds)

    def _open(self, path: Path) -> None:
        while self._earlier:
            self._earlier.pop().unlink()
        self._writer = RecordingWriter(path, self._types, self._compression, overwrite=self._overwrite)
        self.paths.append(path)
        self._opened = time.monotonic()

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer:
            try:
                writer.close()
            finally:
                self.counts += writer.counts
                self.size += writer.size


def numbered(path: Path, number: int) -> Path:
    """Return the name of a file of a series."""
    return path.with_name(f"{path.stem}_{number}{path.suffix}")


def series(path: Path) -> list[Path]:
    """Return the files of a series that exist."""
    name = re.compile(re.escape(path.stem) + r"_\d+" + re.escape(path.suffix))
    return in_order(found for found in path.parent.iterdir() if name.fullmatch(found.name))


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Return paths in the order of their names, with numbers as numbers: run_2 before run_10."""

    def key(path: Path) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]

    return sorted(paths, key=key)


def files(path: Path) -> list[Path]:
    """Return the recordings in a folder, or a file by itself."""
    if not path.is_dir():
        return [path]
    return in_order(found for found in path.iterdir() if found.suffix in SUFFIXES)
