"""What nodes publish by themselves if their configuration says so: log, metrics, settings."""

from __future__ import annotations

import re
import time

from tests.interop.cluster import Cluster, Told
from tests.support import eventually

from gravity.GravityConfigParamPB_pb2 import GravityConfigParamPB
from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB
from gravity.GravityMetricsDataPB_pb2 import GravityMetricsDataPB, GravityMetricsPB

LEVELS = {
    "trace": None, "debug": None, "info": "info", "warn": "warning", "error": "error", "critical": "critical",
}  # fmt: skip


def test_network_log(cluster: Cluster):
    """Lines of the configured level and above, as in the log file; others are not sent."""
    cluster.configure(Publisher="AppNetworkLogLevel = info\n")
    logging, subscriber = cluster.publisher(), cluster.subscriber()
    told = subscriber.subscribe("GRAVITY_LOGGER")

    def heard() -> list[GravityLogMessagePB]:
        return [GravityLogMessagePB.FromString(p.data.encode("latin-1")) for p in told.products]

    def reached() -> bool:
        logging.do("log", "info", "probe")
        return bool(told.products)

    eventually(reached)
    for level in LEVELS:
        logging.do("log", level, f"{level}: 100 % of {{}} – and an umlaut: ä")
    logging.do("log", "info", "end")
    eventually(lambda: heard()[-1].message.endswith("end\n"))
    lines = [m for m in heard() if not m.message.endswith(("probe\n", "end\n"))]
    assert [m.level for m in lines] == [level for level in LEVELS.values() if level]
    for message, level in zip(lines, [level for level in LEVELS if LEVELS[level]], strict=True):
        assert re.fullmatch(
            rf"\[\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{6}} Publisher-{message.level}\] "
            rf"{level}: 100 % of {{}} – and an umlaut: ä\n",
            message.message,
        ), message
    product = told.products[0]
    assert (product.component, product.type_name) == ("Publisher", "gravity.GravityLogMessagePB")


class Counted:
    """The metrics of a component as far as they have come."""

    def __init__(self, told: Told, component: str) -> None:
        reports = [GravityMetricsDataPB.FromString(p.data.encode("latin-1")) for p in told.products]
        self.reports = [r for r in reports if r.componentID == component]

    def of(self, id: str, kind: GravityMetricsPB.MessageType) -> tuple[int, int]:
        """Return how many messages and bytes of a data product have been counted."""
        found = [m for r in self.reports for m in r.metrics if (m.dataProductID, m.messageType) == (id, kind)]
        return sum(sum(m.numMessages) for m in found), sum(sum(m.numBytes) for m in found)


def test_metrics(cluster: Cluster):
    """Publishers and subscribers count the same messages and bytes."""
    metrics = (
        "GravityMetricsEnabled = true\nGravityMetricsSamplePeriodSeconds = 1\nGravityMetricsSamplesPerPublish = 2\n"
    )
    cluster.configure(Publisher=metrics, Subscriber=metrics)
    begin = time.time_ns() // 1000
    publisher, subscriber = cluster.publisher().offer("P"), cluster.subscriber()
    observer = cluster.subscriber("Observer")
    told = subscriber.subscribe("P")
    told_metrics = {id: observer.subscribe("GravityMetricsData", id) for id in ("Publisher", "Subscriber")}
    eventually(lambda: publisher.has_subscribers("P"))
    eventually(lambda: all(node.has_subscribers("GravityMetricsData") for node in (publisher, subscriber)))
    texts = ["x" * n for n in range(0, 1000, 100)]
    publisher.publish("P", *texts)
    eventually(lambda: told.texts == texts)

    sent, received = GravityMetricsPB.PUBLICATION, GravityMetricsPB.SUBSCRIPTION

    def counted(id: str) -> Counted:
        return Counted(told_metrics[id], id)

    eventually(lambda: counted("Publisher").of("P", sent)[0] == counted("Subscriber").of("P", received)[0] == 10)
    bytes_sent, bytes_received = counted("Publisher").of("P", sent)[1], counted("Subscriber").of("P", received)[1]
    assert 10 * 20 < bytes_sent - sum(map(len, texts)) < 10 * 60  # a data product's other fields
    assert bytes_received - bytes_sent in (0, 10 * 9)  # a subscriber may count the time that it stamps
    for id in told_metrics:
        for report in counted(id).reports:
            assert report.ipAddress == "127.0.0.1"
            for m in report.metrics:
                assert 1 <= len(m.startTime) <= 2
                assert len(m.startTime) == len(m.endTime) == len(m.numBytes) == len(m.numMessages)
                for start, end in zip(m.startTime, m.endTime, strict=True):
                    assert begin < start < end < time.time_ns() // 1000
    assert {p.type_name for p in told_metrics["Publisher"].products} == {"gravity.GravityMetricsDataPB"}


def test_settings(cluster: Cluster):
    """A parameter that is read is published with its value."""
    cluster.configure(Publisher="GravitySettingsPublishEnabled = true\nrate = 10\n")
    publisher, subscriber = cluster.publisher().join(), cluster.subscriber()
    told = subscriber.subscribe("GRAVITY_SETTINGS", "Publisher")

    def heard() -> dict[str, GravityConfigParamPB]:
        messages = [GravityConfigParamPB.FromString(p.data.encode("latin-1")) for p in told.products]
        return {m.key.lower(): m for m in messages}

    def reached() -> bool:
        nonlocal probes
        probes += 1
        publisher.do("getStringParam", f"probe{probes}", "x")
        return bool(told.products)

    probes = 0
    eventually(reached)
    assert publisher.do("getIntParam", "rate", 5) == 10
    assert publisher.do("getStringParam", "colour", "green") == "green"
    eventually(lambda: {"rate", "colour"} <= set(heard()))
    rate, colour = heard()["rate"], heard()["colour"]
    assert (rate.value, rate.is_default, colour.value, colour.is_default) == ("10", False, "green", True)
