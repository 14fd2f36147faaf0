"""Relays: whom the directory lists, and from whom subscribers then get a data product."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gravity import GravityDataProduct, GravityNode, GravitySubscriber, gravity
from gravity.directory.server import ServiceDirectory
from gravity.io import Options
from gravity.protocol.directory_messages import Publisher
from gravity.roles import directory_watch

if TYPE_CHECKING:
    from tests.gravity.conftest import Cluster, Eventually

Product = Callable[[str, str], GravityDataProduct]


class Relay(GravitySubscriber):
    """As the program's, but the payload says that it went this way."""

    def __init__(self, node: GravityNode) -> None:
        self.node = node

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        for product in dataProducts:
            product.isRelayedDataproduct = True
            product.data += b" relayed"
            self.node.publish(product)


def listed(cluster: Cluster, id: str = "P") -> list[Publisher]:
    return cluster.directory._registry.publishers(id, "")


def test_a_relay_serves_its_host_with_messages_as_of_the_origin(
    cluster: Cluster, product: Product, eventually: Eventually
) -> None:
    origin, node = cluster.publisher("P", "Origin"), cluster.node("Relay")
    origin.publish(product("P", "before"))  # cached: the relay does not pass it on
    relay = Relay(node)
    assert node.registerRelay("P", relay, True, gravity.TCP) == gravity.SUCCESS
    [_, entry] = listed(cluster)
    assert (entry.is_relay, entry.ip_address, entry.component_id) == (True, node.getIP(), "Relay")
    collector = cluster.subscriber(cluster.node("Listener"), "P")
    eventually(lambda: origin.subscribersExist("P")[1] and node.subscribersExist("P")[1])
    now = time.time_ns() // 1000
    origin.publish(product("P", "x"), "", now)
    eventually(lambda: collector.products)
    assert collector.texts == ["x relayed"]
    [got] = collector.products
    assert (got.timestamp, got.componentID, got.isRelayedDataproduct) == (now, "Origin", True)

    assert node.unregisterRelay("P", relay) == gravity.SUCCESS
    assert [p.is_relay for p in listed(cluster)] == [False]

    def comes_from_the_origin() -> bool:
        origin.publish(product("P", "y"))
        return collector.texts[-1] == "y"

    eventually(comes_from_the_origin)


def test_a_relay_for_all_hosts(cluster: Cluster) -> None:
    node = cluster.node("Relay")
    assert node.registerRelay("P", Relay(node), False, gravity.TCP) == gravity.SUCCESS
    assert [(p.is_relay, p.ip_address) for p in listed(cluster)] == [(True, "")]


def test_a_restarted_directory_lists_it_as_a_relay(
    cluster: Cluster, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_watch, "PERIOD", 0.05)
    monkeypatch.setattr(directory_watch, "TIMEOUT", 0.2)
    node = cluster.node("Relay")
    assert node.registerRelay("P", Relay(node), True, gravity.TCP) == gravity.SUCCESS
    before = listed(cluster)
    cluster.directory.close()
    cluster.directory = ServiceDirectory(cluster.url, "", Options())
    eventually(lambda: listed(cluster) == before)


def test_refused(cluster: Cluster) -> None:
    relay = Relay(GravityNode())
    assert relay.node.registerRelay("P", relay, True, gravity.TCP) == gravity.NOT_INITIALIZED
    assert relay.node.unregisterRelay("P", relay) == gravity.NOT_INITIALIZED
    node = cluster.node("Relay")
    assert node.registerRelay("GRAVITY_LOGGER", relay, True, gravity.TCP) == gravity.RESERVED_DATA_PRODUCT_ID
    assert node.registerRelay("Relay_GravityHeartbeat", relay, True, gravity.TCP) == gravity.RESERVED_DATA_PRODUCT_ID
    assert node.registerRelay("P", relay, True, 9) == gravity.INVALID_PARAMETER
    assert node.unregisterRelay("P", relay) == gravity.REGISTRATION_CONFLICT
