"""Nodes publish and subscribe over real sockets: filters, latecomers, restarts, callbacks and floods."""

from __future__ import annotations

import functools
import gc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from gravity import GravityDataProduct, GravityNode, GravitySubscriber, gravity
from gravity.io import now_us

if TYPE_CHECKING:
    from .conftest import Cluster, Eventually

Product = Callable[[str, str], GravityDataProduct]


class Calling(GravitySubscriber):
    """Calls a function with each list of texts."""

    def __init__(self, function: Callable[[list[str]], object]) -> None:
        super().__init__()
        self.function = function

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        self.function([p.data.decode() for p in dataProducts])


def wait_for_subscribers(node: GravityNode, id: str, eventually: Eventually) -> None:
    eventually(lambda: node.subscribersExist(id) == [gravity.SUCCESS, True])


# ---- delivery ------------------------------------------------------------------------------------------------


def test_a_node_hears_itself(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    node = cluster.publisher("P")
    collector = cluster.subscriber(node, "P")
    node.publish(product("P", "x"))
    eventually(lambda: collector.texts == ["x"])


def test_what_a_subscriber_sees(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    publisher = cluster.publisher("P", "Sender")
    collector = cluster.subscriber(cluster.node("Receiver"), "P")
    wait_for_subscribers(publisher, "P", eventually)
    before = now_us()
    mine = product("P", "x")
    mine.softwareVersion = "1.2"
    publisher.publish(mine)
    eventually(lambda: collector.products)
    [seen] = collector.products
    assert (seen.dataProductID, seen.data, seen.softwareVersion) == ("P", b"x", "1.2")
    assert (seen.componentID, seen.domain, seen.isCachedDataproduct) == ("Sender", "", False)
    assert before <= seen.timestamp <= seen.receivedTimestamp <= now_us()


def test_order_is_kept(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    publisher = cluster.publisher("P")
    collector = cluster.subscriber(cluster.node(), "P")
    for n in range(1000):
        publisher.publish(product("P", str(n)))
    eventually(lambda: len(collector.texts) >= 1000 - int(collector.texts[0]) if collector.texts else False)
    first = int(collector.texts[0])
    assert collector.texts == [str(n) for n in range(first, 1000)]


def test_filters(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    publisher, node = cluster.publisher("P", cache=False), cluster.node()
    collectors = {f: cluster.subscriber(node, "P", f) for f in ("", "F", "FILT", "FILTER", "FILTERS", "x")}

    def all_are_connected() -> bool:
        for filter_text in collectors:
            publisher.publish(product("P", "probe"), filter_text)
        return all(c.products for c in collectors.values())

    eventually(all_are_connected)
    for text in ("", "FIL", "FILT", "FILTER", "filter"):
        publisher.publish(product("P", text), text)
    for filter_text in collectors:
        publisher.publish(product("P", "end"), filter_text)
    eventually(lambda: all("end" in c.texts for c in collectors.values()))
    seen = {f: [t for t in c.texts if t not in ("probe", "end")] for f, c in collectors.items()}
    assert seen == {
        "": ["", "FIL", "FILT", "FILTER", "filter"],
        "F": ["FIL", "FILT", "FILTER"],
        "FILT": ["FILT", "FILTER"],
        "FILTER": ["FILTER"],
        "FILTERS": [],
        "x": [],
    }


def test_several_subscribers_and_several_publishers(
    cluster: Cluster, product: Product, eventually: Eventually
) -> None:
    publishers = [cluster.publisher("P", f"Publisher{n}") for n in range(3)]
    collectors = [cluster.subscriber(cluster.node(), "P") for _ in range(3)]
    for n, publisher in enumerate(publishers):
        publisher.publish(product("P", str(n)))
    eventually(lambda: all(sorted(c.texts) == ["0", "1", "2"] for c in collectors))
    assert {p.componentID for p in collectors[0].products} == {"Publisher0", "Publisher1", "Publisher2"}


def test_subscribers_of_one_node_do_not_share_what_they_change(
    cluster: Cluster, product: Product, eventually: Eventually
) -> None:
    class Changing(GravitySubscriber):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[bytes] = []

        def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
            for p in dataProducts:
                self.seen.append(p.data)
                p.data = b"changed"

    publisher, node = cluster.publisher("P"), cluster.node()
    subscribers = [Changing(), Changing(), Changing()]
    for subscriber in subscribers:
        node.subscribe("P", subscriber)
    for text in (b"x", b"y"):
        publisher.publish(product("P", text.decode()))
        eventually(lambda text=text: all(text in s.seen for s in subscribers))
    assert [s.seen for s in subscribers] == [[b"x", b"y"]] * 3


def test_subscribers_that_are_equal_are_still_two(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    @dataclass
    class Equal(GravitySubscriber):
        texts: list[bytes] = field(default_factory=list, compare=False)

        def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
            self.texts += [p.data for p in dataProducts]

    one, two = Equal(), Equal()
    assert one == two
    publisher, node = cluster.publisher("P"), cluster.node()
    for subscriber in (one, two):
        node.subscribe("P", subscriber)
    publisher.publish(product("P", "x"))
    eventually(lambda: one.texts == two.texts == [b"x"])
    node.unsubscribe("P", one)
    later = cluster.subscriber(node, "P")  # in the same thread and in this order: once it has heard, `one` is out
    eventually(lambda: later.texts == ["x"])
    publisher.publish(product("P", "y"))
    eventually(lambda: two.texts == [b"x", b"y"])
    assert one.texts == [b"x"]


def test_subscribing_twice_delivers_once(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    publisher, node = cluster.publisher("P"), cluster.node()
    collector = cluster.subscriber(node, "P")
    node.subscribe("P", collector)
    for text in ("x", "end"):
        publisher.publish(product("P", text))
    eventually(lambda: "end" in collector.texts)
    assert collector.texts in (["x", "end"], ["end"])


def test_explicit_timestamps(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    """As recorded: what is a little older than the message before does not arrive."""
    publisher = cluster.publisher("P")
    publisher.publish(product("P", "first"))
    collector = cluster.subscriber(cluster.node(), "P")
    eventually(lambda: collector.texts == ["first"])
    publisher.publish(product("P", "old"), "", now_us() - 5_000_000)
    publisher.publish(product("P", "new"))
    eventually(lambda: collector.texts == ["first", "new"])


# ---- unsubscribing ---------------------------------------------------------------------------------------------


def test_unsubscribe(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    publisher, node = cluster.publisher("P"), cluster.node()
    leaving, staying = cluster.subscriber(node, "P"), cluster.subscriber(node, "P")
    publisher.publish(product("P", "x"))
    eventually(lambda: leaving.texts == staying.texts == ["x"])
    assert node.unsubscribe("P", leaving, "other filter") == gravity.SUCCESS
    publisher.publish(product("P", "y"))
    eventually(lambda: leaving.texts == staying.texts == ["x", "y"])
    assert node.unsubscribe("P", leaving) == gravity.SUCCESS
    assert node.unsubscribe("P", leaving) == gravity.SUCCESS
    later = cluster.subscriber(node, "P")  # in the same thread and in this order: once it has heard, `leaving` is out
    eventually(lambda: later.texts == ["y"])
    node.unsubscribe("P", later)
    publisher.publish(product("P", "z"))
    eventually(lambda: staying.texts == ["x", "y", "z"])
    assert leaving.texts == ["x", "y"]
    node.unsubscribe("P", staying)
    eventually(lambda: publisher.subscribersExist("P") == [gravity.SUCCESS, False])


def test_subscribe_again(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    publisher, node = cluster.publisher("P"), cluster.node()
    collector = cluster.subscriber(node, "P")
    publisher.publish(product("P", "x"))
    eventually(lambda: collector.texts == ["x"])
    node.unsubscribe("P", collector)
    node.subscribe("P", collector)
    eventually(lambda: collector.texts == ["x", "x"])
    assert collector.products[1].isCachedDataproduct
    node.unsubscribe("P", collector)
    eventually(lambda: publisher.subscribersExist("P") == [gravity.SUCCESS, False])
    node.subscribe("P", collector, "", "", False)
    wait_for_subscribers(publisher, "P", eventually)
    publisher.publish(product("P", "y"))
    eventually(lambda: collector.texts == ["x", "x", "y"])


# ---- latecomers ------------------------------------------------------------------------------------------------


def test_a_latecomer_gets_the_last_message_of_each_filter(
    cluster: Cluster, product: Product, eventually: Eventually
) -> None:
    publisher = cluster.publisher("P")
    for n, filter_text in enumerate(["a", "b", "a", "", "ab"]):
        publisher.publish(product("P", str(n)), filter_text)
    everything, only_a = (cluster.subscriber(cluster.node(), "P", f) for f in ("", "a"))
    eventually(lambda: everything.texts == ["1", "2", "3", "4"] and only_a.texts == ["2", "4"])
    assert all(p.isCachedDataproduct for p in everything.products)


def test_earlier_subscribers_do_not_notice_a_latecomer(
    cluster: Cluster, product: Product, eventually: Eventually
) -> None:
    publisher = cluster.publisher("P")
    early = cluster.subscriber(cluster.node(), "P")
    wait_for_subscribers(publisher, "P", eventually)
    publisher.publish(product("P", "x"))
    late = cluster.subscriber(cluster.node(), "P")
    eventually(lambda: early.texts == late.texts == ["x"])
    publisher.publish(product("P", "y"))
    eventually(lambda: late.texts == ["x", "y"] and early.texts == ["x", "y"])


def test_a_second_subscriber_of_a_node_starts_with_the_last_message(
    cluster: Cluster, product: Product, eventually: Eventually
) -> None:
    publisher, node = cluster.publisher("P", cache=False), cluster.node()
    first = cluster.subscriber(node, "P")
    wait_for_subscribers(publisher, "P", eventually)
    publisher.publish(product("P", "x"))
    eventually(lambda: first.texts == ["x"])
    not_wanting, wanting = cluster.subscriber(node, "P", cached=False), cluster.subscriber(node, "P")
    eventually(lambda: wanting.texts == ["x"])
    publisher.publish(product("P", "y"))
    eventually(lambda: first.texts == wanting.texts == ["x", "y"] and not_wanting.texts == ["y"])


@pytest.mark.parametrize(
    ("ini", "cache", "wanted"),
    [
        ("", False, None),
        ("", True, False),
        ("CacheLastSentDataproduct = false", None, None),
        ("ReceiveLastSentDataproduct = false", None, None),
    ],
)
def test_no_last_message(
    cluster: Cluster,
    product: Product,
    eventually: Eventually,
    ini: str,
    cache: bool | None,
    wanted: bool | None,
) -> None:
    cluster.configure(ini)
    publisher = cluster.node("Publisher")
    publisher.registerDataProduct("P", gravity.TCP, cache)
    publisher.publish(product("P", "early"))
    collector = cluster.subscriber(cluster.node(), "P", cached=wanted)
    wait_for_subscribers(publisher, "P", eventually)
    publisher.publish(product("P", "late"))
    eventually(lambda: "late" in collector.texts)
    assert collector.texts == ["late"]


def test_arguments_go_before_the_configuration(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    cluster.configure("CacheLastSentDataproduct = false\nReceiveLastSentDataproduct = false")
    publisher = cluster.publisher("P", cache=True)
    publisher.publish(product("P", "early"))
    collector = cluster.subscriber(cluster.node(), "P", cached=True)
    eventually(lambda: collector.texts == ["early"])


# ---- publishers come and go --------------------------------------------------------------------------------------


def test_the_publisher_may_come_later(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    collector = cluster.subscriber(cluster.node(), "P")
    publisher = cluster.publisher("P")
    publisher.publish(product("P", "x"))
    eventually(lambda: collector.texts == ["x"])


def test_products_with_the_same_beginning_are_apart(
    cluster: Cluster, product: Product, eventually: Eventually
) -> None:
    """The directory's updates are filtered by their beginning, too: P's subscriber also hears of Prod's."""
    node = cluster.node()
    short, long = cluster.subscriber(node, "P"), cluster.subscriber(node, "Prod")
    publisher = cluster.publisher("Prod")
    publisher.publish(product("Prod", "long"))
    eventually(lambda: long.texts == ["long"])
    publisher.registerDataProduct("P", gravity.TCP)
    publisher.publish(product("P", "short"))
    eventually(lambda: short.texts == ["short"])
    assert long.texts == ["long"]


def test_a_publisher_withdraws_and_offers_again(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    publisher, node = cluster.publisher("P"), cluster.node()
    collector = cluster.subscriber(node, "P")
    for text in ("one", "two", "three"):
        publisher.publish(product("P", text))
        eventually(lambda text=text: text in collector.texts)
        publisher.unregisterDataProduct("P")
        assert cluster.publishers("P") == []
        publisher.registerDataProduct("P", gravity.TCP)
    assert collector.texts == ["one", "two", "three"]


@pytest.mark.parametrize("seconds_later", [0, 5])
def test_a_publisher_dies_and_comes_back_on_the_same_port(
    cluster: Cluster,
    product: Product,
    eventually: Eventually,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    seconds_later: int,
) -> None:
    """It had no time to withdraw its registration: the new one says so, and subscribers follow."""
    node = cluster.node()
    collector = cluster.subscriber(node, "P")
    port = free_port()
    cluster.configure(f"MinPort = {port}\nMaxPort = {port}")
    dying = GravityNode("Publisher")
    assert dying.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS
    dying.publish(product("P", "before"))
    eventually(lambda: collector.texts == ["before"])
    del dying
    gc.collect()
    assert len(cluster.publishers("P")) == 1

    monkeypatch.setattr("gravity.roles.registrar.now_us", lambda: now_us() + seconds_later * 1_000_000)
    reborn = cluster.node("Publisher")
    eventually(lambda: reborn.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS)
    reborn.publish(product("P", "after"))
    eventually(lambda: collector.texts == ["before", "after"])
    assert cluster.publishers("P") == [f"tcp://127.0.0.1:{port}"]


def test_another_product_on_a_dead_publishers_port(
    cluster: Cluster,
    product: Product,
    eventually: Eventually,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collector = cluster.subscriber(cluster.node(), "P")
    port = free_port()
    cluster.configure(f"MinPort = {port}\nMaxPort = {port}")
    dying = GravityNode("Publisher")
    dying.registerDataProduct("P", gravity.TCP)
    dying.publish(product("P", "before"))
    eventually(lambda: collector.texts == ["before"])
    del dying
    gc.collect()

    monkeypatch.setattr("gravity.roles.registrar.now_us", lambda: now_us() + 5_000_000)
    other = cluster.node("Other")
    eventually(lambda: other.registerDataProduct("Q", gravity.TCP) == gravity.SUCCESS)
    assert cluster.publishers("P") == []
    listener = cluster.subscriber(cluster.node(), "Q")
    other.publish(product("Q", "other"))
    eventually(lambda: listener.texts == ["other"])
    assert collector.texts == ["before"]


def test_the_directory_is_gone_and_messages_still_flow(
    cluster: Cluster, product: Product, eventually: Eventually
) -> None:
    publisher = cluster.publisher("P")
    collector = cluster.subscriber(cluster.node(), "P")
    wait_for_subscribers(publisher, "P", eventually)
    cluster.directory.close()
    publisher.publish(product("P", "x"))
    eventually(lambda: collector.texts == ["x"])


# ---- callbacks -----------------------------------------------------------------------------------------------------


def test_an_error_in_a_callback_is_logged_and_the_node_goes_on(
    cluster: Cluster, product: Product, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    publisher, node = cluster.publisher("P"), cluster.node()
    calls: list[list[str]] = []

    def fail(texts: list[str]) -> None:
        calls.append(texts)
        raise RuntimeError("out of order")

    failing = Calling(fail)
    node.subscribe("P", failing)
    healthy = cluster.subscriber(node, "P")
    for text in ("one", "two"):
        publisher.publish(product("P", text))
        eventually(lambda text=text: text in healthy.texts)
    assert len(calls) == 2
    assert [r.getMessage() for r in caplog.records] == ["Exception caught calling client subscriptionFilled"] * 2
    assert "RuntimeError: out of order" in caplog.text


def test_a_callback_may_call_its_node(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    """Each step is taken in the callback of the step before."""
    publisher, node = cluster.publisher("P"), cluster.node()
    steps: list[str] = []
    last = cluster.subscriber(cluster.node("Last"), "Answer")

    def next_step(texts: list[str]) -> None:
        steps.extend(texts)
        assert node.subscribe("Q", second) == gravity.SUCCESS
        assert node.registerDataProduct("Q", gravity.TCP) == gravity.SUCCESS
        assert node.publish(product("Q", "from the callback")) == gravity.SUCCESS
        assert node.init("Node") == gravity.SUCCESS
        assert node.unsubscribe("P", first) == gravity.SUCCESS

    def last_step(texts: list[str]) -> None:
        steps.extend(texts)
        assert node.unsubscribe("Q", second) == gravity.SUCCESS
        assert node.unregisterDataProduct("Q") == gravity.SUCCESS
        assert node.registerDataProduct("Answer", gravity.TCP) == gravity.SUCCESS
        assert node.publish(product("Answer", "done")) == gravity.SUCCESS

    first, second = Calling(next_step), Calling(last_step)
    node.subscribe("P", first)
    publisher.publish(product("P", "go"))
    eventually(lambda: last.texts == ["done"])
    assert steps == ["go", "from the callback"]
    eventually(lambda: publisher.subscribersExist("P") == [gravity.SUCCESS, False])
    assert cluster.publishers("Q") == []


def test_a_callback_may_close_its_node(
    cluster: Cluster,
    product: Product,
    eventually: Eventually,
    threads: Callable[[], int],
    library_lines: list[str],
) -> None:
    publisher = cluster.publisher("P")
    publisher.publish(product("P", "x"))
    before = threads()
    node = GravityNode("Short")
    closed: list[list[str]] = []

    def close(texts: list[str]) -> None:
        node.close()
        closed.append(texts)

    node.subscribe("P", Calling(close))
    eventually(lambda: closed == [["x"]])
    eventually(lambda: threads() <= before)
    assert library_lines == []


def test_publishing_does_not_wait_for_a_callback(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    publisher, go_on = cluster.publisher("P"), threading.Event()
    seen: list[str] = []

    def wait(texts: list[str]) -> None:
        assert go_on.wait(20)
        seen.extend(texts)

    subscriber = Calling(wait)
    cluster.node().subscribe("P", subscriber)
    wait_for_subscribers(publisher, "P", eventually)
    begin = time.monotonic()
    for n in range(500):
        publisher.publish(product("P", str(n)))
    assert time.monotonic() - begin < 5
    assert seen == []
    go_on.set()
    eventually(lambda: len(seen) == 500)


# ---- floods --------------------------------------------------------------------------------------------------------


def test_twenty_thousand_messages_in_a_tight_loop(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    publisher = cluster.publisher("P")
    collector = cluster.subscriber(cluster.node(), "P")
    wait_for_subscribers(publisher, "P", eventually)
    mine = product("P", "")
    for n in range(20_000):
        mine.data = n.to_bytes(4, "big")
        publisher.publish(mine)
    eventually(lambda: len(collector.products) == 20_000, 30)
    assert [int.from_bytes(p.data, "big") for p in collector.products] == list(range(20_000))
    assert max(collector.calls) <= 1000


def test_several_threads_publish(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    publisher = cluster.publisher("P")
    collector = cluster.subscriber(cluster.node(), "P")
    wait_for_subscribers(publisher, "P", eventually)

    def publish(name: str) -> None:
        for n in range(500):
            publisher.publish(product("P", f"{name} {n}"))

    threads = [threading.Thread(target=functools.partial(publish, name)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(collector.products) == 2000)
    for name in "abcd":
        assert [t for t in collector.texts if t[0] == name] == [f"{name} {n}" for n in range(500)]
    stamps = [p.timestamp for p in collector.products]
    assert stamps == sorted(set(stamps))


def test_nodes_come_and_go_while_others_talk(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    publisher, stop = cluster.publisher("P"), threading.Event()
    collector = cluster.subscriber(cluster.node(), "P")
    wait_for_subscribers(publisher, "P", eventually)
    published = 0

    def talk() -> None:
        nonlocal published
        while not stop.is_set():
            publisher.publish(product("P", str(published)))
            published += 1
            time.sleep(0.001)

    talking = threading.Thread(target=talk)
    talking.start()
    for n in range(20):
        with GravityNode(f"Guest{n}") as guest:
            texts: list[str] = []
            subscriber = Calling(texts.extend)
            guest.subscribe("P", subscriber)
            guest.registerDataProduct("P", gravity.TCP)
            eventually(lambda texts=texts: len(texts) > 2)
    stop.set()
    talking.join()
    eventually(lambda: len(collector.texts) == published)
    assert collector.texts == [str(n) for n in range(published)]
