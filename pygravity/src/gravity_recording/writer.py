"""Writes recordings."""

from __future__ import annotations

import threading
from collections import Counter
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from .envelope import stamped
from .model import Compression
from .schemas import Types

_FLUSH_INTERVAL = 0.5  # seconds; a message is on the disk after twice that at most


class RecordingWriter:
    """Writes an MCAP file; thread-safe.

    A message is on the disk after a second at most. After an OSError, as on a full disk, the file ends with the last
    chunk of messages that was written as a whole.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        types: Types | None = None,
        compression: Compression = "zstd",
        *,
        overwrite: bool = False,
    ) -> None:
        """Create the file; raise OSError, FileExistsError if it exists and `overwrite` is false.

        `types`: where message types are looked up, such as a descriptor pool, before those that are imported here.
        """
        from .mcap_writer import McapWriter  # here, so that archives do not require the library

        self.path = Path(path)
        self.counts: Counter[str] = Counter()  # messages, by data product
        self._lock = threading.Lock()
        self._writer = McapWriter(self.path, types, compression, overwrite=overwrite)
        self._failure: OSError | None = None
        self._closed = threading.Event()
        self._flusher = threading.Thread(target=self._flush_regularly, name="RecordingWriter", daemon=True)
        self._flusher.start()

    @property
    def size(self) -> int:
        """Bytes in the file; up to a second later than the messages."""
        return self._writer.size

    def add(self, product: bytes, received: int | None = None) -> None:
        """Add a serialized GravityDataProductPB.

        `received`: its receipt in microseconds since the epoch, if it does not say so itself. Raises ValueError if
        it is not a data product, and OSError if this or an earlier one could not be written.
        """
        if received is not None:
            product = stamped(product, received)
        with self._lock:
            self._check()
            try:
                id = self._writer.add(product)
            except OSError as error:
                self._failure = error
                raise
            self.counts[id] += 1

    def flush(self) -> None:
        """Write what has not been written; raise OSError."""
        with self._lock:
            self._check()
            try:
                self._writer.flush()
            except OSError as error:
                self._failure = error
                raise

    def check(self) -> None:
        """Raise OSError if messages could not be written since they were added."""
        with self._lock:
            self._check()

    def close(self) -> None:
        """Write the index and close the file; raise OSError if that, or anything before, could not be written."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._flusher.join()
        with self._lock:
            try:
                if self._failure:
                    self._writer.abandon()
                self._check()
                self._writer.finish()
            finally:
                self._writer.file.close()

    def _check(self) -> None:
        if self._failure:
            raise self._failure

    def _flush_regularly(self) -> None:
        while not self._closed.wait(_FLUSH_INTERVAL):
            try:
                self.flush()
                self._writer.file.sync()
            except OSError as error:
                self._failure = error
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
