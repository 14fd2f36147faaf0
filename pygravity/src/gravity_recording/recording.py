"""Reads recordings of either format."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from google.protobuf import message_factory
from google.protobuf.message import DecodeError, Message

from .archive import ORDERS, ArchiveReader
from .envelope import PROTOBUF_PROTOCOL, parse
from .model import Block, Compression, Index, Product, Recorded, RecordingError
from .schemas import Types, find, known_here

_MCAP = b"\x89MCAP0\r\n"


class _Reader(Protocol):
    @property
    def format(self) -> str: ...

    @property
    def index(self) -> Index: ...

    @property
    def types(self) -> Types | None: ...

    def read(self, block: Block) -> Iterator[Recorded]: ...


class Recording:
    """A recording, open for reading.

    `products`: what it holds of each data product, by id, in order of their first messages.
    `damage`: why it ends before its file does; None if it does not. Damage within a file that has an index shows only
    when it is read: `messages` then ends there.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        """Raises RecordingError if `file` is not a recording; `path` is its name."""
        self.path = path
        self._file = file
        self._reader = _reader(file, str(path))
        index = self._reader.index
        self.format = self._reader.format
        self.size = file.seek(0, 2)
        self.compression: list[Compression] = sorted(index.compression)
        self.products: dict[str, Product] = dict(sorted(index.products.items(), key=lambda p: p[1].first))
        self.damage: RecordingError | None = index.damage

    @property
    def types(self) -> Types | None:
        """The message types that the file describes."""
        return self._reader.types

    def messages(
        self, ids: Collection[str] | None = None, start: int | None = None, end: int | None = None
    ) -> Iterator[Recorded]:
        """Yield messages in order of writing, up to the end or to the first damage, which is then in `damage`.

        `ids`: of these data products only. `start`, `end`: received from `start` on and before `end`, in microseconds
        since the epoch.
        """
        wanted = None if ids is None else frozenset(ids)
        for block in self._reader.index.blocks:
            if wanted is not None and wanted.isdisjoint(block.ids):
                continue
            if (start is not None and block.last < start) or (end is not None and block.first >= end):
                continue
            try:
                for message in self._reader.read(block):
                    if wanted is not None and message.id not in wanted:
                        continue
                    if (start is None or message.received >= start) and (end is None or message.received < end):
                        yield message
            except RecordingError as error:
                self.damage = error
                return

    def decode(self, message: Recorded) -> Message | None:
        """Return a message's payload, or None if its type is unknown (to the file and to this process) or wrong."""
        product = parse(message.product)
        descriptor = find(message.type_name, self.types, known_here())
        if product.protocol != PROTOBUF_PROTOCOL or descriptor is None:
            return None
        decoded: Message = message_factory.GetMessageClass(descriptor)()
        try:
            decoded.ParseFromString(product.data)
        except DecodeError:
            return None
        return decoded

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _reader(file: BinaryIO, name: str) -> _Reader:
    begin = file.read(len(_MCAP))
    if begin[:4] in ORDERS:
        return ArchiveReader(file, name)
    if begin == _MCAP:
        from .mcap_reader import McapReader  # here, so that archives do not require the library

        return McapReader(file, name)
    found = f"it begins with {begin.hex(' ')}" if begin else "it is empty"
    raise RecordingError(name, 0, f"neither an MCAP file nor a Gravity archive: {found}")


def open_recording(path: str | PathLike[str]) -> Recording:
    """Open an MCAP file or a Gravity archive, which its first bytes tell.

    Raises OSError if the file cannot be read, RecordingError if it is not a recording.
    """
    with ExitStack() as stack:
        recording = Recording(stack.enter_context(open(path, "rb")), Path(path))
        stack.pop_all()  # it closes the file itself
    return recording
