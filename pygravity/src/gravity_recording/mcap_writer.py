"""Writes data products as MCAP, through its library, so that the file grows by whole chunks only."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, cast

from google.protobuf.descriptor import Descriptor
from mcap.data_stream import RecordBuilder
from mcap.records import DataEnd, Footer
from mcap.writer import MCAP0_MAGIC as MAGIC
from mcap.writer import CompressionType, Writer

from .channels import ENVELOPE, LAST_TIME, MARK, Kind, Split, metadata_of, split
from .envelope import DESCRIPTOR, PROTOBUF_PROTOCOL
from .files import WholeRecords
from .model import Compression
from .schemas import Types, find, known_here, schema_of

COMPRESSION = {"none": CompressionType.NONE, "lz4": CompressionType.LZ4, "zstd": CompressionType.ZSTD}
UNKNOWN = "gravity"  # the message encoding of a payload whose type is unknown
_MOST_CHANNELS = 2**15  # of the 65535 that MCAP has: the others remain for `_whole`
_MOST_OF_A_PRODUCT = 1000


class _File:
    """What the library writes, collected so that a chunk and its indexes are appended at once."""

    def __init__(self, file: WholeRecords) -> None:
        self._file = file
        self._pending: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        if data:
            self._pending.append(data)
            self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        if self._pending:
            data, self._pending = b"".join(self._pending), []
            self._file.append(data)


class McapWriter:
    """Writes data products to a file; not thread-safe.

    After an OSError the file ends with the last whole chunk, and nothing more can be written.
    """

    def __init__(self, path: Path, types: Types | None, compression: Compression, *, overwrite: bool) -> None:
        """Create the file; raise OSError."""
        self.file = WholeRecords(path, "wb" if overwrite else "xb")
        self._out = _File(self.file)
        self._types = types
        self._writer = Writer(cast(Any, self._out), compression=COMPRESSION[compression], enable_data_crcs=True)
        self._schemas: dict[str, int] = {}
        self._channels: dict[Kind, int | None] = {}
        self._of_product: dict[str, int] = {}
        self._whole: dict[str, int] = {}
        try:
            self._writer.start()
            self._out.flush()
        except OSError:
            self.file.close()
            raise

    @property
    def size(self) -> int:
        """Bytes of the file so far."""
        return self._out.tell()

    def add(self, frame: bytes) -> str:
        """Add a serialized data product and return its id.

        Raises ValueError if it is not one, OSError if it cannot be written.
        """
        parts = split(frame)
        channel, data = self._channel(parts), parts.payload
        if channel is None:
            channel, data = self._whole_channel(parts.id), frame
        received, published = min(parts.received, LAST_TIME) * 1000, min(parts.published, LAST_TIME) * 1000
        self._writer.add_message(channel, log_time=received, data=data, publish_time=published)
        self._out.flush()
        return parts.id

    def flush(self) -> None:
        """Write what has not been written; raise OSError."""
        self._writer.flush()  # type: ignore[no-untyped-call]

    def finish(self) -> None:
        """Write what has not been written and the index, and close the file; raise OSError."""
        self._writer.finish()  # type: ignore[no-untyped-call]
        self._out.flush()
        self.file.sync()
        self.file.close()

    def abandon(self) -> None:
        """End the file after an OSError: if there is still room for it, as a whole one without an index."""
        end = RecordBuilder()
        DataEnd(0).write(end)
        Footer(0, 0, 0).write(end)
        with contextlib.suppress(OSError):
            self.file.append(end.end() + MAGIC)  # type: ignore[no-untyped-call]

    def _channel(self, parts: Split) -> int | None:
        """Return the channel for a payload, or None if there cannot be one; raise ValueError."""
        if parts.kind not in self._channels:
            self._channels[parts.kind] = self._open_channel(parts)
        return self._channels[parts.kind] if parts.exact else None

    def _open_channel(self, parts: Split) -> int | None:
        metadata = metadata_of(parts.kind)
        opened = self._of_product.get(parts.id, 0)
        if metadata is None or opened == _MOST_OF_A_PRODUCT or sum(self._of_product.values()) == _MOST_CHANNELS:
            return None
        self._of_product[parts.id] = opened + 1
        is_message = metadata.get("protocol") == PROTOBUF_PROTOCOL
        descriptor = find(metadata.get("type_name", ""), self._types, known_here()) if is_message else None
        encoding, schema = ("protobuf", self._schema(descriptor)) if descriptor else (UNKNOWN, 0)
        return self._writer.register_channel(parts.id, encoding, schema, metadata)

    def _whole_channel(self, id: str) -> int:
        """Return the channel for data products that are kept as they are."""
        if id not in self._whole:
            self._whole[id] = self._writer.register_channel(
                id, "protobuf", self._schema(DESCRIPTOR), {MARK: ENVELOPE}
            )
        return self._whole[id]

    def _schema(self, descriptor: Descriptor) -> int:
        if descriptor.full_name not in self._schemas:
            self._schemas[descriptor.full_name] = self._writer.register_schema(
                descriptor.full_name, "protobuf", schema_of(descriptor)
            )
        return self._schemas[descriptor.full_name]
