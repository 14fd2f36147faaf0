"""The Service Directory dies and returns, perhaps beside another cluster's: nodes register and subscribe again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import zmq

from gravity import GravityDataProduct, GravityServiceProvider, gravity
from gravity.directory.server import ServiceDirectory
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.io import Options, now_us
from gravity.log import spdlog
from gravity.protocol.directory_messages import Publisher, publishers_pb
from gravity.protocol.envelope import encode, fill
from gravity.protocol.names import REGISTERED_PUBLISHERS
from gravity.roles import directory_watch

if TYPE_CHECKING:
    from .conftest import Cluster, Eventually

Product = Callable[[str, str], GravityDataProduct]


class Echo(GravityServiceProvider):
    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        return dataProduct


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes notice a restart at once."""
    monkeypatch.setattr(directory_watch, "PERIOD", 0.05)
    monkeypatch.setattr(directory_watch, "TIMEOUT", 0.2)


def updates(cluster: Cluster) -> Publisher:
    """Where the directory publishes its lists of publishers."""
    sender = cluster.directory._publisher_role._open[REGISTERED_PUBLISHERS].sender
    [publisher] = cluster.directory._registry.publishers(REGISTERED_PUBLISHERS, "")
    assert sender.url == publisher.url
    return publisher


def stop(cluster: Cluster) -> None:
    cluster.directory.close()


def start(cluster: Cluster, domain: str = "", **options: int) -> None:
    cluster.directory = ServiceDirectory(cluster.url, domain, Options(**options))


def test_what_was_registered_is_registered_again_within_five_seconds(
    cluster: Cluster, product: Product, eventually: Eventually
) -> None:
    publisher = cluster.publisher("P")
    publisher.registerService("S", gravity.TCP, Echo())
    listed = cluster.publishers("P")
    stop(cluster)
    start(cluster)
    eventually(lambda: cluster.publishers("P") == listed, 5)
    late = cluster.node("Late")
    collector = cluster.subscriber(late, "P")
    publisher.publish(product("P", "x"))
    eventually(lambda: collector.texts == ["x"])
    answer = late.request("S", product("Q", "y"), 3000)
    assert answer is not None and answer.data == b"y"


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("moved", [False, True])
def test_a_subscriber_follows_the_new_directory(
    cluster: Cluster, product: Product, free_port: Callable[[], int], eventually: Eventually, moved: bool
) -> None:
    """It hears of publishers that come later, of what it subscribes to before, during and after the restart."""
    node = cluster.node()
    before = cluster.subscriber(node, "Before")
    first = updates(cluster).url
    stop(cluster)
    assert node.subscribe("During", before) == gravity.NO_SERVICE_DIRECTORY
    start(cluster, **({"min_port": free_port(), "max_port": 65535} if moved else {}))
    assert (updates(cluster).url != first) == moved
    after = cluster.subscriber(node, "After")
    publisher = cluster.publisher("Before")
    publisher.registerDataProduct("After", gravity.TCP, True)
    publisher.publish(product("Before", "b"))
    publisher.publish(product("After", "a"))
    eventually(lambda: (before.texts, after.texts) == (["b"], ["a"]))


@pytest.mark.usefixtures("soon")
def test_messages_flow_without_interruption(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    """A directory that does not know the publisher yet does not end the subscription."""
    publisher = cluster.publisher("P", cache=False)
    collector = cluster.subscriber(cluster.node(), "P")
    sent: list[str] = []

    def publish() -> bool:
        publisher.publish(product("P", str(len(sent))))
        sent.append(str(len(sent)))
        return collector.texts != []

    eventually(publish)
    first = int(collector.texts[0])
    for _ in range(3):
        stop(cluster)
        publish()
        start(cluster)
        eventually(lambda: publish() and cluster.publishers("P") != [])
    eventually(lambda: collector.texts == sent[first:])


@pytest.mark.usefixtures("soon")
def test_lists_of_another_directory_at_the_same_port_are_not_believed(
    cluster: Cluster, raw: Callable[[int], zmq.Socket[bytes]], product: Product, eventually: Eventually,
    library_lines: list[str],
) -> None:  # fmt: skip
    """Another cluster's directory takes the port; the node's own comes back at another one."""
    collector = cluster.subscriber(cluster.node(), "P")
    ours = updates(cluster)
    stop(cluster)
    theirs = raw(zmq.XPUB)
    theirs.bind(ours.url)
    assert theirs.poll(10_000) and theirs.recv() == b"\x01P"  # the node is connected to it

    def tell(**fields: object) -> None:
        where = [Publisher("tcp://127.0.0.1:1", "Stranger", 1)]
        values: dict[str, object] = {"dataProductID": REGISTERED_PUBLISHERS, "componentID": "ServiceDirectory"}
        values |= {"timestamp": now_us(), "registration_time": ours.registration_time}
        update = GravityDataProductPB(**(values | fields))  # type: ignore[arg-type]
        fill(update, publishers_pb("P", "", where))
        theirs.send_multipart([b"P", encode(update)])

    dropped = f"dropped an update of P from another directory at {ours.url}"
    for fields in ({"registration_time": ours.registration_time + 1}, {"domain": "mainland"}):
        tell(**fields)
        eventually(lambda: dropped in library_lines)
        library_lines.clear()
        spdlog.notices._kinds.clear()
    start(cluster)
    assert updates(cluster).url != ours.url
    publisher = cluster.publisher("P")
    publisher.publish(product("P", "x"))
    eventually(lambda: collector.texts == ["x"])


@pytest.mark.usefixtures("soon")
def test_another_domains_directory_at_the_same_address_is_not_told_anything(
    isle: Cluster, library_lines: list[str], eventually: Eventually
) -> None:
    isle.publisher("P")
    stop(isle)
    start(isle, "mainland")
    eventually(lambda: library_lines != [])
    assert isle.publishers("P") == []
    stop(isle)
    start(isle, "isle")
    eventually(lambda: isle.publishers("P") != [])


@pytest.mark.usefixtures("soon")
def test_a_node_closes_at_once_while_there_is_no_directory(cluster: Cluster, threads: Callable[[], int]) -> None:
    before = threads()
    with cluster.node():
        stop(cluster)
    assert threads() <= before


@pytest.mark.usefixtures("soon")
def test_nothing_comes_twice_or_not_at_all_if_one_publisher_registers_again_before_another(
    cluster: Cluster, product: Product, free_port: Callable[[], int], eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    prompt, late = cluster.publisher("P", "Prompt"), cluster.publisher("P", "Late")
    collector = cluster.subscriber(cluster.node(), "P")
    prompt.publish(product("P", "prompt"))
    late.publish(product("P", "late"))
    eventually(lambda: sorted(collector.texts) == ["late", "prompt"])
    assert late._running and late._running._watch
    hold = threading.Event()
    renew = late._running._watch._renew
    monkeypatch.setattr(late._running._watch, "_renew", lambda updates: hold.wait(10) and renew(updates))
    stop(cluster)
    start(cluster, min_port=free_port(), max_port=65535)
    eventually(lambda: len(cluster.publishers("P")) == 1)
    for number in range(20):  # while the new directory knows only one of them
        late.publish(product("P", f"late {number}"))
        prompt.publish(product("P", f"prompt {number}"))
        time.sleep(0.02)
    hold.set()
    eventually(lambda: len(cluster.publishers("P")) == 2)
    late.publish(product("P", "end"))
    eventually(lambda: "end" in collector.texts)
    expected = ["late", "prompt", "end", *(f"{who} {n}" for who in ("late", "prompt") for n in range(20))]
    assert sorted(collector.texts) == sorted(expected)


@pytest.mark.usefixtures("soon")
def test_a_publisher_that_does_not_return_is_left(
    cluster: Cluster, raw: Callable[[int], zmq.Socket[bytes]], free_port: Callable[[], int], eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Whoever takes its port later hears nothing from its subscribers."""
    monkeypatch.setattr("gravity.roles.subscriber._SETTLING_TIME", 1.0)
    cluster.publisher("P", "Faithful")
    gone = cluster.publisher("P", "Gone")
    assert gone._running
    [url] = [publication.url for publication in gone._running.publisher_role.publications()]
    cluster.subscriber(cluster.node(), "P")
    stop(cluster)
    gone.close()
    taken = raw(zmq.XPUB)
    eventually(lambda: bound(taken, url))
    assert taken.poll(10_000) and taken.recv() == b"\x01", "connected while nobody knows whether it returns"
    start(cluster, min_port=free_port(), max_port=65535)
    assert taken.poll(10_000) and taken.recv() == b"\x00"


def bound(socket: zmq.Socket[bytes], url: str) -> bool:
    try:
        socket.bind(url)
    except zmq.ZMQError:
        return False
    return True
