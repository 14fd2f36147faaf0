"""Nodes hear whether others live."""

from __future__ import annotations

from tests.interop.cluster import Cluster
from tests.support import eventually

from gravity import gravity

INTERVAL = 200_000  # microseconds


def test_heartbeats_come_cease_and_come_again(cluster: Cluster):
    beating, listening = cluster.publisher(), cluster.subscriber()
    told = listening.listen("Publisher", INTERVAL)
    eventually(lambda: told.calls("MissedHeartbeat"))
    assert told.calls("MissedHeartbeat")[0] == ["Publisher", -1]  # there never was one
    assert beating.do("startHeartbeat", INTERVAL // 2) == gravity.SUCCESS
    assert beating.do("startHeartbeat", INTERVAL // 2) == gravity.FAILURE
    eventually(lambda: told.calls("ReceivedHeartbeat").count(["Publisher"]) >= 3)

    assert beating.do("stopHeartbeat") == gravity.SUCCESS
    missed = len(told.calls("MissedHeartbeat"))
    eventually(lambda: len(told.calls("MissedHeartbeat")) >= missed + 3)
    id, since_last = told.calls("MissedHeartbeat")[-1]
    assert id == "Publisher" and since_last >= INTERVAL
    assert cluster.publishers("Publisher_GravityHeartbeat") == []

    received = len(told.calls("ReceivedHeartbeat"))
    assert beating.do("startHeartbeat", INTERVAL // 2) == gravity.SUCCESS
    eventually(lambda: len(told.calls("ReceivedHeartbeat")) >= received + 2)


def test_a_component_that_is_killed(cluster: Cluster):
    """Its heartbeat is configured, and an ordinary data product too."""
    cluster.configure(Publisher="GravityHeartbeatPeriodSecs = 0.1\n")
    beating, listening = cluster.publisher().join(), cluster.subscriber()
    told = listening.listen("Publisher", INTERVAL)
    heard = listening.subscribe("Publisher_GravityHeartbeat")
    eventually(lambda: len(told.calls("ReceivedHeartbeat")) >= 2 and heard.products)
    assert heard.products[0].data == "Good\0"
    beating.kill()
    missed = len(told.calls("MissedHeartbeat"))
    eventually(lambda: len(told.calls("MissedHeartbeat")) >= missed + 2)


def test_a_listener_is_taken_back(cluster: Cluster):
    beating, listening = cluster.publisher(), cluster.subscriber()
    beating.do("startHeartbeat", INTERVAL // 2)
    told = listening.listen("Publisher", INTERVAL)
    eventually(lambda: told.calls("ReceivedHeartbeat"))
    assert listening.do("unregisterHeartbeatListener", "Publisher") == gravity.SUCCESS
    before = len(told.calls("ReceivedHeartbeat"))
    witness = listening.listen("Witness", INTERVAL)  # counts intervals: nobody of that name lives
    eventually(lambda: len(witness.calls("MissedHeartbeat")) >= 3)
    assert len(told.calls("ReceivedHeartbeat")) <= before + 1  # one may have been on its way
