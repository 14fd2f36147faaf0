"""Our nodes and directory among peers that are nothing but ZeroMQ and bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import zmq

from gravity import GravityDataProduct, gravity
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.io import now_us
from gravity.protocol.directory_messages import (
    DirectoryCode,
    Kind,
    Lookup,
    Publisher,
    Registration,
    decode_code_reply,
    decode_publishers_reply,
    encode_request,
)
from gravity.protocol.names import REGISTERED_PUBLISHERS

if TYPE_CHECKING:
    from .conftest import Cluster, Collector, Eventually

Socket = zmq.Socket[bytes]
Raw = Callable[[int], Socket]
Product = Callable[[str, str], GravityDataProduct]

REGISTERED = 1_700_000_000


class RawPublisher:
    """Publishes P, which it has registered by hand."""

    def __init__(self, raw: Raw, cluster: Cluster, *, domain: str | None = None, **fields: object) -> None:
        self.socket = raw(zmq.XPUB)
        self.url = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        self.cluster = cluster
        self.domain = domain or ""
        requester = raw(zmq.REQ)
        requester.connect(cluster.url)
        registration = Registration("P", self.url, Kind.DATA, "Raw", REGISTERED * 1_000_000 + 1, domain, **fields)  # type: ignore[arg-type]
        requester.send(encode_request(registration))
        assert decode_code_reply(requester.recv()) is DirectoryCode.SUCCESS

    def wait_for_subscriber(self, topic: bytes = b"") -> None:
        assert self.socket.poll(10_000)
        assert self.socket.recv() == b"\x01" + topic

    def send(self, text: str, topic: bytes = b"", **fields: object) -> None:
        values: dict[str, object] = {"dataProductID": "P", "componentID": "Raw", "domain": self.domain}
        values |= {"timestamp": now_us(), "registration_time": REGISTERED}
        product = GravityDataProductPB(data=text.encode(), **(values | fields))  # type: ignore[arg-type]
        self.socket.send_multipart([topic, product.SerializeToString()])


@pytest.fixture
def collector(cluster: Cluster) -> Collector:
    return cluster.subscriber(cluster.node(), "P")


@pytest.fixture
def publisher(collector: Collector, cluster: Cluster, raw: Raw) -> RawPublisher:
    """To which `collector` listens."""
    publisher = RawPublisher(raw, cluster)
    publisher.wait_for_subscriber()
    return publisher


def test_a_raw_publisher_is_heard(collector: Collector, publisher: RawPublisher, eventually: Eventually) -> None:
    publisher.send("x")
    eventually(lambda: collector.texts == ["x"])
    [seen] = collector.products
    assert (seen.componentID, seen.dataProductID) == ("Raw", "P")


def test_the_filter_is_the_topic(cluster: Cluster, raw: Raw, eventually: Eventually) -> None:
    filtered = cluster.subscriber(cluster.node(), "P", "müsli")
    publisher = RawPublisher(raw, cluster)
    publisher.wait_for_subscriber("müsli".encode())
    publisher.send("no", b"muesli")
    publisher.send("yes", "müsli!".encode())
    eventually(lambda: filtered.texts == ["yes"])


@pytest.mark.parametrize("time", [REGISTERED + 1, 0])
def test_a_publisher_with_another_registration_is_reported(
    collector: Collector,
    publisher: RawPublisher,
    cluster: Cluster,
    eventually: Eventually,
    library_lines: list[str],
    time: int,
) -> None:
    publisher.send("good")
    eventually(lambda: collector.texts == ["good"])
    assert cluster.publishers("P") == [publisher.url]
    publisher.send("stale", registration_time=time)
    publisher.send("after")
    eventually(lambda: cluster.publishers("P") == [])
    eventually(lambda: publisher.socket.poll(0) and publisher.socket.recv() == b"\x00")
    assert collector.texts == ["good"]
    assert library_lines == [f"P at {publisher.url} is no longer published by Raw"]


def test_after_a_stale_publisher_the_subscription_lives_on(
    collector: Collector,
    publisher: RawPublisher,
    cluster: Cluster,
    raw: Raw,
    eventually: Eventually,
) -> None:
    publisher.send("stale", registration_time=1)
    eventually(lambda: cluster.publishers("P") == [])
    successor = RawPublisher(raw, cluster)
    successor.wait_for_subscriber()
    successor.send("x")
    eventually(lambda: collector.texts == ["x"])


def test_garbage_between_messages(
    collector: Collector, publisher: RawPublisher, eventually: Eventually, library_lines: list[str]
) -> None:
    publisher.send("one")
    for frames in ([b"", b"\xff"], [b"only a topic"], [b"", b"\x12\x02\xff\xfe"], [b"", b"", b"\x12\x09short"]):
        publisher.socket.send_multipart(frames)
    publisher.send("two")
    eventually(lambda: collector.texts == ["one", "two"])
    assert len(library_lines) == 2  # three frames are wrong in the same way
    assert all(line.startswith(f"dropped a message of P from {publisher.url}: ") for line in library_lines)


def test_replays_reach_a_subscriber_once(
    collector: Collector, publisher: RawPublisher, eventually: Eventually
) -> None:
    publisher.send("x", timestamp=5)
    publisher.send("x", timestamp=5, is_cached_dataproduct=True)
    publisher.send("old", timestamp=4, is_cached_dataproduct=True)
    publisher.send("same time", timestamp=5)
    publisher.send("end", timestamp=6)
    eventually(lambda: "end" in collector.texts)
    assert collector.texts == ["x", "same time", "end"]


def test_a_relay_beside_the_node_is_preferred(cluster: Cluster, raw: Raw, eventually: Eventually) -> None:
    origin = RawPublisher(raw, cluster)
    collector = cluster.subscriber(cluster.node(), "P")
    origin.wait_for_subscriber()
    relay = RawPublisher(raw, cluster, is_relay=True, ip_address="127.0.0.1")
    relay.wait_for_subscriber()
    eventually(lambda: origin.socket.poll(0) and origin.socket.recv() == b"\x00")
    relay.send("relayed", is_relayed_dataproduct=True)
    eventually(lambda: collector.texts == ["relayed"])


def test_a_domain_of_its_own(cluster: Cluster, raw: Raw, eventually: Eventually) -> None:
    node = cluster.node()
    here, there = cluster.subscriber(node, "P"), type(cluster.subscriber(node, "Q"))()
    assert node.subscribe("P", there, "", "far") == gravity.SUCCESS
    far = RawPublisher(raw, cluster, domain="far")
    far.wait_for_subscriber()
    far.send("far")
    eventually(lambda: there.texts == ["far"])
    near = RawPublisher(raw, cluster)
    near.wait_for_subscriber()
    near.send("near")
    eventually(lambda: here.texts == ["near"])
    assert there.texts == ["far"]


@pytest.mark.parametrize("frames", [[b"P", b"\xff"], [b"P"], [b"P", b""]])
def test_garbage_instead_of_a_list_of_publishers(
    cluster: Cluster, product: Product, eventually: Eventually, frames: list[bytes]
) -> None:
    collector = cluster.subscriber(cluster.node(), "P")
    updates = cluster.directory._publisher_role._open[REGISTERED_PUBLISHERS].sender
    eventually(lambda: updates.has_subscribers)
    with updates.lock:
        updates._socket.send_multipart(frames)
    cluster.publisher("P").publish(product("P", "x"))
    eventually(lambda: collector.texts == ["x"])


def test_a_raw_subscriber_hears_our_publisher(cluster: Cluster, product: Product, raw: Raw) -> None:
    node = cluster.publisher("P", "Ours")
    node.publish(product("P", "early"), "filter")
    requester, subscriber = raw(zmq.REQ), raw(zmq.SUB)
    requester.connect(cluster.url)
    requester.send(encode_request(Lookup("P", Kind.DATA, "")))
    [found] = decode_publishers_reply(requester.recv())
    assert found == Publisher(found.url, "Ours", found.registration_time)
    subscriber.subscribe(b"")
    subscriber.connect(found.url)

    assert subscriber.poll(10_000)
    topic, frame = subscriber.recv_multipart()
    cached = GravityDataProductPB.FromString(frame)
    assert (topic, cached.data, cached.is_cached_dataproduct) == (b"filter", b"early", True)
    node.publish(product("P", "late"), "", 5)
    assert subscriber.poll(10_000)
    assert subscriber.recv_multipart() == [
        b"",
        GravityDataProductPB(
            timestamp=5,
            dataProductID="P",
            data=b"late",
            componentID="Ours",
            domain="",
            registration_time=found.registration_time,
        ).SerializeToString(),
    ]


def test_an_address_that_is_none_costs_only_its_publisher(
    cluster: Cluster, raw: Raw, product: Product, eventually: Eventually, library_lines: list[str]
) -> None:
    requester = raw(zmq.REQ)
    requester.connect(cluster.url)
    requester.send(encode_request(Registration("P", "nonsense", Kind.DATA, "Raw", now_us())))
    assert decode_code_reply(requester.recv()) is DirectoryCode.SUCCESS
    publisher = cluster.publisher("P")
    collector = cluster.subscriber(cluster.node(), "P")
    publisher.publish(product("P", "x"))
    eventually(lambda: collector.texts == ["x"])
    assert library_lines == [
        "P is published at no valid address: cannot connect to 'nonsense': Invalid argument (addr='nonsense')"
    ]
