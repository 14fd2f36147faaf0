"""IPC reaches every node of a host, INPROC only the node itself, and the others nobody; TCP is tested everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gravity import GravityDataProduct, GravityNode, GravityRequestor, GravityServiceProvider, gravity

if TYPE_CHECKING:
    from .conftest import Cluster, Eventually

Product = Callable[[str, str], GravityDataProduct]

LOCAL = pytest.mark.parametrize(
    ("transport", "scheme"), [(gravity.IPC, "ipc:///tmp/"), (gravity.INPROC, "inproc://")]
)


class Echo(GravityServiceProvider):
    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        response = GravityDataProduct("Answer")
        response.data = b"echo " + dataProduct.data
        return response


class Answers(GravityRequestor):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[bytes] = []

    def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
        self.texts.append(response.data)


@LOCAL
def test_a_data_product_within_a_node(
    cluster: Cluster, product: Product, eventually: Eventually, unique_id: str, transport: int, scheme: str
) -> None:
    """For early and late subscribers, by filter; and again after it was withdrawn."""
    node = cluster.node()
    early = cluster.subscriber(node, unique_id)

    def offer_and_withdraw(text: str) -> None:
        assert node.registerDataProduct(unique_id, transport) == gravity.SUCCESS
        assert cluster.publishers(unique_id) == [scheme + unique_id]
        eventually(lambda: node.subscribersExist(unique_id) == [gravity.SUCCESS, True])
        node.publish(product(unique_id, f"{text} a"), "a")
        node.publish(product(unique_id, f"{text} b"), "b")
        late = cluster.subscriber(node, unique_id, "a")
        eventually(lambda: late.texts == [f"{text} a"])
        assert node.unsubscribe(unique_id, late, "a") == gravity.SUCCESS
        assert node.unregisterDataProduct(unique_id) == gravity.SUCCESS

    offer_and_withdraw("first")
    offer_and_withdraw("second")
    eventually(lambda: early.texts == ["first a", "first b", "second a", "second b"])


@LOCAL
def test_a_service_within_a_node(
    cluster: Cluster, product: Product, eventually: Eventually, unique_id: str, transport: int, scheme: str
) -> None:
    node, answers = cluster.node(), Answers()
    for _ in range(2):
        assert node.registerService(unique_id, transport, Echo()) == gravity.SUCCESS
        answer = node.request(unique_id, product("Q", "x"), 10_000)
        assert answer is not None and answer.data == b"echo x"
        assert node.request(unique_id, product("Q", "y"), answers) == gravity.SUCCESS
        eventually(lambda: answers.texts == [b"echo y"])
        answers.texts.clear()
        assert node.unregisterService(unique_id) == gravity.SUCCESS
        assert node.request(unique_id, product("Q", "x"), 10_000) is None


@pytest.fixture
def others(cluster: Cluster) -> tuple[GravityNode, GravityNode]:
    return cluster.node("One"), cluster.node("Other")


def test_ipc_between_nodes(
    others: tuple[GravityNode, GravityNode],
    cluster: Cluster,
    product: Product,
    eventually: Eventually,
    unique_id: str,
) -> None:
    one, other = others
    assert one.registerDataProduct(unique_id, gravity.IPC) == gravity.SUCCESS
    one.publish(product(unique_id, "cached"))
    collector = cluster.subscriber(other, unique_id)
    eventually(lambda: collector.texts == ["cached"])
    one.publish(product(unique_id, "news"))
    eventually(lambda: collector.texts == ["cached", "news"])
    one.close()
    assert other.registerService(unique_id, gravity.IPC, Echo()) == gravity.SUCCESS
    answer = cluster.node("One").request(unique_id, product("Q", "x"), 10_000)
    assert answer is not None and answer.data == b"echo x"


def test_inproc_does_not_leave_its_node(
    others: tuple[GravityNode, GravityNode], cluster: Cluster, product: Product, eventually: Eventually
) -> None:
    """Other nodes' subscriptions and requests are taken, but nothing comes."""
    one, other = others
    assert one.registerDataProduct("P", gravity.INPROC) == gravity.SUCCESS
    assert one.registerService("S", gravity.INPROC, Echo()) == gravity.SUCCESS
    here, there = cluster.subscriber(one, "P"), cluster.subscriber(other, "P")
    eventually(lambda: one.subscribersExist("P") == [gravity.SUCCESS, True])
    one.publish(product("P", "x"))
    eventually(lambda: here.texts == ["x"])
    assert other.request("S", product("Q", "x"), 100) is None
    assert there.texts == []
    assert other.unsubscribe("P", there) == gravity.SUCCESS


def test_inproc_has_one_name_space_in_a_node(cluster: Cluster) -> None:
    node = cluster.node()
    assert node.registerDataProduct("X", gravity.INPROC) == gravity.SUCCESS
    assert node.registerService("X", gravity.INPROC, Echo()) == gravity.NO_PORTS_AVAILABLE


@pytest.mark.parametrize(
    ("transport", "code"),
    [
        (gravity.PGM, gravity.NO_PORTS_AVAILABLE),
        (gravity.EPGM, gravity.NO_PORTS_AVAILABLE),
        (5, gravity.INVALID_PARAMETER),
        (-1, gravity.INVALID_PARAMETER),
    ],
)
def test_transports_that_nobody_has(cluster: Cluster, transport: int, code: int) -> None:
    node = cluster.node()
    assert node.registerDataProduct("P", transport) == code
    assert node.registerService("S", transport, Echo()) == code
