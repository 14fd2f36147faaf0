"""What is published arrives: once, in order, filtered, and for latecomers the last of it."""

from __future__ import annotations

import time

from tests.interop.cluster import Cluster
from tests.support import eventually

from gravity import gravity
from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB


def now() -> int:
    return time.time_ns() // 1000


def test_what_a_subscriber_sees(cluster: Cluster):
    publisher, subscriber = cluster.publisher(), cluster.subscriber()
    publisher.offer("P")
    told = subscriber.subscribe("P")
    publisher.reach("P", told)
    begin = now()
    publisher.publish("P", "plain", version="1.2")
    publisher.publish("P", "", message="protobuf")
    publisher.publish("P", "", "".join(map(chr, range(256))), "end")
    eventually(lambda: "end" in told.texts)
    plain, message, empty, every_byte, _ = (p for p in told.products if p.data != "probe")

    assert (plain.id, plain.data, plain.version, plain.component) == ("P", "plain", "1.2", "Publisher")
    assert (plain.domain, plain.cached, plain.protocol, plain.type_name) == ("", False, "", "")
    assert begin <= plain.timestamp <= plain.received <= now()
    assert (message.protocol, message.type_name) == ("protobuf2", "gravity.GravityLogMessagePB")
    assert GravityLogMessagePB.FromString(message.data.encode("latin-1")).message == "protobuf"
    assert (empty.data, every_byte.data) == ("", "".join(map(chr, range(256))))


def test_order_and_size(cluster: Cluster):
    """Many messages, and large ones."""
    publisher, subscriber = cluster.publisher(), cluster.subscriber()
    publisher.offer("P")
    told = subscriber.subscribe("P")
    publisher.reach("P", told)
    texts = [*map(str, range(300)), "x" * 1_000_000, "end"]
    publisher.publish("P", *texts)
    eventually(lambda: told.texts == texts)


def test_filters(cluster: Cluster):
    """A filter is a prefix."""
    publisher, subscriber = cluster.publisher(), cluster.subscriber()
    publisher.offer("P", cache=False)
    told = {f: subscriber.subscribe("P", f) for f in ("", "F", "FILT", "FILTER", "ÄÖ", "x")}
    for filter, subscription in told.items():
        publisher.reach("P", subscription, filter=filter)
    for text in ("", "FIL", "FILT", "FILTER", "filter"):
        publisher.publish("P", text + ".", filter=text)
    publisher.publish("P", "umlauts", filter="ÄÖÜ")
    for filter in told:
        publisher.publish("P", "end", filter=filter)
    eventually(lambda: all("end" in t.texts for t in told.values()))
    assert {f: [text for text in t.texts if text != "end"] for f, t in told.items()} == {
        "": [".", "FIL.", "FILT.", "FILTER.", "filter.", "umlauts"],
        "F": ["FIL.", "FILT.", "FILTER."],
        "FILT": ["FILT.", "FILTER."],
        "FILTER": ["FILTER."],
        "ÄÖ": ["umlauts"],
        "x": [],
    }


def test_a_latecomer_gets_the_last_of_each_filter(cluster: Cluster):
    publisher = cluster.publisher()
    publisher.offer("P").offer("Fleeting", cache=False)
    publisher.publish("P", "a1", filter="a")
    publisher.publish("P", "b1", "b2", filter="b")
    publisher.publish("P", "a2", filter="a")
    publisher.publish("Fleeting", "gone")

    late = cluster.subscriber()
    everything, only_b, fleeting = late.subscribe("P"), late.subscribe("P", "b"), late.subscribe("Fleeting")
    uncached = cluster.subscriber("Unconcerned").subscribe("P", cached=False)
    eventually(lambda: everything.texts and only_b.texts)
    publisher.reach("P", everything, uncached, filter="z")
    publisher.reach("Fleeting", fleeting)
    publisher.publish("P", "live", filter="b")
    eventually(lambda: all("live" in told.texts for told in (everything, only_b, uncached)))
    assert everything.texts == ["b2", "a2", "live"]
    assert [p.cached for p in everything.products if p.data in ("b2", "a2", "live")] == [True, True, False]
    assert only_b.texts == ["b2", "live"]
    assert uncached.texts == ["live"] and fleeting.texts == []


def test_a_subscriber_may_come_first(cluster: Cluster):
    told = cluster.subscriber().subscribe("P")
    publisher = cluster.publisher().offer("P")
    publisher.publish("P", "first")
    eventually(lambda: told.texts == ["first"])


def test_a_second_subscriber_of_a_node_gets_the_last_at_once(cluster: Cluster):
    publisher, subscriber = cluster.publisher().offer("P"), cluster.subscriber()
    publisher.publish("P", "last")
    first = subscriber.subscribe("P")
    eventually(lambda: first.texts == ["last"])
    second = subscriber.subscribe("P")
    eventually(lambda: second.texts == ["last"])
    publisher.publish("P", "next")
    eventually(lambda: first.texts == second.texts == ["last", "next"])


def test_explicit_timestamps(cluster: Cluster):
    """They are kept; what is older than what has come already is a replay and dropped."""
    publisher, subscriber = cluster.publisher().offer("P"), cluster.subscriber()
    told = subscriber.subscribe("P")
    eventually(lambda: publisher.has_subscribers("P"))
    for n in (1000, 2000, 1500, 3000):
        publisher.publish("P", str(n), timestamp=n)
    eventually(lambda: "3000" in told.texts)
    assert [(p.data, p.timestamp) for p in told.products] == [("1000", 1000), ("2000", 2000), ("3000", 3000)]


def test_names_in_other_scripts(cluster: Cluster):
    publisher, subscriber = cluster.publisher("Größe"), cluster.subscriber("Приём")
    told = subscriber.subscribe("温度")
    publisher.offer("温度")
    publisher.serve("Überblick")
    publisher.reach("温度", told)
    assert {(p.id, p.component) for p in told.products} == {("温度", "Größe")}
    answer = subscriber.ask("Überblick", "x")
    assert answer and (answer.id, answer.component) == ("ÜberblickResponse", "Größe")


def test_several_publishers_of_one_data_product(cluster: Cluster):
    one, two, subscriber = cluster.publisher("One"), cluster.publisher("Two"), cluster.subscriber()
    one.offer("P")
    told = subscriber.subscribe("P")
    two.offer("P")
    assert [p.component_id for p in cluster.publishers("P")] == ["One", "Two"]
    for node in (one, two):
        node.reach("P", told)
        node.publish("P", f"of {node.id}")
    eventually(lambda: sorted(told.texts) == ["of One", "of Two"])

    assert one.do("unregisterDataProduct", "P") == gravity.SUCCESS
    assert [p.component_id for p in cluster.publishers("P")] == ["Two"]
    two.publish("P", "still there")
    eventually(lambda: "still there" in told.texts)


def test_unsubscribe(cluster: Cluster):
    publisher, subscriber = cluster.publisher().offer("P"), cluster.subscriber()
    told = subscriber.subscribe("P")
    publisher.reach("P", told)
    subscriber.unsubscribe("P", told, "another filter than it was made with")  # is ignored
    publisher.reach("P", told)
    subscriber.unsubscribe("P", told)
    eventually(lambda: not publisher.has_subscribers("P"))
    publisher.publish("P", "unheard")
    again = subscriber.subscribe("P")
    eventually(lambda: again.texts == ["unheard"])
    assert told.texts == []


def test_unregister(cluster: Cluster):
    publisher, subscriber = cluster.publisher().offer("P"), cluster.subscriber()
    told = subscriber.subscribe("P")
    publisher.reach("P", told)
    assert publisher.do("unregisterDataProduct", "P") == gravity.SUCCESS
    assert cluster.publishers("P") == []
    publisher.publish("P", "unheard")
    publisher.offer("P")
    publisher.reach("P", told)
    publisher.publish("P", "heard")
    eventually(lambda: told.texts == ["heard"])


def test_return_codes(cluster: Cluster):
    for node in (cluster.publisher(), cluster.subscriber()):
        assert node.do("registerDataProduct", "P", gravity.TCP) == gravity.SUCCESS
        assert node.do("registerDataProduct", "P", gravity.TCP) == gravity.SUCCESS
        reserved = node.do("registerDataProduct", "RegisteredPublishers", gravity.TCP)
        assert reserved == gravity.RESERVED_DATA_PRODUCT_ID
        assert node.do("unregisterDataProduct", "Q") == gravity.REGISTRATION_CONFLICT
        assert node.do("subscribersExist", "Q") == [gravity.NOT_REGISTERED, True]
        assert node.do("getCodeString", gravity.NO_SUCH_SERVICE) == "NO_SUCH_SERVICE"
        assert [node.do("getComponentID"), node.do("getIP"), node.do("getDomain")] == [node.id, "127.0.0.1", ""]
