"""The latest messages, compressed, in bounded memory."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

PART = 1 << 16  # bytes of messages that are compressed together
MOST = 128 << 20  # bytes of all compressed parts
_HEAD = struct.Struct("<QI")  # of a message: receipt, size


class Message(NamedTuple):
    """A serialized data product and its receipt, in microseconds since the epoch."""

    received: int
    product: bytes


class Recent:
    """Keeps the messages received since a moment, in order; the oldest are dropped if they take more than MOST."""

    def __init__(self) -> None:
        self._parts: deque[tuple[int, bytes]] = deque()  # the latest receipt in each, and the messages
        self._packed = 0  # bytes of all parts
        self._rest: list[Message] = []
        self._size = 0  # bytes of these
        self._since = 0

    def add(self, message: Message) -> None:
        """Add a message."""
        self._rest.append(message)
        self._size += len(message.product) + _HEAD.size
        if self._size >= PART:
            packed = zlib.compress(
                b"".join(_HEAD.pack(m.received, len(m.product)) + m.product for m in self._rest), 1
            )
            self._parts.append((max(m.received for m in self._rest), packed))
            self._packed += len(packed)
            self._rest, self._size = [], 0
            while self._packed > MOST:
                self._drop()

    def forget(self, before: int) -> None:
        """Forget messages received before a moment."""
        self._since = before
        while self._parts and self._parts[0][0] < before:
            self._drop()

    def __iter__(self) -> Iterator[Message]:
        """Yield the messages that are kept."""
        for _, packed in self._parts:
            part = zlib.decompress(packed)
            offset = 0
            while offset < len(part):
                received, size = _HEAD.unpack_from(part, offset)
                offset += _HEAD.size + size
                if received >= self._since:
                    yield Message(received, part[offset - size : offset])
        yield from (message for message in self._rest if message.received >= self._since)

    def _drop(self) -> None:
        self._packed -= len(self._parts.popleft()[1])
