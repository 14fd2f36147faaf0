"""Recorded data products as they are published again."""

import logging
from collections.abc import Iterable
from pathlib import Path

from node.errors import UserError

import pytest

from streams import points, replay
from streams.decoding import PointDecoder
from streams.points import END_TYPE, Point

from gravity import GravityDataProduct
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity_recording import RecordingWriter, open_recording
from gravity_recording.archive import MARK, record


def received(content: object, time: int, id: str = "P", *, cached: bool = False, published: int = 0) -> bytes:
    """A serialized data product: a point of the stream `content`, or with several streams their end."""
    product = GravityDataProduct(id)
    is_end = isinstance(content, tuple)
    product.data = points.end_message(content) if is_end else points.message(str(content), time, 1.0)
    product.timestamp, product.isCachedDataproduct = published or time, cached
    envelope = GravityDataProductPB.FromString(product.serializeToString())
    envelope.received_timestamp = time
    return envelope.SerializeToString()


def archive(path: Path, messages: Iterable[bytes]) -> Path:
    path.write_bytes(MARK + b"".join(map(record, messages)))
    return path


def mcap(path: Path, messages: Iterable[bytes]) -> Path:
    with RecordingWriter(path) as writer:
        for message in messages:
            writer.add(message)
    return path


def played(path: Path, *channels: str) -> list[GravityDataProduct]:
    with open_recording(path) as recording:
        found = replay.messages(recording, channels or ("P",))
        return list(replay.products(found, PointDecoder("P").points))


def shown(products: list[GravityDataProduct]) -> list[object]:
    return [
        tuple(sorted(points.ended_streams(p.data))) if p.typeName == END_TYPE else points.decode(p.data).name
        for p in products
    ]


@pytest.mark.parametrize("make", [archive, mcap])
def test_the_messages_of_the_wanted_data_product_are_published_as_they_were(make, tmp_path: Path):
    messages = [received("a", 1), received("x", 2, "Q"), received("b", 3, published=2), received(("a", "b"), 4)]
    products = played(make(tmp_path / "file", messages))
    assert shown(products) == ["a", "b", ("a", "b")]
    assert [p.timestamp for p in products] == [1, 2, 4]
    assert points.decode(products[1].data, products[1].typeName) == Point("b", 3, 1.0)
    assert {p.dataProductID for p in products} == {"P"} and {p.protocol for p in products} == {"protobuf2"}
    assert shown(played(tmp_path / "file", "P", "Q")) == ["a", "x", "b", ("a", "b"), ("x",)]


def test_what_a_recording_does_not_end_is_ended(tmp_path: Path):
    messages = [received("a", 1), received("b", 2), received(("a",), 3), received("c", 4, "Q")]
    products = played(archive(tmp_path / "file", messages), "P", "Q")
    assert shown(products) == ["a", "b", ("a",), "c", ("b",), ("c",)]
    assert [p.dataProductID for p in products[-2:]] == ["P", "Q"]


def test_an_end_from_a_cache_does_not_count_and_is_not_published(tmp_path: Path):
    messages = [received(("a",), 1, cached=True), received("a", 2, cached=True), received("a", 3)]
    products = played(archive(tmp_path / "file", messages))
    assert shown(products) == ["a", "a", ("a",)]
    assert not any(product.isCachedDataproduct for product in products)


def test_messages_of_several_publishers_are_not_older_than_those_before(tmp_path: Path):
    """A subscriber would drop them."""
    messages = [received("a", 10, published=10), received("b", 11, published=3), received("a", 20, published=20)]
    assert [p.timestamp for p in played(archive(tmp_path / "file", messages))] == [10, 11, 20, 21]


@pytest.mark.parametrize("make", [archive, mcap])
def test_a_file_that_was_cut_off_is_played_up_to_there(make, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = make(tmp_path / "file", [received("a", n) for n in range(1, 2000)])
    path.write_bytes(path.read_bytes()[: -3 if make is archive else -300])
    products = played(path)
    assert shown(products) == ["a"] * (1998 if make is archive else 1999) + [("a",)]
    assert f"{path}, offset " in caplog.text and caplog.text.rstrip().endswith("; it is replayed up to there")


def test_damage_within_a_file_that_has_an_index(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = mcap(tmp_path / "file", [received("a", n) for n in range(1, 20)])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    content[300] ^= 1
    path.write_bytes(content)
    assert shown(played(path)) == []
    assert caplog.text.rstrip().endswith("; it was replayed up to there")


def test_what_is_not_a_point_is_published_too(tmp_path: Path):
    """A detector that is configured for such messages knows them."""
    product = GravityDataProduct("P")
    product.data, product.typeName = b"\xff", "PumpPB"
    assert [p.data for p in played(archive(tmp_path / "file", [product.serializeToString()]))] == [b"\xff"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"cannot read \S+file \(No such file or directory\); check the name given to --replay"),
        (b"time,a,b\n1,2,3\n", r"\S+file, offset 0: neither an MCAP file nor a Gravity archive: .*; check the name"),
        (b"", r"\S+file, offset 0: neither an MCAP file nor a Gravity archive: it is empty"),
    ],
)
def test_what_is_not_a_recording_is_told(content: bytes | None, said: str, tmp_path: Path):
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=said):
        replay.opened(str(tmp_path / "file"))


def test_a_recording_without_the_data_product_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    path = archive(tmp_path / "file", [received("a", 1, "Q"), received("a", 2, "R")])
    with pytest.raises(
        UserError, match=r"holds no messages of P, only of Q, R; set subscription_name, or streams, in Gravity.ini"
    ):
        played(path)
    with pytest.raises(UserError, match="holds no messages of P, nor any others"):
        played(archive(tmp_path / "empty", []))
