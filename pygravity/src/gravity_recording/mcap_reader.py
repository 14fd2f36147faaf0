"""Reads MCAP (https://mcap.dev/spec): by its index if it has one, else, as after a crash, from beginning to end."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, BinaryIO, NamedTuple

import lz4.frame
import zstandard
from google.protobuf.descriptor import Descriptor
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, ChunkIndex, Footer, McapRecord, Schema, Statistics
from mcap.writer import MCAP0_MAGIC as MAGIC

from .channels import Messages
from .model import Block, Compression, Index, Product, Recorded, RecordingError
from .schemas import Types, type_in

_HEAD = struct.Struct("<BQ")  # of a record: opcode, length
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
_INDEX = struct.Struct("<HI")  # channel, bytes of entries
_ENTRY = struct.Struct("<QQ")  # log time, offset
_FOOTER = _HEAD.size + 20
_BLOCK = 2**20
_OPCODES = frozenset(Opcode)
_FIRST_PRIVATE = 128  # records of such types are extensions; others that are unknown are damage
_LARGEST_CHUNK = 2**30  # bytes; writers make chunks of about a megabyte, and of one message if that is larger
_COMPRESSION: dict[str, Compression] = {"": "none", "lz4": "lz4", "zstd": "zstd"}
_READ: dict[Opcode, Any] = {  # how the library reads the records that are read as a whole
    Opcode.CHANNEL: Channel,
    Opcode.CHUNK: Chunk,
    Opcode.CHUNK_INDEX: ChunkIndex,
    Opcode.FOOTER: Footer,
    Opcode.SCHEMA: Schema,
    Opcode.STATISTICS: Statistics,
}


class _Malformed(ValueError):
    """Why a record cannot be read."""


class _Record(NamedTuple):
    offset: int
    opcode: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + _HEAD.size + self.length


def _parsed(opcode: int, body: bytes) -> McapRecord:
    kind = _READ[Opcode(opcode)]
    try:
        record: McapRecord = kind.read(ReadDataStream(io.BytesIO(body)))
    except Exception as error:  # the library has errors of many kinds for malformed records
        raise _Malformed(f"a malformed {kind.__name__} record: {error or type(error).__name__}") from None
    return record


def _unpacked(chunk: Chunk) -> bytes:
    """Return a chunk's records; never more than it announces."""
    size = chunk.uncompressed_size
    if size > _LARGEST_CHUNK:
        raise _Malformed(f"a chunk of {size} bytes; more than {_LARGEST_CHUNK} are not read")
    try:
        if chunk.compression == "zstd":
            data = zstandard.ZstdDecompressor().stream_reader(chunk.data).read(size)
        elif chunk.compression == "lz4":
            data = lz4.frame.LZ4FrameDecompressor().decompress(chunk.data, max_length=size)
        elif chunk.compression == "":
            data = chunk.data
        else:
            raise _Malformed(f"a chunk with the unknown compression {chunk.compression!r}")
    except (zstandard.ZstdError, RuntimeError, EOFError, MemoryError) as error:
        raise _Malformed(f"a chunk that cannot be decompressed: {error}") from None
    if len(data) != size:
        raise _Malformed(f"a chunk of {len(data)} bytes instead of {size}")
    if chunk.uncompressed_crc and chunk.uncompressed_crc != zlib.crc32(data):
        raise _Malformed("a chunk whose checksum does not match")
    return data


class McapReader:
    """Reads an MCAP file."""

    format = "MCAP"

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Read the file's index, or the whole file if it has none; what it says in `index`."""
        self._file = file
        self._name = name
        self._end = file.seek(0, 2)
        self._schemas: dict[int, Schema] = {}
        self._messages: dict[int, Messages] = {}
        self._descriptors: dict[tuple[str, bytes], Descriptor | None] = {}
        indexed = self._indexed()
        self._by_index = indexed is not None
        self.index = indexed or self._scanned()

    @property
    def types(self) -> Types:
        """The message types that the file describes."""
        return self

    def FindMessageTypeByName(self, full_name: str) -> Descriptor:
        """Return a message type that the file describes; raise KeyError if it does not."""
        for schema in self._schemas.values():
            if schema.encoding == "protobuf" and schema.name == full_name:
                key = schema.name, schema.data
                if key not in self._descriptors:
                    self._descriptors[key] = type_in(schema.data, schema.name)
                if descriptor := self._descriptors[key]:
                    return descriptor
        raise KeyError(full_name)

    def read(self, block: Block) -> Iterator[Recorded]:
        """Yield the messages of a block; raise RecordingError at damage."""
        offset = block.offset
        while offset < block.offset + block.length:
            record = self._record(offset)
            if self._by_index and (record.opcode, record.end) != (Opcode.CHUNK, block.offset + block.length):
                raise self._damage(offset, "not the chunk that the index promises")
            yield from self._content(record)
            offset = record.end

    # ---- records --------------------------------------------------------------------------------------------------

    def _damage(self, offset: int, reason: str) -> RecordingError:
        return RecordingError(self._name, offset, reason)

    def _record(self, offset: int) -> _Record:
        """Return the record at an offset; raise RecordingError if the file does not hold all of it."""
        self._file.seek(min(offset, self._end))  # a forged index may name any
        head = self._file.read(_HEAD.size)
        if not head:
            raise self._damage(offset, "the file ends without an index: it was cut off, or is still being written")
        if len(head) < _HEAD.size:
            raise self._damage(
                offset, f"the file ends after {len(head)} of the {_HEAD.size} bytes of a record's head"
            )
        opcode, length = _HEAD.unpack(head)
        if opcode not in _OPCODES and opcode < _FIRST_PRIVATE:
            raise self._damage(offset, f"there are no records of type {opcode}")
        left = self._end - offset - _HEAD.size
        if length > left:
            raise self._damage(offset, f"the file ends after {left} of the {length} bytes of a record")
        return _Record(offset, opcode, length)

    def _body(self, record: _Record) -> bytes:
        if record.length > _LARGEST_CHUNK:
            raise self._damage(record.offset, f"a record of {record.length} bytes; none of more than 1 GiB is read")
        self._file.seek(record.offset + _HEAD.size)
        return self._file.read(record.length)

    def _content(self, record: _Record, compression: set[Compression] | None = None) -> list[Recorded]:
        """Return the messages in a record of the data section, and take in what it says of channels.

        A chunk's compression is added to `compression`.
        """
        try:
            if record.opcode == Opcode.CHUNK:
                chunk = _parsed(record.opcode, self._body(record))
                assert isinstance(chunk, Chunk)
                messages = list(self._in_chunk(_unpacked(chunk)))
                if compression is not None:
                    compression.add(_COMPRESSION[chunk.compression])
                return messages
            if record.opcode in (Opcode.MESSAGE, Opcode.SCHEMA, Opcode.CHANNEL):
                message = self._take(record.opcode, self._body(record))
                return [message] if message else []
        except _Malformed as error:
            raise self._damage(record.offset, str(error)) from None
        return []

    def _in_chunk(self, data: bytes) -> Iterator[Recorded]:
        offset = 0
        while offset < len(data):
            if offset + _HEAD.size > len(data):
                raise _Malformed("a chunk that ends within a record's head")
            opcode, length = _HEAD.unpack_from(data, offset)
            offset += _HEAD.size
            if offset + length > len(data):
                raise _Malformed("a chunk that ends within a record")
            if message := self._take(opcode, data[offset : offset + length]):
                yield message
            offset += length

    def _take(self, opcode: int, body: bytes) -> Recorded | None:
        if opcode == Opcode.MESSAGE:
            if len(body) < _MESSAGE.size:
                raise _Malformed("a message that ends within its head")
            channel, _, log_time, publish_time = _MESSAGE.unpack_from(body)
            if channel not in self._messages:
                raise _Malformed(f"a message of channel {channel}, which is not described before it")
            try:
                return self._messages[channel].recorded(log_time, publish_time, body[_MESSAGE.size :])
            except ValueError as error:
                raise _Malformed(str(error)) from None
        if opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
            self._describe(_parsed(opcode, body))
        return None

    def _describe(self, record: McapRecord) -> None:
        if isinstance(record, Schema):
            self._schemas[record.id] = record
        elif isinstance(record, Channel):
            schema = self._schemas.get(record.schema_id)
            type_name = schema.name if schema else ""
            try:
                described = Messages.of(record.topic, record.message_encoding, type_name, record.metadata)
            except ValueError as error:
                raise _Malformed(f"a channel whose metadata are malformed: {error}") from None
            self._messages[record.id] = described

    # ---- without an index -----------------------------------------------------------------------------------------

    def _scanned(self) -> Index:
        index = Index()
        begin = offset = len(MAGIC)
        messages: list[Recorded] = []
        try:
            while True:
                record = self._record(offset)
                if record.opcode in (Opcode.DATA_END, Opcode.FOOTER):
                    index.damage = self._damage_of_end(record)
                    break
                messages += self._content(record, index.compression)
                offset = record.end
                if offset - begin >= _BLOCK:
                    index.add(begin, offset - begin, messages)
                    begin, messages = offset, []
        except RecordingError as error:
            index.damage = error
        index.add(begin, offset - begin, messages)
        return index

    def _damage_of_end(self, record: _Record) -> RecordingError | None:
        """Return what is wrong with a file whose last record of data, or its footer, has been reached."""
        if record.opcode == Opcode.DATA_END and record.length >= 4:
            [checksum] = struct.unpack_from("<I", self._body(record))
            if checksum and checksum != self._checksum(record.offset):
                return self._damage(record.offset, "the data do not match their checksum; messages may be missing")
        if self._summary() is None:
            return self._damage(record.offset, "the index is cut off or damaged; all messages can be read")
        return None

    def _checksum(self, end: int) -> int:
        self._file.seek(0)
        checksum = 0
        while end:
            data = self._file.read(min(end, _BLOCK))
            checksum = zlib.crc32(data, checksum)
            end = end - len(data) if data else 0  # it may be shorter by now
        return checksum

    # ---- by the index ---------------------------------------------------------------------------------------------

    def _summary(self) -> list[McapRecord] | None:
        """Return the records of the summary section, which may be missing; None if the file's end is damaged."""
        start = self._end - _FOOTER - len(MAGIC)
        if start < len(MAGIC):
            return None
        self._file.seek(start)
        tail = self._file.read()
        if tail[_FOOTER:] != MAGIC or _HEAD.unpack_from(tail) != (Opcode.FOOTER, 20):
            return None
        begin, _, checksum = struct.unpack_from("<QQI", tail, _HEAD.size)
        if not begin:
            return []
        if not len(MAGIC) <= begin < start:
            return None
        self._file.seek(begin)
        summary = self._file.read(start - begin)
        if checksum and checksum != zlib.crc32(tail[: _FOOTER - 4], zlib.crc32(summary)):
            return None
        records = []
        offset = 0
        try:
            while offset < len(summary):
                opcode, length = _HEAD.unpack_from(summary, offset)
                offset += _HEAD.size
                if opcode in (Opcode.SCHEMA, Opcode.CHANNEL, Opcode.CHUNK_INDEX, Opcode.STATISTICS):
                    records.append(_parsed(opcode, summary[offset : offset + length]))
                offset += length
        except (struct.error, _Malformed):
            return None
        return records

    def _indexed(self) -> Index | None:
        """Return what the file's index says, or None if it has none that can be relied on."""
        summary = self._summary() or []
        chunks = sorted((r for r in summary if isinstance(r, ChunkIndex)), key=lambda r: r.chunk_start_offset)
        statistics = next((r for r in summary if isinstance(r, Statistics)), None)
        if statistics is None or len(chunks) != statistics.chunk_count:
            return None
        if not all(a.chunk_start_offset + a.chunk_length <= b.chunk_start_offset for a, b in pairwise(chunks)):
            return None
        if sum(statistics.channel_message_counts.values()) != statistics.message_count:
            return None
        if statistics.message_count and not (chunks and all(chunk.message_index_offsets for chunk in chunks)):
            return None
        try:
            for record in summary:
                self._describe(record)
            index = Index(compression={_COMPRESSION[chunk.compression] for chunk in chunks})
            for chunk in chunks:
                ids = frozenset(self._messages[channel].id for channel in chunk.message_index_offsets)
                first, last = chunk.message_start_time // 1000, chunk.message_end_time // 1000
                index.blocks.append(Block(chunk.chunk_start_offset, chunk.chunk_length, first, last, ids))
            for channel, count in statistics.channel_message_counts.items():
                self._sum_up(index, channel, count, chunks)
        except (_Malformed, LookupError):
            self._schemas.clear()
            self._messages.clear()
            return None
        return index

    def _sum_up(self, index: Index, channel: int, count: int, chunks: list[ChunkIndex]) -> None:
        """Add a channel to the products: its first and last message are in the message indexes of two chunks."""
        own = [chunk for chunk in chunks if channel in chunk.message_index_offsets]
        first = self._time(own[0].message_index_offsets[channel], channel, 0, own[0].message_start_time)
        last = self._time(own[-1].message_index_offsets[channel], channel, -1, own[-1].message_end_time)
        messages = self._messages[channel]
        product = index.products.setdefault(messages.id, Product(first=first, last=last))
        product.count += count
        product.first, product.last = min(product.first, first), max(product.last, last)
        if messages.kind:
            product.types.add(messages.type_name)
            product.components.add(messages.component)

    def _time(self, offset: int, channel: int, number: int, otherwise: int) -> int:
        """Return the time of a message, in microseconds, from a message index; `otherwise` if that is damaged."""
        time = otherwise
        with contextlib.suppress(RecordingError, struct.error):
            record = self._record(offset)
            body = self._body(record)
            indexed, size = _INDEX.unpack_from(body)
            if (record.opcode, indexed, size) == (Opcode.MESSAGE_INDEX, channel, len(body) - _INDEX.size):
                place = number * _ENTRY.size if number >= 0 else size + number * _ENTRY.size
                time = _ENTRY.unpack_from(body, _INDEX.size + place)[0]
        return time // 1000
