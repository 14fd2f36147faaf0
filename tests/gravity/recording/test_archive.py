"""The Archiver's file format: round trips, both byte orders, and a crash at any byte."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity_recording import Recording, RecordingError, archive
from gravity_recording.archive import MARK, record


def product(id: str = "P", data: bytes = b"x", **fields: int) -> bytes:
    return GravityDataProductPB(dataProductID=id, data=data, **fields).SerializeToString()


def archived(*products: bytes) -> bytes:
    return MARK + b"".join(map(record, products))


def read(content: bytes) -> tuple[list[bytes], RecordingError | None]:
    """The data products, and the damage."""
    with Recording(io.BytesIO(content), Path("archive.bin")) as recording:
        found = [message.product for message in recording.messages()]
        assert sum(product.count for product in recording.products.values()) == len(found)
        return found, recording.damage


@given(st.lists(st.tuples(st.text(min_size=1), st.binary(max_size=300), st.integers(0, 2**64 - 1))))
def test_what_is_written_is_read(values: list[tuple[str, bytes, int]]) -> None:
    products = [product(id, data, received_timestamp=at) for id, data, at in values]
    assert read(archived(*products)) == (products, None)


def test_the_bytes() -> None:
    frame = product()
    assert archived(frame) == struct.pack("=ii", 1, len(frame)) + frame
    assert struct.pack("=i", 1) == MARK


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order(order: str) -> None:
    frame = product("P", b"x" * 1000)
    assert read(struct.pack(order + "ii", 1, len(frame)) + frame) == ([frame], None)


def test_a_file_without_data_products() -> None:
    assert read(MARK) == ([], None)


def test_cut_off_at_each_byte() -> None:
    products = [product("P", bytes(n)) for n in (0, 1, 40)]
    whole = archived(*products)
    ends = [len(archived(*products[:n])) for n in range(4)]
    for length in range(4, len(whole)):
        found, damage = read(whole[:length])
        messages = sum(end <= length for end in ends[1:])
        assert found == products[:messages]
        if length in ends:
            assert damage is None
        else:
            assert damage is not None and damage.offset == ends[messages]
            assert str(damage).startswith(f"archive.bin, offset {ends[messages]}: the file ends after ")


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (struct.pack("=i", -5), "-5 cannot be the size of a data product"),
        (bytes(8), "0 cannot be the size of a data product"),  # as after a power failure
        (struct.pack("=i", 2**31 - 1) + b"x", "the file ends after 1 of the 2147483647 bytes of a data product"),
        (record(b"\xff\xff"), "not a gravity.GravityDataProductPB: "),
        (record(b"\x2a\x01\xff"), "gravity.GravityDataProductPB: componentID is not UTF-8 text"),
    ],
)
def test_damage(damaged: bytes, reason: str) -> None:
    whole = archived(product())
    found, damage = read(whole + damaged)
    assert found == [product()] and damage is not None
    assert str(damage).startswith(f"archive.bin, offset {len(whole)}: {reason}")


@given(st.binary())
def test_any_bytes_are_read(data: bytes) -> None:
    read(MARK + data)


def test_a_large_archive_is_read_from_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_BLOCK", 100)
    products = [product("AB"[n // 50], b"x" * 20, received_timestamp=1000 + n) for n in range(100)]
    with Recording(io.BytesIO(archived(*products)), Path("archive.bin")) as recording:
        assert len(recording._reader.index.blocks) > 20
        read: list[int] = []
        whole = recording._reader.read
        monkeypatch.setattr(recording._reader, "read", lambda block: read.append(block.offset) or whole(block))
        assert [m.product for m in recording.messages(start=1090, end=1095)] == products[90:95]
        assert [m.product for m in recording.messages({"B"}, end=1052)] == products[50:52]
        assert len(read) < 8
        assert [m.product for m in recording.messages()] == products


def test_a_clock_that_went_backwards_hides_no_message() -> None:
    products = [product("P", received_timestamp=at) for at in (5, 9, 1, 3)]
    with Recording(io.BytesIO(archived(*products)), Path("archive.bin")) as recording:
        assert [m.received for m in recording.messages(start=4)] == [5, 9]
        assert [m.received for m in recording.messages(end=2)] == [1]


def test_native_order_is_this_machines() -> None:
    assert record(b"x")[0] == (1 if sys.byteorder == "little" else 0)
