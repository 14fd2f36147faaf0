"""What a recording is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from .envelope import checked, parse

Compression = Literal["none", "lz4", "zstd"]


class RecordingError(ValueError):
    """A file that is not a recording, or damage in one.

    `file`, `offset`: where, in bytes; 0 if the file is not a recording. `reason`: what is wrong there.
    """

    def __init__(self, file: Path | str, offset: int, reason: str) -> None:
        super().__init__(f"{file}, offset {offset}: {reason}")
        self.file = str(file)
        self.offset = offset
        self.reason = reason


class Recorded(NamedTuple):
    """A recorded message.

    `received`: its receipt (of its publication if that is not recorded) in microseconds since the epoch.
    `product`: the serialized GravityDataProductPB.
    """

    received: int
    product: bytes
    id: str
    type_name: str
    component: str


def recorded(frame: bytes) -> Recorded:
    """Return a serialized data product with what it says of itself; raise ValueError if it is not one."""
    product = checked(parse(frame))
    return Recorded(
        product.received_timestamp or product.timestamp,
        frame,
        product.dataProductID,
        product.type_name,
        product.componentID,
    )


@dataclass
class Product:
    """What a recording holds of a data product; `first` and `last`: receipt of these messages, in microseconds."""

    count: int = 0
    first: int = 0
    last: int = 0
    types: set[str] = field(default_factory=set)
    components: set[str] = field(default_factory=set)

    def add(self, message: Recorded) -> None:
        """Count a message."""
        if not self.count:
            self.first = message.received
        self.count += 1
        self.last = message.received
        self.types.add(message.type_name)
        self.components.add(message.component)


class Block(NamedTuple):
    """A part of a file that is read at once: its place in bytes, the span of its receipts, what it holds."""

    offset: int
    length: int
    first: int
    last: int
    ids: frozenset[str]


@dataclass
class Index:
    """What is where in a file, and why it cannot be read any further, if so."""

    blocks: list[Block] = field(default_factory=list)
    products: dict[str, Product] = field(default_factory=dict)
    compression: set[Compression] = field(default_factory=set)
    damage: RecordingError | None = None

    def add(self, offset: int, length: int, messages: list[Recorded]) -> None:
        """Add a block."""
        if not messages:
            return
        for message in messages:
            self.products.setdefault(message.id, Product()).add(message)
        times = [message.received for message in messages]
        ids = frozenset(message.id for message in messages)
        self.blocks.append(Block(offset, length, min(times), max(times), ids))
