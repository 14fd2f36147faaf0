"""MCAP: round trips, as its library reads it, damage of every kind, and what is on the disk when."""

from __future__ import annotations

import contextlib
import io
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import NonSeekingReader, make_reader
from mcap.records import Channel, Chunk, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader
from mcap.writer import CompressionType, IndexType, Writer
from mcap_protobuf.decoder import DecoderFactory

from tests.gravity.recording.conftest import BEGIN, Write, frame
from tests.support import eventually

from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB
from gravity_recording import (
    Recorded,
    Recording,
    RecordingError,
    RecordingWriter,
    mcap_reader,
    mcap_writer,
    open_recording,
)

FILE = Path("run.mcap")
FRAMES = [frame(n, "Log" if n % 3 else "Other") for n in range(30)]


def read(path: Path) -> tuple[list[bytes], RecordingError | None]:
    """The data products, and the damage."""
    return read_bytes(path.read_bytes(), path)


def read_bytes(content: bytes, path: Path = FILE) -> tuple[list[bytes], RecordingError | None]:
    with Recording(io.BytesIO(content), path) as recording:
        found = [message.product for message in recording.messages()]
        return found, recording.damage


def records(path: Path) -> list[McapRecord]:
    return list(StreamReader(io.BytesIO(path.read_bytes()), validate_crcs=True).records)


# ---- round trips ------------------------------------------------------------------------------------------------

_times = st.one_of(st.integers(0, 2**64 - 1), st.integers(BEGIN, BEGIN + 10**6))
_field_values = {
    "timestamp": _times,
    "dataProductID": st.sampled_from(["", "A", "B", "Ä/ \0"]),
    "softwareVersion": st.text(max_size=3),
    "data": st.binary(max_size=50),
    "componentID": st.sampled_from(["", "Pump", "Motor"]),
    "domain": st.sampled_from(["", "isle"]),
    "future_response": st.booleans(),
    "future_socket_url": st.text(max_size=3),
    "received_timestamp": _times,
    "is_cached_dataproduct": st.booleans(),
    "is_relayed_dataproduct": st.booleans(),
    "protocol": st.sampled_from(["", "protobuf2", "json"]),
    "type_name": st.sampled_from(["", "gravity.GravityLogMessagePB", "no.Such"]),
    "registration_time": st.integers(0, 2**32 - 1),
}
_products = st.fixed_dictionaries({}, optional=_field_values).map(
    lambda fields: GravityDataProductPB(**fields).SerializeToString()
)
_unknown_fields = st.sampled_from([b"", b"\xf8\x07\x01", b"\x80\x08\x01"])
_frames = st.tuples(_products, _unknown_fields).map(b"".join)


@given(st.lists(_frames, max_size=20), st.sampled_from(["none", "lz4", "zstd"]))
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_to_the_last_byte(
    tmp_path_factory: pytest.TempPathFactory, frames: list[bytes], compression: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.mcap"
    with RecordingWriter(path, compression=compression, overwrite=True) as writer:  # type: ignore[arg-type]
        for one in frames:
            writer.add(one)
    assert read(path) == (frames, None)


def test_fields_in_another_order_are_kept(write: Write) -> None:
    whole = frame()
    id = whole.index(b"\x12")
    assert whole[0] == 8
    turned = whole[id:] + whole[:id]
    assert GravityDataProductPB.FromString(turned) == GravityDataProductPB.FromString(whole)
    assert read(write([turned, whole])) == ([turned, whole], None)


def test_many_versions_of_a_publisher(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels are bounded; whatever exceeds the bound is kept whole."""
    monkeypatch.setattr(mcap_writer, "_MOST_OF_A_PRODUCT", 5)
    frames = [frame(n, softwareVersion=str(n)) for n in range(20)]
    path = write(frames)
    assert read(path) == (frames, None)
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary and len(summary.channels) == 6


def test_when_it_was_received_may_be_told(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    with RecordingWriter(path) as writer:
        writer.add(GravityDataProductPB(dataProductID="P", data=b"", timestamp=5).SerializeToString(), received=7)
        writer.add(GravityDataProductPB(dataProductID="P", data=b"", timestamp=6).SerializeToString())
    with open_recording(path) as recording:
        messages = list(recording.messages())
    assert [m.received for m in messages] == [7, 6]
    assert [GravityDataProductPB.FromString(m.product).received_timestamp for m in messages] == [7, 0]


def test_what_is_no_data_product_is_refused(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    with RecordingWriter(path) as writer:
        for bad in (b"\xff", b"\x2a\x01\xff"):
            with pytest.raises(ValueError, match=r"gravity\.GravityDataProductPB"):
                writer.add(bad)
        writer.add(frame())
    assert read(path) == ([frame()], None)


# ---- what it says -----------------------------------------------------------------------------------------------


def test_products(write: Write) -> None:
    frames = [*FRAMES, frame(100, "Log", componentID="Motor")]
    with open_recording(write(frames, every=7)) as recording:
        assert list(recording.products) == ["Other", "Log"]
        log, other = recording.products["Log"], recording.products["Other"]
        assert (log.count, log.first, log.last) == (21, BEGIN + 1050, BEGIN + 100_050)
        assert (other.count, other.first, other.last) == (10, BEGIN + 50, BEGIN + 27_050)
        assert log.components == {"Pump", "Motor"} and other.components == {"Pump"}
        assert log.types == other.types == {"gravity.GravityLogMessagePB"}
        assert (recording.format, recording.compression) == ("MCAP", ["zstd"])
        assert recording.size == recording.path.stat().st_size and recording.damage is None


def test_an_empty_recording(write: Write) -> None:
    with open_recording(write([])) as recording:
        assert list(recording.messages()) == [] and recording.products == {} and recording.damage is None


def test_a_message(write: Write) -> None:
    with open_recording(write([frame()])) as recording:
        [message] = recording.messages()
        assert message == Recorded(BEGIN + 50, frame(), "Log", "gravity.GravityLogMessagePB", "Pump")
        decoded = recording.decode(message)
        assert isinstance(decoded, type(decoded)) and decoded.message == "message 0"  # type: ignore[union-attr]


@pytest.mark.parametrize("indexed", [True, False])
def test_some_messages(indexed: bool, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    if not indexed:
        monkeypatch.setattr(mcap_reader.McapReader, "_indexed", lambda self: None)
        monkeypatch.setattr(mcap_reader, "_BLOCK", 1)
    with open_recording(write(FRAMES, every=5)) as recording:
        read: list[int] = []
        whole = recording._reader.read
        monkeypatch.setattr(recording._reader, "read", lambda block: read.append(block.offset) or whole(block))
        some = recording.messages({"Log"}, BEGIN + 10_050, BEGIN + 13_050)
        assert [m.product for m in some] == [FRAMES[10], FRAMES[11]]
        assert len(read) == 1
        assert [m.product for m in recording.messages(["Other"])] == FRAMES[::3]
        assert list(recording.messages({"Nothing"})) == []
        both = zip(recording.messages(), recording.messages(), strict=True)  # two at once
        assert [(a.product, b.product) for a, b in both] == [(one, one) for one in FRAMES]


def test_a_clock_that_goes_backwards_changes_no_order(write: Write) -> None:
    frames = [frame(n) for n in (5, 3, 9, 1)]
    path = write(frames, every=2)
    assert read(path) == (frames, None)
    with open_recording(path) as recording:
        assert [m.product for m in recording.messages(start=BEGIN + 4050)] == [frames[0], frames[2]]


# ---- as others see it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_the_library_reads_it(compression: str, write: Write) -> None:
    """With all checksums, by the index and without it, and the payload by the schema inside."""
    path = write(FRAMES, every=8, compression=compression)
    content = path.read_bytes()
    assert sum(isinstance(record, Message) for record in records(path)) == 30
    for reader in (make_reader(io.BytesIO(content), validate_crcs=True), NonSeekingReader(io.BytesIO(content))):
        found = list(reader.iter_messages(log_time_order=False))
        for n, (schema, channel, message) in enumerate(found):
            product = GravityDataProductPB.FromString(FRAMES[n])
            assert message.data == product.data and channel.topic == product.dataProductID
            assert message.log_time == product.received_timestamp * 1000
            assert message.publish_time == product.timestamp * 1000
            assert schema and (schema.name, schema.encoding) == (product.type_name, "protobuf")
            assert channel.message_encoding == "protobuf"
            assert channel.metadata == {
                "gravity": "payload",
                "componentID": "Pump",
                "domain": "",
                "protocol": "protobuf2",
                "type_name": "gravity.GravityLogMessagePB",
                "registration_time": "1700000000",
                "received_timestamp": "log_time",
            }
    decoding = make_reader(io.BytesIO(content), decoder_factories=[DecoderFactory()])
    texts = [decoded.message for _, _, _, decoded in decoding.iter_decoded_messages(log_time_order=False)]
    assert texts == [f"message {n}" for n in range(30)]
    chunks = [r for r in StreamReader(io.BytesIO(content), emit_chunks=True).records if isinstance(r, Chunk)]
    assert {chunk.compression for chunk in chunks} == {"" if compression == "none" else compression}


def test_a_payload_of_an_unknown_type_has_no_schema(write: Write) -> None:
    frames = [frame(0, type_name="no.Such"), frame(1, protocol="")]
    with write(frames).open("rb") as file:
        found = list(make_reader(file).iter_messages())
    assert [(schema, channel.message_encoding) for schema, channel, _ in found] == [(None, "gravity")] * 2


def nested_pool() -> descriptor_pool.DescriptorPool:
    """A pool with the type plant.Pump, whose file imports another one."""
    inner = descriptor_pb2.FileDescriptorProto(name="inner.proto", package="plant")
    inner.message_type.add(name="Reading").field.add(name="value", number=1, type=1, label=1)
    outer = descriptor_pb2.FileDescriptorProto(name="outer.proto", package="plant", dependency=["inner.proto"])
    field = outer.message_type.add(name="Pump").field
    field.add(name="pressure", number=1, type=11, label=1, type_name=".plant.Reading")
    pool = descriptor_pool.DescriptorPool()
    for file in (inner, outer):
        pool.Add(file)
    return pool


def test_types_of_a_pool_of_its_own(write: Write, tmp_path: Path) -> None:
    """The file carries them, with what they import; so does a copy of it that knows only the file."""
    data = b"\x0a\x09\x09" + struct.pack("<d", 2.5)
    path = write([frame(type_name="plant.Pump", data=data)], types=nested_pool())
    with open_recording(path) as recording:
        [message] = recording.messages()
        decoded = recording.decode(message)
        assert decoded is not None and decoded.pressure.value == 2.5  # type: ignore[attr-defined]
        with RecordingWriter(tmp_path / "copy.mcap", recording.types) as writer:
            writer.add(message.product)
    with (tmp_path / "copy.mcap").open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        [[schema, _, _, decoded]] = reader.iter_decoded_messages()
    assert schema.name == "plant.Pump" and decoded.pressure.value == 2.5


def test_a_payload_that_is_not_of_its_type(write: Write) -> None:
    with open_recording(write([frame(data=b"\xff")])) as recording:
        [message] = recording.messages()
        assert recording.decode(message) is None


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("indexes", [IndexType.ALL, IndexType.NONE])
def test_files_of_other_programs(chunked: bool, indexes: IndexType, tmp_path: Path) -> None:
    path = tmp_path / "other.mcap"
    with path.open("wb") as file:
        writer = Writer(file, use_chunking=chunked, index_types=indexes, compression=CompressionType.LZ4)
        writer.start(profile="x", library="other")
        writer.add_metadata("about", {"a": "b"})
        schema = writer.register_schema("plant.Pump", "protobuf", b"")
        topics = [writer.register_channel("/pump", "protobuf", schema), writer.register_channel("/json", "json", 0)]
        for n in range(10):
            writer.add_message(topics[n % 2], 7_000_999 + n * 1000, b"%d" % n, 5000)
        writer.add_attachment(0, 0, "a", "b", b"c")
        writer.finish()
    with open_recording(path) as recording:
        messages = list(recording.messages())
        assert recording.damage is None
    assert [(m.received, m.id, m.type_name) for m in messages[:2]] == [
        (7000, "/pump", "plant.Pump"),
        (7001, "/json", ""),
    ]
    first = GravityDataProductPB.FromString(messages[0].product)
    assert (first.timestamp, first.data, first.protocol) == (5, b"0", "protobuf2")
    assert len(messages) == 10


# ---- damage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_cut_off_at_each_byte(compression: str, write: Write) -> None:
    frames = FRAMES[:9]
    content = write(frames, every=3, compression=compression).read_bytes()
    stream = StreamReader(io.BytesIO(content), emit_chunks=True)
    ends = []
    for record in stream.records:
        if isinstance(record, Chunk):
            ends.append(stream._stream.count)
    assert len(ends) == 3
    for length in range(len(content)):
        try:
            found, damage = read_bytes(content[:length])
        except RecordingError as error:
            assert length < 8 and error.offset == 0
            continue
        assert found == frames[: 3 * sum(end <= length for end in ends)]
        assert damage is not None and 0 < damage.offset <= length and str(damage).startswith("run.mcap, offset ")


def test_each_byte_flipped(write: Write) -> None:
    """Either the messages are what they were, or they end with an error that says where."""
    frames = FRAMES[:4]
    content = write(frames, every=2, compression="none").read_bytes()
    for place in range(len(content)):
        for bit in (1, 128):
            flipped = content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
            try:
                found, damage = read_bytes(flipped)
            except RecordingError as error:
                assert place < 8 and error.offset == 0
                continue
            assert found == frames or (damage is not None and found == frames[: len(found)]), place


def test_each_byte_flipped_where_no_checksum_tells(write: Write) -> None:
    """Forged files are read, or refused, too: nothing else happens."""
    content = bytearray(write(FRAMES[:4], every=2, compression="none").read_bytes())
    with Recording(io.BytesIO(content), FILE) as recording:
        checksums = [block.offset + 9 + 24 for block in recording._reader.index.blocks]
    for place in (*checksums, len(content) - 12):
        content[place : place + 4] = bytes(4)
    assert read_bytes(bytes(content)) == (FRAMES[:4], None)
    for place in range(len(content)):
        for bit in (1, 128):
            content[place] ^= bit
            with contextlib.suppress(RecordingError):
                read_bytes(bytes(content))
            content[place] ^= bit


@given(st.binary(max_size=200), st.booleans())
@settings(deadline=None)
def test_any_bytes_are_read(data: bytes, framed: bool) -> None:
    if framed and data:
        data = bytes([data[0] % 16]) + struct.pack("<Q", len(data) - 1) + data[1:]
    read_bytes(b"\x89MCAP0\r\n" + data)


@given(st.integers(0, 2**64 - 1), st.sampled_from(["", "zstd", "lz4", "xz"]), st.binary(max_size=40), st.booleans())
@settings(deadline=None)
def test_any_chunk_is_read(size: int, compression: str, data: bytes, fits: bool) -> None:
    size = len(data) if fits else size
    name = compression.encode()
    chunk = (
        struct.pack("<QQQII", 0, 0, size, zlib.crc32(data), len(name)) + name + struct.pack("<Q", len(data)) + data
    )
    read_bytes(b"\x89MCAP0\r\n" + struct.pack("<BQ", 6, len(chunk)) + chunk)


def test_damage_within_a_file_with_an_index(write: Write) -> None:
    path = write(FRAMES, every=10)
    with open_recording(path) as recording:
        second = recording._reader.index.blocks[1]
    content = bytearray(path.read_bytes())
    content[second.offset + second.length - 5] ^= 1
    path.write_bytes(content)
    with open_recording(path) as recording:
        assert recording.damage is None and recording.products["Log"].count == 20
        assert [m.product for m in recording.messages()] == FRAMES[:10]
        assert recording.damage is not None
        assert (recording.damage.file, recording.damage.offset) == (str(path), second.offset)


def test_a_damaged_index_hides_no_message(write: Write) -> None:
    path = write(FRAMES)
    content = bytearray(path.read_bytes())
    content[-60] ^= 1
    path.write_bytes(content)
    found, damage = read(path)
    assert found == FRAMES and damage is not None and damage.reason.startswith("the index is cut off or damaged")


def test_zeros_at_the_end(write: Write) -> None:
    """As after a power failure, when the file's size was on the disk but not its content."""
    path = write(FRAMES)
    with open_recording(path) as recording:
        [block] = recording._reader.index.blocks
    end = block.offset + block.length
    path.write_bytes(path.read_bytes()[:end] + bytes(1000))
    found, damage = read(path)
    assert found == FRAMES and damage is not None
    assert (damage.offset, damage.reason) == (end, "there are no records of type 0")


@pytest.mark.parametrize("begin", [b"", b"\x89MCAP1\r\n", b"\x01\x00", b"\x02\x00\x00\x00", b"PK\x03\x04"])
def test_what_is_no_recording(begin: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(begin)
    with pytest.raises(RecordingError, match="offset 0: neither an MCAP file nor a Gravity archive: it ") as caught:
        open_recording(path)
    assert (caught.value.file, caught.value.offset) == (str(path), 0)


def file_set(*files: dict[str, object]) -> bytes:
    return descriptor_pb2.FileDescriptorSet(file=files).SerializeToString()  # type: ignore[arg-type]


PUMP = {"package": "plant", "message_type": [{"name": "Pump"}]}


@pytest.mark.parametrize(
    "schema",
    [
        b"\xff",
        file_set({"name": "a"}, {"name": "a"}),
        file_set({"name": "a", "dependency": ["b"], **PUMP}, {"name": "b", "dependency": ["a"]}),
        file_set({"name": "a", "dependency": ["missing"], **PUMP}),
        file_set({"name": "a", **PUMP}, {"name": "b", **PUMP}),
    ],
    ids=["malformed", "without it", "imports in a circle", "import missing", "twice"],
)
def test_a_schema_that_is_malformed(schema: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        channel = writer.register_channel("A", "protobuf", writer.register_schema("plant.Pump", "protobuf", schema))
        writer.add_message(channel, 0, b"", 0)
        writer.finish()
    with open_recording(path) as recording:
        [message] = recording.messages()
        assert recording.decode(message) is None


# ---- on the disk ------------------------------------------------------------------------------------------------


def test_a_message_is_on_the_disk_after_a_second(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    with RecordingWriter(path) as writer:
        for n in range(2):
            writer.add(frame(n))
            eventually(lambda: len(read(path)[0]) > n, 1.5)  # noqa: B023
        found, damage = read(path)
    assert found == [frame(0), frame(1)] and damage is not None and "still being written" in damage.reason


def test_an_existing_file_is_not_overwritten(write: Write) -> None:
    path = write([frame()])
    with pytest.raises(FileExistsError):
        write([])
    assert read(path) == ([frame()], None)
    assert read(write([], overwrite=True)) == ([], None)


FILL = """
import resource, sys
from gravity_recording import RecordingWriter

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
frames = bytes.fromhex(sys.stdin.read()).split(b"|||")
try:
    with RecordingWriter(sys.argv[1], compression="none") as writer:
        for n, frame in enumerate(frames):
            writer.add(frame)
            if n % 10 == 9:
                writer.flush()
except OSError as error:
    print(error.errno)
"""


def test_a_full_disk(tmp_path: Path) -> None:
    """The file ends with the last whole chunk, and is a valid MCAP file."""
    path = tmp_path / "run.mcap"
    frames = [frame(n) for n in range(1000)]
    run = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], input=b"|||".join(frames).hex(), capture_output=True, text=True
    )
    assert (run.stdout, run.stderr) == ("27\n", "")
    found, damage = read(path)
    assert damage is None and 50 < len(found) < 1000 and found == frames[: len(found)] and len(found) % 10 == 0
    assert sum(isinstance(r, Message) for r in records(path)) == len(found)


def test_a_disk_that_is_full_from_the_beginning() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with pytest.raises(OSError, match="No space left"):
        RecordingWriter("/dev/full", overwrite=True)


def test_records_are_described_before_they_are_used(write: Write) -> None:
    known: set[int] = set()
    for record in records(write(FRAMES, every=4)):
        if isinstance(record, Schema | Channel):
            known.add(record.id)
        elif isinstance(record, Message):
            assert record.channel_id in known


def test_memory_does_not_follow_a_forged_size(write: Write, tmp_path: Path) -> None:
    """A chunk that announces 2^40 bytes is refused before anything is allocated."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chunk = struct.pack("<QQQII", 0, 0, 2**40, 0, 4) + b"zstd" + struct.pack("<Q", 0)
    path = tmp_path / "forged.mcap"
    path.write_bytes(b"\x89MCAP0\r\n" + struct.pack("<BQ", 6, len(chunk)) + chunk)
    found, damage = read(path)
    assert found == [] and damage is not None and "a chunk of 1099511627776 bytes" in damage.reason
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_the_schema_of_gravitys_message_is_its_own(write: Write) -> None:
    with write([frame()]).open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary
    [schema] = summary.schemas.values()
    [file_descriptor] = descriptor_pb2.FileDescriptorSet.FromString(schema.data).file
    own = descriptor_pb2.FileDescriptorProto()
    GravityLogMessagePB.DESCRIPTOR.file.CopyToProto(own)
    assert file_descriptor == own
