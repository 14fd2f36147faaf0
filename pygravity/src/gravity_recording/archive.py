"""The Archiver's file: the integer 1, then the size of each data product and the data product as it was received.

All integers have four bytes in the order of the machine that wrote them, which the first one tells.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO

from .model import Block, Index, Recorded, RecordingError, recorded

ORDERS = {b"\x01\x00\x00\x00": "<", b"\x00\x00\x00\x01": ">"}  # by what a file begins with
MARK = (1).to_bytes(4, sys.byteorder)
_SIZE = struct.Struct("=i")
_BLOCK = 2**20  # bytes


def record(frame: bytes) -> bytes:
    """Return what a serialized data product adds to an archive."""
    return _SIZE.pack(len(frame)) + frame


class ArchiveReader:
    """Reads an archive of either byte order."""

    format = "Gravity archive"
    types = None  # it describes none

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Read the whole file once; what it says in `index`."""
        self._file = file
        self._name = name
        self._end = file.seek(0, 2)
        file.seek(0)
        self._size = struct.Struct(ORDERS[file.read(4)] + "i")
        self.index = self._scan()

    def _scan(self) -> Index:
        index = Index()
        begin = offset = 4
        messages: list[Recorded] = []
        try:
            for message, offset in self._records(begin, self._end):
                messages.append(message)
                if offset - begin >= _BLOCK:
                    index.add(begin, offset - begin, messages)
                    begin, messages = offset, []
        except RecordingError as error:
            index.damage = error
        index.add(begin, offset - begin, messages)
        return index

    def read(self, block: Block) -> Iterator[Recorded]:
        """Yield the messages of a block; raise RecordingError at damage."""
        for message, _ in self._records(block.offset, block.offset + block.length):
            yield message

    def _records(self, offset: int, end: int) -> Iterator[tuple[Recorded, int]]:
        """Yield messages, each with the offset at which it ends."""
        while offset < end:
            self._file.seek(offset)
            header = self._file.read(4)
            if len(header) < 4:
                raise self._damage(offset, f"the file ends after {len(header)} of the 4 bytes of a size")
            [size] = self._size.unpack(header)
            left = self._end - offset - 4
            if size > left:
                raise self._damage(offset, f"the file ends after {left} of the {size} bytes of a data product")
            if size <= 0:
                raise self._damage(offset, f"{size} cannot be the size of a data product")
            try:
                message = recorded(self._file.read(size))
            except ValueError as error:
                raise self._damage(offset, str(error)) from None
            offset += 4 + size
            yield message, offset

    def _damage(self, offset: int, reason: str) -> RecordingError:
        return RecordingError(self._name, offset, reason)
