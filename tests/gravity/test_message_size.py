"""MaxMessageSize: what is larger is refused by its sender, and costs a sender that does not care its connection."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import zmq

from .test_raw_peers import RawPublisher
from gravity import GravityDataProduct, GravityNode, GravityRequestor, GravityServiceProvider, gravity
from gravity.io import Options, loop
from gravity.protocol.config import Parameters
from gravity.protocol.directory_messages import Kind, Registration, encode_request

if TYPE_CHECKING:
    from .conftest import Cluster, Eventually

Product = Callable[[str, str], GravityDataProduct]
Raw = Callable[[int], zmq.Socket[bytes]]

LIMIT = 1 << 16
LARGE = "x" * LIMIT


@pytest.fixture(autouse=True)
def limited(cluster: Cluster) -> None:
    cluster.configure(f"MaxMessageSize = {LIMIT}")


class Requestor(GravityRequestor):
    pass


class Echo(GravityServiceProvider):
    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        response = GravityDataProduct("Response")
        response.data = dataProduct.data * 2
        return response


def test_a_large_message_is_not_sent(
    cluster: Cluster, product: Product, eventually: Eventually, library_lines: list[str]
) -> None:
    publisher = cluster.publisher("P")
    received = cluster.subscriber(cluster.node(), "P")
    assert publisher.publish(product("P", LARGE)) == gravity.INVALID_PARAMETER
    assert publisher.publish(product("P", "small")) == gravity.SUCCESS
    eventually(lambda: received.texts == ["small"])
    assert cluster.subscriber(cluster.node(), "P") is not None
    [line] = library_lines
    assert line.startswith("dropped a message of P: 655") and line.endswith("MaxMessageSize = 65536")


def test_large_requests_and_responses(cluster: Cluster, product: Product, library_lines: list[str]) -> None:
    provider = Echo()
    assert cluster.node("Provider").registerService("S", gravity.TCP, provider) == gravity.SUCCESS
    client = cluster.node("Client")
    assert client.request("S", product("Q", LARGE), 5000) is None
    assert client.request("S", product("Q", LARGE), Requestor(), "", 5000) == gravity.INVALID_PARAMETER  # type: ignore[call-overload]
    answer = client.request("S", product("Q", "x" * (LIMIT // 2)), 5000)
    assert answer is not None and answer.data == b""
    assert client.request("S", product("Q", "ab"), 5000).data == b"abab"  # type: ignore[union-attr]
    starts = ["no response from tcp://", "dropped a request to S: ", "dropped a response of S: "]
    assert all(line.startswith(start) for line, start in zip(library_lines, starts, strict=True))


def test_a_publisher_that_sends_too_much_is_connected_again(
    cluster: Cluster, raw: Raw, eventually: Eventually, library_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZeroMQ drops the connection, and makes no other."""
    monkeypatch.setattr(loop, "_RESTORE_PERIOD", 0.1)
    publisher = RawPublisher(raw, cluster)
    received = cluster.subscriber(cluster.node(), "P")
    publisher.wait_for_subscriber()
    publisher.send("one")
    publisher.send(LARGE)
    eventually(lambda: publisher.socket.poll(0))
    assert [publisher.socket.recv(), publisher.socket.recv()] == [b"\x00", b"\x01"]  # it has left, and returned
    publisher.send("two")
    eventually(lambda: received.texts == ["one", "two"])
    [line] = library_lines
    assert line == (
        f"lost the connection to {publisher.url}: its process has ended, "
        "or it sends more than MaxMessageSize = 65536 bytes"
    )


def test_a_publisher_that_restarts_is_not_lost(
    cluster: Cluster, raw: Raw, eventually: Eventually, library_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZeroMQ itself connects again."""
    monkeypatch.setattr(loop, "_RESTORE_PERIOD", 2)
    publisher = RawPublisher(raw, cluster)
    received = cluster.subscriber(cluster.node(), "P")
    publisher.wait_for_subscriber()
    publisher.socket.close()
    publisher.socket = raw(zmq.XPUB)

    def is_bound() -> bool:
        with contextlib.suppress(zmq.ZMQError):
            publisher.socket.bind(publisher.url)
            return True
        return False

    eventually(is_bound)
    publisher.wait_for_subscriber()
    publisher.send("back")
    eventually(lambda: received.texts == ["back"])
    assert library_lines == []


def test_the_directory_takes_no_large_requests(cluster: Cluster, raw: Raw) -> None:
    requester = raw(zmq.REQ)
    requester.connect(cluster.url)
    requester.send(encode_request(Registration("P", "x" * LIMIT, Kind.DATA, "Raw", 1)))
    assert not requester.poll(300)
    assert cluster.publishers("P") == []


def test_a_component_may_have_a_limit_of_its_own(cluster: Cluster, product: Product) -> None:
    cluster.configure(f"MaxMessageSize = {LIMIT}\n[Big]\nMaxMessageSize = 1024 * 1024")
    assert cluster.publisher("P", "Small").publish(product("P", LARGE)) == gravity.INVALID_PARAMETER
    assert cluster.publisher("Q", "Big").publish(product("Q", LARGE)) == gravity.SUCCESS


@pytest.mark.parametrize("value", ["0", "-1", "65535", "2147483648", "65536.5", "64MB", '""', "1e400"])
def test_a_limit_out_of_range(cluster: Cluster, value: str, capfd: pytest.CaptureFixture[str]) -> None:
    cluster.configure(f"MaxMessageSize = {value}")
    assert GravityNode().init("Comp") == gravity.INVALID_PARAMETER
    [line] = capfd.readouterr().err.splitlines()
    shown = value.strip('"')
    assert line == (f"Gravity: MaxMessageSize is {shown!r}; write a whole number of bytes, from 65536 to 2147483647")


def test_the_default() -> None:
    assert Options.from_parameters(Parameters()).max_message_size == 64 * 1024 * 1024
