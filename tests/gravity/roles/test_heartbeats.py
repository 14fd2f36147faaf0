"""Nodes send heartbeats and listen to them over real sockets."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import zmq

from gravity import GravityDataProduct, GravityHeartbeatListener, GravityNode, gravity
from gravity.directory.server import ServiceDirectory
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.io import Options, now_us

if TYPE_CHECKING:
    from .conftest import Cluster, Eventually

Socket = zmq.Socket[bytes]
Raw = Callable[[int], Socket]
Product = Callable[[str, str], GravityDataProduct]

BEAT = 20_000  # microseconds
INTERVAL = 100_000


@dataclass(frozen=True)
class Report:
    """A call to a listener: what it said, and when it came (microseconds)."""

    component_id: str
    interval: int
    missed: int | None  # None if a heartbeat was received
    time: int


class Listener(GravityHeartbeatListener):
    """Keeps what it hears; then does what `after` says."""

    def __init__(self, after: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.reports: list[Report] = []
        self.after = after

    def MissedHeartbeat(
        self, componentID: str, microsecond_to_last_heartbeat: int, interval_in_microseconds: int
    ) -> None:
        now = time.monotonic_ns() // 1000
        self.reports.append(Report(componentID, interval_in_microseconds, microsecond_to_last_heartbeat, now))
        self.after()

    def ReceivedHeartbeat(self, componentID: str, interval_in_microseconds: int) -> None:
        self.reports.append(Report(componentID, interval_in_microseconds, None, time.monotonic_ns() // 1000))
        self.after()

    @property
    def received(self) -> list[Report]:
        return [r for r in self.reports if r.missed is None]

    @property
    def missed(self) -> list[Report]:
        return [r for r in self.reports if r.missed is not None]


def id_of(component_id: str) -> str:
    return f"{component_id}_GravityHeartbeat"


# ---- sending ---------------------------------------------------------------------------------------------------


def test_a_heartbeat_as_the_wire_sees_it(cluster: Cluster, raw: Raw) -> None:
    node = cluster.node("Comp")
    before = now_us()
    assert node.startHeartbeat(BEAT) == gravity.SUCCESS
    [url] = cluster.publishers(id_of("Comp"))
    subscriber = raw(zmq.SUB)
    subscriber.subscribe(b"")
    subscriber.connect(url)
    assert subscriber.poll(10_000)
    topic, frame = subscriber.recv_multipart()
    assert topic == b""
    seen = GravityDataProductPB.FromString(frame)
    fields = {field.name for field, _ in seen.ListFields()}
    assert fields == {"timestamp", "dataProductID", "data", "registration_time"}
    assert (seen.dataProductID, seen.data) == ("Comp_GravityHeartbeat", bytes.fromhex("476f6f6400"))
    assert before <= seen.timestamp <= now_us()
    assert before // 1_000_000 <= seen.registration_time <= now_us() // 1_000_000


def test_heartbeats_keep_their_rhythm(cluster: Cluster, eventually: Eventually) -> None:
    beating = cluster.node("Comp")
    beating.startHeartbeat(BEAT)
    collector = cluster.subscriber(cluster.node(), id_of("Comp"))
    eventually(lambda: len(collector.products) >= 20)
    times = [p.timestamp for p in collector.products]
    assert times[-1] - times[0] >= (len(times) - 1) * BEAT * 0.8  # none comes early, but for a late one before it


def test_the_first_heartbeat_comes_at_once_and_is_not_kept(cluster: Cluster, eventually: Eventually) -> None:
    """Whoever subscribes later waits for the next one."""
    cluster.configure("GravityMetricsEnabled = true")
    beating, other = cluster.node("Comp"), cluster.node("Other")
    beating.startHeartbeat(3_600_000_000)
    other.startHeartbeat(BEAT)
    assert beating._running is not None and beating._running.metrics is not None
    done = threading.Event()
    beating._running._loop("publications").call(done.set)
    assert done.wait(10)
    beating._running.metrics.sample(now_us())
    counted = beating._running.metrics.take("", "").metrics
    assert [(m.dataProductID, list(m.numMessages)) for m in counted] == [(id_of("Comp"), [1])]

    listening = cluster.node()
    late, witness = cluster.subscriber(listening, id_of("Comp")), cluster.subscriber(listening, id_of("Other"))
    eventually(lambda: beating.subscribersExist(id_of("Comp")) == [gravity.SUCCESS, True])
    eventually(lambda: len(witness.products) >= 5)
    assert late.products == []


def test_start_and_stop(cluster: Cluster, eventually: Eventually) -> None:
    node = cluster.node("Comp")
    assert node.stopHeartbeat() == gravity.SUCCESS
    assert node.startHeartbeat(BEAT) == gravity.SUCCESS
    assert node.startHeartbeat(BEAT) == gravity.FAILURE
    assert len(cluster.publishers(id_of("Comp"))) == 1
    collector = cluster.subscriber(cluster.node(), id_of("Comp"))
    eventually(lambda: collector.products)
    assert node.stopHeartbeat() == gravity.SUCCESS
    assert cluster.publishers(id_of("Comp")) == []
    assert node.stopHeartbeat() == gravity.SUCCESS
    before = len(collector.products)
    assert node.startHeartbeat(BEAT) == gravity.SUCCESS
    eventually(lambda: len(collector.products) > before + 1)


@pytest.mark.parametrize("interval", [0, 1])
def test_a_node_survives_its_own_haste(
    cluster: Cluster, product: Product, eventually: Eventually, interval: int
) -> None:
    node = cluster.publisher("P", "Comp")
    assert node.startHeartbeat(interval) == gravity.SUCCESS
    node.publish(product("P", "x"))
    collector = cluster.subscriber(cluster.node(), "P")
    eventually(lambda: collector.texts == ["x"])  # its other sockets are served
    assert node.stopHeartbeat() == gravity.SUCCESS
    node.close()


def test_a_negative_interval(cluster: Cluster) -> None:
    node = cluster.node("Comp")
    with pytest.raises(OverflowError):
        node.startHeartbeat(-1)
    assert cluster.publishers(id_of("Comp")) == []
    assert node.startHeartbeat(BEAT) == gravity.SUCCESS


def test_nothing_works_before_init() -> None:
    node = GravityNode()
    assert node.startHeartbeat(BEAT) == gravity.NOT_INITIALIZED
    assert node.stopHeartbeat() == gravity.NOT_INITIALIZED
    assert node.registerHeartbeatListener("Comp", INTERVAL, Listener()) == gravity.NOT_INITIALIZED
    assert node.unregisterHeartbeatListener("Comp") == gravity.NOT_INITIALIZED


def test_two_nodes_beat_on_their_own(cluster: Cluster, eventually: Eventually) -> None:
    one, two, listening = cluster.node("One"), cluster.node("Two"), cluster.node()
    assert one.startHeartbeat(BEAT) == gravity.SUCCESS
    assert two.startHeartbeat(BEAT) == gravity.SUCCESS
    assert one.stopHeartbeat() == gravity.SUCCESS
    collector = cluster.subscriber(listening, id_of("Two"))
    eventually(lambda: len(collector.products) >= 3)
    assert cluster.publishers(id_of("One")) == []


def test_a_configured_heartbeat(cluster: Cluster, eventually: Eventually) -> None:
    cluster.configure("[Comp]\nGravityHeartbeatPeriodSecs = 0.02")
    node, other = cluster.node("Comp"), cluster.node("Other")
    assert node.startHeartbeat(BEAT) == gravity.FAILURE  # it runs already
    assert cluster.publishers(id_of("Other")) == []
    collector = cluster.subscriber(other, id_of("Comp"))
    eventually(lambda: len(collector.products) >= 3)
    node.close()
    assert cluster.publishers(id_of("Comp")) == []


# ---- listening -------------------------------------------------------------------------------------------------


def test_missed_then_received_then_missed(cluster: Cluster, eventually: Eventually) -> None:
    beating, listening, listener = cluster.node("Comp"), cluster.node(), Listener()
    begin = time.monotonic_ns() // 1000
    assert listening.registerHeartbeatListener("Comp", INTERVAL, listener) == gravity.SUCCESS
    eventually(lambda: len(listener.reports) >= 2)
    assert [r.missed for r in listener.reports[:2]] == [-1, -1]
    times = [begin, *(r.time for r in listener.reports)]
    assert all(b - a >= INTERVAL * 0.9 for a, b in itertools.pairwise(times))

    beating.startHeartbeat(BEAT)
    eventually(lambda: len(listener.received) >= 3)
    beating.stopHeartbeat()
    eventually(lambda: listener.reports[-1].missed is not None and listener.reports[-2].missed is not None)
    last, later = listener.received[-1], listener.reports[-1]
    assert later.missed is not None
    assert INTERVAL <= later.missed <= later.time - begin
    assert abs(later.missed - (later.time - last.time)) < INTERVAL / 2
    assert {(r.component_id, r.interval, type(r.interval)) for r in listener.reports} == {("Comp", INTERVAL, int)}


def test_a_listener_is_taken_back(cluster: Cluster, eventually: Eventually) -> None:
    beating, listening, listener, witness = cluster.node("Comp"), cluster.node(), Listener(), Listener()
    beating.startHeartbeat(BEAT)
    listening.registerHeartbeatListener("Comp", INTERVAL // 2, listener)
    eventually(lambda: listener.received)
    assert beating.subscribersExist(id_of("Comp")) == [gravity.SUCCESS, True]
    assert listening.unregisterHeartbeatListener("Comp") == gravity.SUCCESS
    eventually(lambda: beating.subscribersExist(id_of("Comp")) == [gravity.SUCCESS, False])
    before = len(listener.reports)
    listening.registerHeartbeatListener("Nobody", INTERVAL // 2, witness)  # served by the same thread
    eventually(lambda: len(witness.reports) >= 3)
    assert len(listener.reports) == before
    assert listening.unregisterHeartbeatListener("Comp") == gravity.SUCCESS
    assert listening.unregisterHeartbeatListener("Unknown") == gravity.SUCCESS


def test_the_last_listener_wins(cluster: Cluster, eventually: Eventually) -> None:
    beating, listening, first, second = cluster.node("Comp"), cluster.node(), Listener(), Listener()
    beating.startHeartbeat(BEAT)
    listening.registerHeartbeatListener("Comp", INTERVAL // 2, first)
    eventually(lambda: first.received)
    listening.registerHeartbeatListener("Comp", INTERVAL, second)
    eventually(lambda: second.received)
    before = len(first.reports)
    eventually(lambda: len(second.reports) >= 3)
    assert len(first.reports) == before
    assert {r.interval for r in second.reports} == {INTERVAL}


def test_several_components_and_several_nodes(cluster: Cluster, eventually: Eventually) -> None:
    """Listeners of one process do not share what they hear."""
    one, two = cluster.node("One"), cluster.node("Two")
    of_one, of_two, of_nobody, own = Listener(), Listener(), Listener(), Listener()
    one.startHeartbeat(BEAT)
    two.registerHeartbeatListener("One", INTERVAL, of_one)
    one.registerHeartbeatListener("Two", INTERVAL, of_two)
    two.registerHeartbeatListener("Nobody", INTERVAL, of_nobody)
    one.registerHeartbeatListener("One", INTERVAL, own)
    eventually(lambda: len(of_one.received) >= 2 and len(own.received) >= 2)
    eventually(lambda: len(of_two.missed) >= 2 and len(of_nobody.missed) >= 2)
    assert of_two.received == of_nobody.received == []
    two.startHeartbeat(BEAT)
    eventually(lambda: of_two.received)
    assert one.unregisterHeartbeatListener("One") == gravity.SUCCESS
    before = len(of_one.received)
    eventually(lambda: len(of_one.received) >= before + 2)


def test_a_listener_that_fails(cluster: Cluster, eventually: Eventually, caplog: pytest.LogCaptureFixture) -> None:
    node, failing, other = cluster.node("Comp"), Listener(lambda: 1 // 0), Listener()
    node.registerHeartbeatListener("Nobody", INTERVAL, failing)
    node.registerHeartbeatListener("Comp", INTERVAL, other)
    eventually(lambda: failing.missed)
    node.startHeartbeat(BEAT)
    eventually(lambda: len(failing.missed) >= 3 and len(other.received) >= 2)
    for record in caplog.records:
        assert record.getMessage() == "Exception caught calling heartbeat listener of Nobody"
        assert record.levelno == logging.ERROR and record.exc_info
    assert len(caplog.records) >= 2


def test_a_listener_may_take_itself_back(cluster: Cluster, eventually: Eventually) -> None:
    node, witness = cluster.node("Comp"), Listener()
    listener = Listener(lambda: node.unregisterHeartbeatListener("Nobody"))
    node.registerHeartbeatListener("Nobody", INTERVAL // 2, listener)
    node.registerHeartbeatListener("Witness", INTERVAL // 2, witness)
    eventually(lambda: listener.reports)
    before = len(witness.reports)
    eventually(lambda: len(witness.reports) >= before + 3)
    assert len(listener.reports) == 1


def test_an_object_without_the_callbacks(cluster: Cluster) -> None:
    with pytest.raises(TypeError, match="in method 'registerHeartbeatListener', object has no method"):
        cluster.node().registerHeartbeatListener("Comp", INTERVAL, object())  # type: ignore[arg-type]


def test_with_a_domain(cluster: Cluster, eventually: Eventually) -> None:
    """The heartbeat itself does not name it; a listener of the domain hears it, one of another domain does not."""
    cluster.directory.close()
    cluster.directory = ServiceDirectory(cluster.url, "home", Options())
    beating, listening = cluster.node("Comp"), cluster.node()
    beating.startHeartbeat(BEAT)
    default, named, other = Listener(), Listener(), Listener()
    collector = cluster.subscriber(listening, id_of("Comp"))
    listening.registerHeartbeatListener("Comp", INTERVAL, default)
    cluster.node("Second").registerHeartbeatListener("Comp", INTERVAL, named, "home")
    cluster.node("Third").registerHeartbeatListener("Comp", INTERVAL, other, "away")
    eventually(lambda: default.received and named.received and len(other.missed) >= 2 and collector.products)
    assert other.received == []
    assert (collector.products[0].componentID, collector.products[0].domain) == ("", "")
