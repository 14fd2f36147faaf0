"""The Archiver's file format: round trips, both byte orders, and a crash at any byte."""

from __future__ import annotations

import io
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.programs.archive import MARK, ArchiveError, read, record, timed


def product(id: str = "P", data: bytes = b"x", **fields: int) -> GravityDataProductPB:
    return GravityDataProductPB(dataProductID=id, data=data, **fields)


def archive(*products: GravityDataProductPB) -> bytes:
    return MARK + b"".join(record(p.SerializeToString()) for p in products)


def content(archive: bytes) -> list[GravityDataProductPB]:
    return list(read(io.BytesIO(archive), "file"))


def read_until_damage(archive: bytes) -> tuple[list[GravityDataProductPB], ArchiveError | None]:
    found = []
    try:
        for product in read(io.BytesIO(archive), "file"):
            found.append(product)
    except ArchiveError as error:
        return found, error
    return found, None


@given(st.lists(st.tuples(st.text(min_size=1), st.binary(max_size=300), st.integers(0, 2**64 - 1))))
def test_what_is_written_is_read(values: list[tuple[str, bytes, int]]) -> None:
    products = [product(id, data, received_timestamp=at) for id, data, at in values]
    assert content(archive(*products)) == products


def test_the_bytes() -> None:
    frame = product().SerializeToString()
    assert archive(product()) == struct.pack("=ii", 1, len(frame)) + frame
    assert struct.pack("=i", 1) == MARK


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order(order: str) -> None:
    frame = product("P", b"x" * 1000).SerializeToString()
    assert content(struct.pack(order + "ii", 1, len(frame)) + frame) == [product("P", b"x" * 1000)]


def test_a_file_without_data_products() -> None:
    assert content(MARK) == []


def test_cut_off_at_each_byte() -> None:
    products = [product("P", bytes(n)) for n in (0, 1, 40)]
    whole = archive(*products)
    ends = [len(archive(*products[:n])) for n in range(4)]
    for length in range(4, len(whole)):
        found, damage = read_until_damage(whole[:length])
        messages = sum(end <= length for end in ends[1:])
        assert found == products[:messages]
        if length in ends:
            assert damage is None
        else:
            assert damage is not None and damage.offset == ends[messages]
            assert str(damage).startswith(f"file, offset {ends[messages]}: the file ends after ")


@pytest.mark.parametrize("begin", [b"", b"\x01\x00", b"\x02\x00\x00\x00", b"PK\x03\x04"])
def test_not_an_archive(begin: bytes) -> None:
    found, damage = read_until_damage(begin)
    assert found == [] and damage is not None
    assert damage.offset == 0 and str(damage).startswith("file, offset 0: not an archive: it begins with ")


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (struct.pack("=i", -5), "-5 cannot be the size of a data product"),
        (bytes(8), "0 cannot be the size of a data product"),  # as after a power failure
        (struct.pack("=i", 2**31 - 1) + b"x", "the file ends after 1 of the 2147483647 bytes of a data product"),
        (record(b"\xff\xff"), "not a gravity.GravityDataProductPB: "),
    ],
)
def test_damage(damaged: bytes, reason: str) -> None:
    whole = archive(product())
    found, damage = read_until_damage(whole + damaged)
    assert found == [product()] and damage is not None
    assert str(damage).startswith(f"file, offset {len(whole)}: {reason}")


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read_until_damage(data)
    read_until_damage(MARK + data)


def test_it_can_be_read_again() -> None:
    file = io.BytesIO(archive(product("A"), product("B")))
    for _ in range(2):
        assert [p.dataProductID for p in read(file, "file")] == ["A", "B"]


def test_native_order_is_this_machines() -> None:
    assert record(b"x")[0] == (1 if sys.byteorder == "little" else 0)


# ---- recorded times ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("products", "times"),
    [
        ([], []),
        ([product(received_timestamp=10**15), product(received_timestamp=10**15 + 7)], [0, 7]),
        ([product(timestamp=50), product(timestamp=52)], [0, 2]),  # not received
        ([product(timestamp=9, received_timestamp=100), product(timestamp=8, received_timestamp=130)], [0, 30]),
        ([product(received_timestamp=t) for t in (100, 90, 110)], [0, 0, 10]),  # the clock went backwards
        ([product(), product(timestamp=5)], [0, 5]),
    ],
)
def test_recorded_times(products: list[GravityDataProductPB], times: list[int]) -> None:
    assert list(timed(products)) == list(zip(times, products, strict=True))
