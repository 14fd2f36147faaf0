"""What nodes do by themselves if they are configured so: settings, log, metrics, and asking a ConfigServer."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import zmq

from gravity import GravityDataProduct, GravityServiceProvider, SpdLog, gravity
from gravity.GravityConfigParamPB_pb2 import GravityConfigParamPB
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB
from gravity.GravityMetricsDataPB_pb2 import GravityMetricsDataPB, GravityMetricsPB
from gravity.io import now_us
from gravity.log import spdlog as log
from gravity.protocol.ServiceDirectoryPB_pb2 import ConfigeResponsePB, ConfigRequestPB

if TYPE_CHECKING:
    from .conftest import Cluster, Collector, Eventually

Socket = zmq.Socket[bytes]
Raw = Callable[[int], Socket]
Product = Callable[[str, str], GravityDataProduct]


def listen(raw: Raw, cluster: Cluster, id: str, topic: bytes = b"") -> Socket:
    """A raw subscriber of what exactly one node publishes."""
    [url] = cluster.publishers(id)
    subscriber = raw(zmq.SUB)
    subscriber.subscribe(topic)
    subscriber.connect(url)
    return subscriber


# ---- the ConfigServer --------------------------------------------------------------------------------------------


class ConfigServer(GravityServiceProvider):
    """Has the same for everybody."""

    def __init__(self, **values: str) -> None:
        super().__init__()
        self.values = values
        self.asked: list[tuple[str, str, str]] = []

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        message = ConfigRequestPB()
        dataProduct.populateMessage(message)
        self.asked.append((serviceID, dataProduct.dataProductID, message.componentID))
        answer = GravityDataProduct("ConfigResponsePB")
        answer.data = ConfigeResponsePB(key=list(self.values), value=list(self.values.values()))  # type: ignore[assignment]
        return answer


def configure_comp(cluster: Cluster) -> None:
    """Only component Comp asks for more."""
    cluster.configure('[Comp]\nNoConfigServer = false\na = own\nEmpty = ""')


def test_missing_parameters_come_from_the_config_server(cluster: Cluster) -> None:
    configure_comp(cluster)
    server = ConfigServer(A="theirs", EMPTY="theirs", Other="Theirs", Number="7", ServiceDirectoryURL="tcp://nowhere")
    cluster.node("ConfigServer").registerService("ConfigService", gravity.TCP, server)
    node = cluster.node("Comp")
    assert server.asked == [("ConfigService", "ConfigRequestPB", "Comp")]
    assert (node.getStringParam("a"), node.getStringParam("Empty", "default")) == ("own", "")
    assert (node.getStringParam("OTHER"), node.getIntParam("number")) == ("Theirs", 7)
    assert node.getStringParam("ServiceDirectoryURL") == cluster.url
    assert node.init("Comp") == gravity.SUCCESS
    assert len(server.asked) == 1


def test_ports_from_a_config_server(cluster: Cluster, free_port: Callable[[], int]) -> None:
    configure_comp(cluster)
    port = free_port()
    server = ConfigServer(MinPort=str(port), MaxPort=str(port))
    cluster.node("ConfigServer").registerService("ConfigService", gravity.TCP, server)
    node = cluster.node("Comp")
    assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS
    assert cluster.publishers("P") == [f"tcp://127.0.0.1:{port}"]


def test_a_heartbeat_from_a_config_server(cluster: Cluster) -> None:
    configure_comp(cluster)
    server = ConfigServer(GravityHeartbeatPeriodSecs="0.5")
    cluster.node("ConfigServer").registerService("ConfigService", gravity.TCP, server)
    node = cluster.node("Comp")
    assert len(cluster.publishers("Comp_GravityHeartbeat")) == 1
    assert node.startHeartbeat(1_000_000) == gravity.FAILURE  # it runs already


@pytest.mark.parametrize(("component_id", "text"), [("Comp", "[Comp]\nNoConfigServer = true"), ("ConfigServer", "")])
def test_who_does_not_ask(cluster: Cluster, component_id: str, text: str) -> None:
    cluster.configure("[ConfigServer]\nNoConfigServer = false")
    server = ConfigServer(Other="theirs")
    cluster.node("ConfigServer").registerService("ConfigService", gravity.TCP, server)
    if text:
        cluster.configure(text)
    assert cluster.node(component_id).getStringParam("Other", "default") == "default"
    assert server.asked == []


def test_no_config_server(cluster: Cluster) -> None:
    configure_comp(cluster)
    assert cluster.node("Comp").getStringParam("a") == "own"


@pytest.mark.parametrize("data", [b"\xff\xff", b"", b"\x0a\x02\xff\xfe\x12\x01x", b"\x0a\x01k\x12\x02\xff\xfe"])
def test_a_config_server_that_talks_nonsense(cluster: Cluster, data: bytes) -> None:
    """No message at all, an empty one, and texts that are none."""

    class Nonsense(GravityServiceProvider):
        def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
            answer = GravityDataProduct("ConfigResponsePB")
            answer.data = data
            return answer

    configure_comp(cluster)
    server = Nonsense()
    cluster.node("ConfigServer").registerService("ConfigService", gravity.TCP, server)
    node = cluster.node("Comp")
    assert (node.getStringParam("a"), node.getStringParam("k", "default")) == ("own", "default")


# ---- settings ----------------------------------------------------------------------------------------------------


def settings(collector: Collector) -> list[tuple[str, str, bool]]:
    messages = [GravityConfigParamPB.FromString(p.data) for p in collector.products]
    return [(m.key, m.value, m.is_default) for m in messages if not m.key.startswith("probe")]


def test_settings(cluster: Cluster, eventually: Eventually) -> None:
    """What an application reads is told once, and again when it has changed."""
    cluster.configure("[Comp]\nGravitySettingsPublishEnabled = true\nText = set\nNumber = 12abc\nTruth = Yes")
    node, listening = cluster.node("Comp"), cluster.node("Listening")
    told, others = (cluster.subscriber(listening, "GRAVITY_SETTINGS", f) for f in ("Comp", "Comp2"))
    numbers = itertools.count()
    eventually(lambda: node.getStringParam(f"probe{next(numbers)}") or told.products)
    node.getStringParam("Text")
    node.getStringParam("Text", "default")
    node.getIntParam("Number")
    node.getBoolParam("Truth")
    node.getIntParam("Count", 3)
    node.getFloatParam("Real", 0.5)
    node.getBoolParam("Switch", True)
    node.getStringParam("Missing", "one")
    node.getStringParam("Missing", "one")
    node.getStringParam("Missing", "two")
    node.getStringParam("End")
    expected = [
        ("Text", "set", False),
        ("Number", "12abc", False),
        ("Truth", "Yes", False),
        ("Count", "3", True),
        ("Real", "0.500000", True),
        ("Switch", "true", True),
        ("Missing", "one", True),
        ("Missing", "two", True),
        ("End", "", True),
    ]
    eventually(lambda: len(settings(told)) >= len(expected))
    assert settings(told) == expected
    assert others.products == []
    product = told.products[-1]
    assert (product.dataProductID, product.componentID) == ("GRAVITY_SETTINGS", "Comp")
    assert cluster.publishers("GRAVITY_LOGGER") == cluster.publishers("GravityMetricsData") == []


def test_without_configuration_nothing_is_registered(cluster: Cluster) -> None:
    node = cluster.node("Comp")
    node.getStringParam("Text")
    for id in ("GRAVITY_SETTINGS", "GRAVITY_LOGGER", "GravityMetricsData", "Comp_GravityHeartbeat"):
        assert cluster.publishers(id) == []


# ---- the log -----------------------------------------------------------------------------------------------------


@pytest.fixture
def first_node(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The next node configures the logs, as a process's first does; they are restored afterwards."""
    loggers = (log.library_log, log.application_log)
    before = [list(logger.handlers) for logger in loggers]
    monkeypatch.setattr(log, "_configured", False)
    yield
    for logger, handlers in zip(loggers, before, strict=True):
        logger.handlers[:] = handlers


def log_messages(collector: Collector) -> list[GravityLogMessagePB]:
    messages = [GravityLogMessagePB.FromString(p.data) for p in collector.products]
    return [m for m in messages if not m.message.endswith("probe\n")]


def test_network_log(cluster: Cluster, first_node: None, eventually: Eventually) -> None:
    """Lines of the level and above, as the log file has them, with their newline."""
    cluster.configure("[Comp]\nAppNetworkLogLevel = warn")
    node = cluster.node("Comp")
    assert cluster.publishers("GRAVITY_LOGGER") == []  # not before the first line
    collector = cluster.subscriber(cluster.node("Listening"), "GRAVITY_LOGGER")

    def is_heard() -> bool:
        SpdLog.critical("probe")
        return bool(collector.products)

    eventually(is_heard)
    assert len(cluster.publishers("GRAVITY_LOGGER")) == 1
    functions = [SpdLog.trace, SpdLog.debug, SpdLog.info, SpdLog.warn, SpdLog.error, SpdLog.critical]
    for function in functions:
        function("100 % of {} – ä")
    eventually(lambda: len(log_messages(collector)) >= 3)
    messages = log_messages(collector)
    assert [m.level for m in messages] == ["warning", "error", "critical"]
    for m in messages:
        stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"
        assert re.fullmatch(rf"\[{stamp} Comp-{m.level}\] 100 % of {{}} – ä\n", m.message), m.message
    product = collector.products[0]
    assert (product.dataProductID, product.componentID) == ("GRAVITY_LOGGER", "Comp")
    envelope = GravityDataProductPB.FromString(product.serializeToString())
    assert (envelope.protocol, envelope.type_name) == ("protobuf2", "gravity.GravityLogMessagePB")
    node.close()
    SpdLog.critical("unheard")


def test_lines_without_a_joined_node_are_dropped(
    cluster: Cluster, first_node: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.configure("[Comp]\nAppNetworkLogLevel = trace")
    node = cluster.node("Comp")
    node.close()
    SpdLog.critical("unheard")
    assert cluster.publishers("GRAVITY_LOGGER") == []
    assert capsys.readouterr() == ("", "")


# ---- metrics -----------------------------------------------------------------------------------------------------


def test_metrics(cluster: Cluster, raw: Raw, product: Product, eventually: Eventually) -> None:
    """What was published and received, once a second, one report of two samples."""
    cluster.configure(
        "[Comp]\nGravityMetricsEnabled = true\n"
        "GravityMetricsSamplePeriodSeconds = 1\nGravityMetricsSamplesPerPublish = 2"
    )
    begin = now_us()
    node = cluster.publisher("P", "Comp", cache=False)
    reports = listen(raw, cluster, "GravityMetricsData", b"Comp")
    sizes = listen(raw, cluster, "P")
    collector = cluster.subscriber(node, "P")

    def is_heard() -> bool:
        node.publish(product("P", ""), "probe")
        return bool(collector.products) and bool(sizes.poll(0))

    eventually(is_heard)
    for length in range(0, 1000, 100):
        node.publish(product("P", "x" * length), "filter")
    eventually(lambda: len([p for p in collector.products if p.data]) >= 9)

    def received() -> Iterator[tuple[bytes, GravityDataProductPB]]:
        while reports.poll(5000):
            topic, frame = reports.recv_multipart()
            yield topic, GravityDataProductPB.FromString(frame)

    topic, envelope = next(received())
    assert topic == b"Comp"
    fields = {field.name for field, _ in envelope.ListFields()}
    assert fields == {"timestamp", "dataProductID", "data", "protocol", "type_name", "registration_time"}
    assert (envelope.protocol, envelope.type_name) == ("protobuf2", "gravity.GravityMetricsDataPB")
    report = GravityMetricsDataPB.FromString(envelope.data)
    assert (report.componentID, report.ipAddress) == ("Comp", "127.0.0.1")
    found = {(m.dataProductID, m.messageType): m for m in report.metrics}
    assert set(found) == {("P", GravityMetricsPB.PUBLICATION), ("P", GravityMetricsPB.SUBSCRIPTION)}
    published, subscribed = (
        found["P", kind] for kind in (GravityMetricsPB.PUBLICATION, GravityMetricsPB.SUBSCRIPTION)
    )

    frames = []
    while sizes.poll(100):
        frames.append(sizes.recv_multipart()[1])
    assert sum(published.numMessages) >= len(frames) >= 10
    assert sum(subscribed.numMessages) == len(collector.products)
    assert sum(published.numBytes) >= sum(map(len, frames)) > 4500
    for metrics in (published, subscribed):
        spans = list(zip(metrics.startTime, metrics.endTime, strict=True))
        assert len(spans) == len(metrics.numBytes) == len(metrics.numMessages) == 2
        assert begin <= spans[0][0] and spans[-1][1] <= now_us()
        assert spans[0][1] == spans[1][0]
        assert all(0.9e6 < end - start < 5e6 for start, end in spans)
