"""The Archiver's file: the integer 1, then the size of each data product and the data product as it was received.

All integers have four bytes in the order of the machine that wrote them, which the first one tells.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..protocol.envelope import MalformedFrame, decode_data_product

_ORDERS = {b"\x01\x00\x00\x00": "<", b"\x00\x00\x00\x01": ">"}
MARK = (1).to_bytes(4, sys.byteorder)  # what a file begins with
_SIZE = struct.Struct("=i")


class ArchiveError(ValueError):
    """Damage in an archive; `offset`: of the record that cannot be read, in bytes, 0 if this is not an archive."""

    def __init__(self, name: str, offset: int, reason: str) -> None:
        super().__init__(f"{name}, offset {offset}: {reason}")
        self.offset = offset


def record(frame: bytes) -> bytes:
    """Return what a serialized data product adds to an archive."""
    return _SIZE.pack(len(frame)) + frame


def read(file: BinaryIO, name: str) -> Iterator[GravityDataProductPB]:
    """Yield the data products in an archive of either byte order from its beginning.

    Raises ArchiveError, with `name`, at the first record that is not whole, such as the last one before a crash.
    """
    end = file.seek(0, 2)
    file.seek(0)
    mark = file.read(4)
    if mark not in _ORDERS:
        raise ArchiveError(name, 0, f"not an archive: it begins with {mark.hex(' ') or 'nothing'}, not the integer 1")
    size_format = struct.Struct(_ORDERS[mark] + "i")
    offset = len(mark)
    while offset < end:
        header = file.read(4)
        if len(header) < 4:
            raise ArchiveError(name, offset, f"the file ends after {len(header)} of the 4 bytes of a size")
        [size] = size_format.unpack(header)
        left = end - offset - 4
        if size > left:
            raise ArchiveError(name, offset, f"the file ends after {left} of the {size} bytes of a data product")
        if size <= 0:
            raise ArchiveError(name, offset, f"{size} cannot be the size of a data product")
        try:
            product = decode_data_product(file.read(size))
        except MalformedFrame as error:
            raise ArchiveError(name, offset, str(error)) from None
        yield product
        offset += 4 + size


def timed(products: Iterable[GravityDataProductPB]) -> Iterator[tuple[int, GravityDataProductPB]]:
    """Yield each data product with the microseconds from the first one to it, 0 if the clock had gone backwards.

    Its time is that of its receipt, or of its publication if the former is not recorded.
    """
    first = None
    for product in products:
        time = product.received_timestamp or product.timestamp
        if first is None:
            first = time
        yield max(0, time - first), product
