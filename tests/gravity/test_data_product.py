"""GravityDataProduct: the envelope as an application sees it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gravity import GravityDataProduct
from gravity.GravityConfigParamPB_pb2 import GravityConfigParamPB
from gravity.GravityDataProduct import envelope_of
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.GravityMetricsDataPB_pb2 import GravityMetricsDataPB
from gravity.protocol.envelope import MalformedFrame


def test_new_product_is_empty() -> None:
    product = GravityDataProduct("P")
    assert product.dataProductID == "P"
    assert (product.timestamp, product.receivedTimestamp, product.data) == (0, 0, b"")
    assert (product.componentID, product.domain, product.softwareVersion) == ("", "", "")
    assert (product.protocol, product.typeName, product.futureSocketUrl) == ("", "", "")
    assert product.isCachedDataproduct is False and product.isFutureResponse is False
    assert product.serializeToString() == b"\x12\x01P"


def test_the_id_becomes_text() -> None:
    assert GravityDataProduct(7).dataProductID == "7"  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [{}, {"dataProductID": "P", "data": b""}])
def test_exactly_one_argument(arguments: dict[str, object]) -> None:
    with pytest.raises(AttributeError):
        GravityDataProduct(**arguments)  # type: ignore[arg-type]


def test_from_bytes() -> None:
    sent = GravityDataProductPB(dataProductID="P", data=b"x", timestamp=5, received_timestamp=6, componentID="C")
    product = GravityDataProduct(data=sent.SerializeToString())
    assert (product.dataProductID, product.data, product.timestamp) == ("P", b"x", 5)
    assert (product.receivedTimestamp, product.componentID) == (6, "C")
    assert GravityDataProduct(data=b"").dataProductID == ""


@pytest.mark.parametrize("data", [b"\xff", b"\x12\x09short", b"\x12\x01\xff", 7])
def test_from_bytes_that_are_no_product(data: bytes) -> None:
    with pytest.raises(AttributeError, match="GravityDataProductPB"):
        GravityDataProduct(data=data)


def test_writable_fields_there_and_back() -> None:
    product = GravityDataProduct("P")
    product.timestamp = 1
    product.softwareVersion = "v"
    product.componentID = "C"
    product.domain = "d"
    product.isCachedDataproduct = True
    product.protocol = "json"
    product.typeName = "T"
    again = GravityDataProduct(data=product.serializeToString())
    assert (again.timestamp, again.softwareVersion, again.componentID, again.domain) == (1, "v", "C", "d")
    assert (again.isCachedDataproduct, again.protocol, again.typeName) == (True, "json", "T")


@pytest.mark.parametrize("name", ["dataProductID", "receivedTimestamp", "isFutureResponse", "futureSocketUrl"])
def test_read_only_fields(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(GravityDataProduct("P"), name, "x")


def test_payload_of_bytes() -> None:
    product = GravityDataProduct("P")
    product.data = b"\x00\xff"
    assert product.data == b"\x00\xff"
    assert product.getDataSize() == 2
    assert product.getSize() == len(product.serializeToString()) == 7
    assert (product.protocol, product.typeName) == ("", "")


def test_payload_of_a_message() -> None:
    product = GravityDataProduct("P")
    product.data = GravityConfigParamPB(key="k", value="v")
    assert (product.protocol, product.typeName) == ("protobuf2", "gravity.GravityConfigParamPB")
    message = GravityConfigParamPB()
    assert product.populateMessage(message) is None  # type: ignore[func-returns-value]
    assert (message.key, message.value) == ("k", "v")


def test_bytes_after_a_message_leave_its_type() -> None:
    product = GravityDataProduct("P")
    product.data = GravityConfigParamPB(key="k")
    product.data = b"x"
    assert (product.data, product.protocol) == (b"x", "protobuf2")


@pytest.mark.parametrize(("data", "error"), [(7, AttributeError), (None, AttributeError), ("text", TypeError)])
def test_payload_of_something_else(data: object, error: type[Exception]) -> None:
    product = GravityDataProduct("P")
    with pytest.raises(error):
        product.data = data  # type: ignore[assignment]


def test_populate_merges() -> None:
    product = GravityDataProduct("P")
    product.data = GravityMetricsDataPB(componentID="new", metrics=[{"dataProductID": "b"}])  # type: ignore[list-item]
    message = GravityMetricsDataPB(componentID="old", ipAddress="kept", metrics=[{"dataProductID": "a"}])  # type: ignore[list-item]
    product.populateMessage(message)
    assert (message.componentID, message.ipAddress) == ("new", "kept")
    assert [m.dataProductID for m in message.metrics] == ["a", "b"]


def test_populate_with_a_payload_of_another_type() -> None:
    product = GravityDataProduct("P")
    product.data = b"\xff"
    with pytest.raises(AttributeError, match="GravityConfigParamPB"):
        product.populateMessage(GravityConfigParamPB())


def test_parse_merges() -> None:
    product = GravityDataProduct("P")
    product.softwareVersion = "kept"
    product.parseFromString(GravityDataProductPB(dataProductID="Q", timestamp=5).SerializeToString())
    assert (product.dataProductID, product.timestamp, product.softwareVersion) == ("Q", 5, "kept")


def test_what_cannot_be_parsed_changes_nothing() -> None:
    product = GravityDataProduct("P")
    with pytest.raises(AttributeError):
        product.parseFromString(b"\x12\x01Q\x1a\x01\xff")  # a good id, and then text that is none
    assert product.dataProductID == "P"


# ---- what a node publishes -----------------------------------------------------------------------------------------


def test_an_envelope_is_a_copy() -> None:
    product = GravityDataProduct("P")
    envelope = envelope_of(product)
    envelope.timestamp, envelope.data = 5, b"x"
    assert (product.timestamp, product.data) == (0, b"")


def test_whatever_serializes_itself_has_an_envelope() -> None:
    class Other:
        dataProductID = "P"

        def serializeToString(self) -> bytes:
            return GravityDataProductPB(dataProductID="P", data=b"x").SerializeToString()

    class Derived(GravityDataProduct):
        def serializeToString(self) -> bytes:
            return Other().serializeToString()

    for product in (Other(), Derived("Q")):
        assert envelope_of(product) == GravityDataProductPB(dataProductID="P", data=b"x")  # type: ignore[arg-type]


def test_what_serializes_to_garbage_has_none() -> None:
    class Garbage(GravityDataProduct):
        def serializeToString(self) -> bytes:
            return b"\x12\x01\xff"

    with pytest.raises(MalformedFrame):
        envelope_of(Garbage("P"))


@pytest.mark.parametrize("how", ["bytes", "message", "parsed"])
def test_a_data_product_that_is_filled_again_and_again_does_not_grow(how: str) -> None:
    product = GravityDataProduct("Product")
    payload = bytes(1_000_000)
    message = GravityDataProductPB(data=payload)
    serialized = message.SerializeToString()

    def refill() -> None:
        if how == "parsed":
            product.parseFromString(serialized)
        else:
            product.data = payload if how == "bytes" else message

    refill()
    before = resident()
    for _ in range(100):
        refill()
    assert resident() - before < 20_000_000
    assert product.dataProductID == "Product"


def resident() -> int:
    """Return this process's resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
