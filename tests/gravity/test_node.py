"""GravityNode: configuration, return codes, references, and what is left behind when it ends."""

from __future__ import annotations

import gc
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gravity import (
    GravityDataProduct,
    GravityHeartbeatListener,
    GravityNode,
    GravityRequestor,
    GravityServiceProvider,
    GravitySubscriber,
    gravity,
)
from gravity.directory.server import ServiceDirectory
from gravity.io import Options
from gravity.protocol.limits import DirectoryLimits
from gravity.roles.directory_client import DirectoryClient

if TYPE_CHECKING:
    from .conftest import Cluster, Eventually

Product = Callable[[str, str], GravityDataProduct]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node asks the Service Directory once and for a moment, instead of three times three seconds."""
    for method in (DirectoryClient.domain, DirectoryClient._ask):
        monkeypatch.setattr(method, "__defaults__", (1, 0.1))


# ---- before init -----------------------------------------------------------------------------------------------


def test_nothing_works_before_init(product: Product) -> None:
    node, subscriber = GravityNode(), GravitySubscriber()
    assert node.registerDataProduct("P", gravity.TCP) == gravity.NOT_INITIALIZED
    assert node.unregisterDataProduct("P") == gravity.NOT_INITIALIZED
    assert node.publish(product("P", "x")) == gravity.NOT_INITIALIZED
    assert node.subscribe("P", subscriber) == gravity.NOT_INITIALIZED
    assert node.unsubscribe("P", subscriber) == gravity.NOT_INITIALIZED
    assert node.subscribersExist("P") == [gravity.NOT_INITIALIZED, True]


def test_parameters_before_init_are_the_defaults() -> None:
    node = GravityNode()
    assert (node.getStringParam("a"), node.getStringParam("a", "x")) == ("", "x")
    assert (node.getIntParam("a"), node.getIntParam("a", default_value=7)) == (-1, 7)
    assert (node.getFloatParam("a"), node.getFloatParam("a", default_value=1e-9)) == (0.0, 1e-9)
    assert node.getBoolParam("a") is False and node.getBoolParam("a", default_value=True) is True
    assert (node.getComponentID(), node.getIP(), node.getDomain()) == ("", "", "")


def test_a_node_that_never_began_can_be_closed() -> None:
    with GravityNode() as node:
        node.close()


# ---- init and configuration ------------------------------------------------------------------------------------


def test_init(cluster: Cluster) -> None:
    node = cluster.node("Comp")
    assert (node.getComponentID(), node.getIP(), node.getDomain()) == ("Comp", "127.0.0.1", "")
    assert node.init("Comp") == gravity.SUCCESS


def test_init_by_the_constructor(cluster: Cluster) -> None:
    with GravityNode("Comp") as node:
        assert node.getComponentID() == "Comp"
        assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS


def test_domain(cluster: Cluster, free_port: Callable[[], int]) -> None:
    cluster.directory.close()
    cluster.directory = ServiceDirectory(cluster.url, "home", Options())
    assert cluster.node().getDomain() == "home"


@pytest.mark.parametrize(
    ("text", "component_id", "value"),
    [
        ("GravityComponentID = FromFile\na = g\n[FromFile]\na = c", "FromFile", "c"),
        ("a = g\n[GravityNode]\na = c", "GravityNode", "c"),
        ('GravityComponentID = ""\na = g', "GravityNode", "g"),
    ],
)
def test_a_component_id_from_the_file(cluster: Cluster, text: str, component_id: str, value: str) -> None:
    cluster.configure(text)
    with GravityNode() as node:
        assert node.init() == gravity.SUCCESS
        assert (node.getComponentID(), node.getStringParam("a")) == (component_id, value)


def test_parameters(cluster: Cluster) -> None:
    cluster.configure('Number = 12abc\nReal = 0.5\nText = "a b"\nEmpty = ""\nTruth = Yes\nOne = 1')
    node = cluster.node()
    assert (node.getIntParam("number"), node.getIntParam("NUMBER", 3)) == (12, 12)
    assert (node.getFloatParam("Real"), node.getStringParam("Text")) == (0.5, "a b")
    assert node.getStringParam("Empty", "default") == ""
    assert (node.getIntParam("Text", 3), node.getFloatParam("Text", 3.5)) == (3, 3.5)
    assert node.getBoolParam("Truth") is True
    assert node.getBoolParam("One", True) is False


@pytest.mark.parametrize(
    ("own", "value"),
    [
        ("", "c"),
        ("[Other]\na = o", "c"),
        ("[general]\na = own-general", "own-general"),
        ("[Comp]\na = own\n[general]\na = own-general", "own"),
        ("[general]\nb = 1", "c"),
    ],
)
def test_precedence_of_files(cluster: Cluster, own: str, value: str) -> None:
    cluster.configure("a = g\n[Comp]\na = c")
    (cluster.folder / "Comp.ini").write_text(own.replace("own-general", '"own-general"'))
    assert cluster.node("Comp").getStringParam("a") == value


def test_without_a_file_the_directory_is_at_port_5555(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[str] = []

    def request(self: object, url: str, frame: bytes, timeout: float) -> None:
        asked.append(url)

    monkeypatch.setattr("gravity.io.Transport.request", request)
    with GravityNode() as node:
        assert node.init("Comp") == gravity.REQUEST_TIMEOUT
    assert asked == ["tcp://127.0.0.1:5555"]


def test_no_directory(
    cluster: Cluster,
    capfd: pytest.CaptureFixture[str],
    impatient: None,
    product: Product,
    eventually: Eventually,
) -> None:
    cluster.directory.close()
    with GravityNode() as node:
        assert node.init("Comp") == gravity.REQUEST_TIMEOUT
        assert node.registerDataProduct("P", gravity.TCP) == gravity.REQUEST_TIMEOUT
        assert node.subscribe("P", GravitySubscriber()) == gravity.NO_SERVICE_DIRECTORY
        cluster.directory = ServiceDirectory(cluster.url)
        eventually(lambda: node.init("Comp") == gravity.SUCCESS)
        assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS
        assert node.publish(product("P", "x")) == gravity.SUCCESS
    assert capfd.readouterr() == ("", "")


def test_three_attempts_of_three_seconds(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def request(self: object, url: str, frame: bytes, timeout: float) -> None:
        waited.append(timeout)

    monkeypatch.setattr("gravity.io.Transport.request", request)
    with GravityNode() as node:
        assert node.init("Comp") == gravity.REQUEST_TIMEOUT
    assert waited == [3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("Gravity.ini", "[general]\na = tcp://x\n", "Gravity: Gravity.ini, line 2: "),
        ("Comp.ini", "[general]\n\n\na = two words\n", "Gravity: Comp.ini, line 4: "),
        ("Gravity.ini", '[general]\nServiceDirectoryURL = "udp://x:1"\n', "Gravity: ServiceDirectoryURL is 'udp"),
    ],
)
def test_malformed_configuration(
    cluster: Cluster, capfd: pytest.CaptureFixture[str], file: str, text: str, message: str
) -> None:
    (cluster.folder / file).write_text(text)
    node = GravityNode()
    assert node.init("Comp") == gravity.INVALID_PARAMETER
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(message) and err.count("\n") == 1
    assert node.registerDataProduct("P", gravity.TCP) == gravity.NOT_INITIALIZED
    cluster.configure()
    (cluster.folder / "Comp.ini").unlink(missing_ok=True)
    with node:
        assert node.init("Comp") == gravity.SUCCESS  # once the file is mended


def test_an_unknown_host(
    cluster: Cluster, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(host: str) -> str:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.gethostbyname", unknown)
    (cluster.folder / "Gravity.ini").write_text('[general]\nServiceDirectoryURL = "tcp://nowhere:5555"\n')
    assert GravityNode().init("Comp") == gravity.NO_SERVICE_DIRECTORY
    assert capfd.readouterr().err == "Gravity: the host 'nowhere' is unknown: Name or service not known\n"


def test_negative_limits_are_ignored(cluster: Cluster) -> None:
    cluster.configure("PublishHWM = -1\nSubscribeHWM = 7\nTcpKeepAliveEnabled = true\nTcpKeepAliveProbes = 3")
    node = cluster.node()
    assert node._running is not None
    options = node._running._transport.options
    assert (options.publish_hwm, options.subscribe_hwm, options.keep_alive) == (1000, 7, (7200, 3, 75))


# ---- codes -------------------------------------------------------------------------------------------------------


def test_register_and_unregister(cluster: Cluster) -> None:
    node = cluster.node()
    assert node.unregisterDataProduct("P") == gravity.REGISTRATION_CONFLICT
    assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS
    assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS
    assert node.unregisterDataProduct("P") == gravity.SUCCESS
    assert node.unregisterDataProduct("P") == gravity.REGISTRATION_CONFLICT
    assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS


@pytest.mark.parametrize(
    "id",
    [
        "RegisteredPublishers",
        "ServiceDirectory_DomainDetails",
        "ServiceDirectory_DomainUpdate",
        "DirectoryService",
        "GravityMetricsData",
        "GRAVITY_SETTINGS",
        "GRAVITY_LOGGER",
        "Comp_GravityHeartbeat",
    ],
)
def test_reserved_names(cluster: Cluster, id: str) -> None:
    assert cluster.node("Comp").registerDataProduct(id, gravity.TCP) == -14


def test_another_components_heartbeat_is_not_reserved(cluster: Cluster) -> None:
    assert cluster.node("Comp").registerDataProduct("Other_GravityHeartbeat", gravity.TCP) == gravity.SUCCESS


def test_no_port_is_free(cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cluster.configure(f"MinPort = {port}\nMaxPort = {port}")
        assert cluster.node().registerDataProduct("P", gravity.TCP) == gravity.NO_PORTS_AVAILABLE


def test_the_port_is_one_of_those_configured(cluster: Cluster, free_port: Callable[[], int]) -> None:
    port = free_port()
    cluster.configure(f"MinPort = {port}\nMaxPort = {port}")
    node = cluster.node()
    assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS
    assert cluster.publishers("P") == [f"tcp://127.0.0.1:{port}"]


def test_publishing_something_unregistered(cluster: Cluster, product: Product, library_lines: list[str]) -> None:
    assert cluster.node().publish(product("P", "x")) == gravity.SUCCESS
    assert library_lines == ["P is not registered: message dropped"]


def test_subscribers_exist(cluster: Cluster, eventually: Eventually) -> None:
    publisher, subscriber = cluster.publisher("P"), cluster.node()
    assert publisher.subscribersExist("Q") == [gravity.NOT_REGISTERED, True]
    assert publisher.subscribersExist("P") == [gravity.SUCCESS, False]
    one = cluster.subscriber(subscriber, "P")
    two = cluster.subscriber(subscriber, "P", "filter")
    eventually(lambda: publisher.subscribersExist("P") == [gravity.SUCCESS, True])
    subscriber.unsubscribe("P", one)
    assert publisher.subscribersExist("P") == [gravity.SUCCESS, True]
    subscriber.unsubscribe("P", two, "filter")
    eventually(lambda: publisher.subscribersExist("P") == [gravity.SUCCESS, False])


def test_no_list_of_publishers(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that does not publish its lists, or not yet, is asked five times."""
    node = cluster.node()
    asked: list[str] = []

    def publishers(self: object, id: str, domain: str) -> list[object]:
        asked.append(id)
        return []

    monkeypatch.setattr(DirectoryClient, "publishers", publishers)
    monkeypatch.setattr("gravity.roles.running_node.DIRECTORY_PAUSE", 0.001)
    assert node.subscribe("P", GravitySubscriber()) == gravity.NO_SERVICE_DIRECTORY
    assert asked == ["P"] + ["RegisteredPublishers"] * 5


# ---- references --------------------------------------------------------------------------------------------------


def test_a_subscription_holds_its_subscriber_once(cluster: Cluster) -> None:
    node, subscriber = cluster.node(), GravitySubscriber()

    def held() -> int:
        return sys.getrefcount(subscriber) - before

    before = sys.getrefcount(subscriber)
    node.subscribe("P", subscriber)
    assert held() == 1
    node.subscribe("P", subscriber)
    node.subscribe("Q", subscriber)
    assert held() == 1
    node.subscribe("P", subscriber, "filter")
    assert held() == 2
    node.subscribe("P", subscriber, "filter", "domain")
    assert held() == 3
    node.unsubscribe("P", subscriber, "other")
    node.unsubscribe("P", subscriber, "filter", "other")
    node.unsubscribe("R", subscriber)
    assert held() == 3
    node.unsubscribe("P", subscriber, "filter", "domain")
    node.unsubscribe("P", subscriber, "filter", "domain")
    node.unsubscribe("P", subscriber, "filter")
    assert held() == 1
    node.unsubscribe("P", subscriber)
    node.unsubscribe("Q", subscriber)
    assert held() == 0


def test_a_failed_subscription_holds_its_subscriber_until_it_is_taken_back(cluster: Cluster, impatient: None) -> None:
    node, subscriber = cluster.node(), GravitySubscriber()
    cluster.directory.close()
    before = sys.getrefcount(subscriber)
    assert node.subscribe("P", subscriber) == gravity.NO_SERVICE_DIRECTORY
    assert sys.getrefcount(subscriber) == before + 1
    assert node.unsubscribe("P", subscriber) == gravity.SUCCESS
    assert sys.getrefcount(subscriber) == before


def test_only_the_node_needs_to_hold_a_subscriber(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    texts: list[bytes] = []

    class Subscriber(GravitySubscriber):
        def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
            texts.extend(p.data for p in dataProducts)

    publisher, node = cluster.publisher("P"), cluster.node()
    node.subscribe("P", Subscriber())
    gc.collect()
    publisher.publish(product("P", "x"))
    eventually(lambda: texts == [b"x"])


def test_a_closed_node_holds_nobody(cluster: Cluster) -> None:
    node, subscriber = cluster.node(), GravitySubscriber()
    ref = weakref.ref(subscriber)
    node.subscribe("P", subscriber)
    node.close()
    del subscriber
    gc.collect()
    assert ref() is None


def test_publish_leaves_the_product_as_it_is(cluster: Cluster, product: Product) -> None:
    publisher = cluster.publisher("P")
    mine = product("P", "x")
    before = mine.serializeToString()
    publisher.publish(mine, "filter", 5)
    assert mine.serializeToString() == before
    assert sys.getrefcount(mine) == 2


def test_a_product_of_the_applications_own_kind(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    """Whatever has an id and can be serialized can be published."""

    class Own:
        dataProductID = "P"

        def serializeToString(self) -> bytes:
            return product("P", "own").serializeToString()

    publisher = cluster.publisher("P")
    collector = cluster.subscriber(cluster.node(), "P")
    publisher.publish(Own())  # type: ignore[arg-type]
    eventually(lambda: collector.texts == ["own"])


class _Silent(GravityServiceProvider):
    """Takes its time to answer."""

    def __init__(self, seconds: float = 0.2) -> None:
        super().__init__()
        self.seconds = seconds
        self.released = threading.Event()

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        self.released.wait(self.seconds)
        return GravityDataProduct("Late")


# ---- the end -----------------------------------------------------------------------------------------------------


def test_with_withdraws_registrations(cluster: Cluster) -> None:
    with GravityNode("Comp") as node:
        for id in ("P", "Q"):
            node.registerDataProduct(id, gravity.TCP)
        assert len(cluster.publishers("P")) == len(cluster.publishers("Q")) == 1
    assert cluster.publishers("P") == cluster.publishers("Q") == []
    assert node.publish(GravityDataProduct("P")) == gravity.NOT_INITIALIZED


def test_close_without_a_directory_does_not_wait(cluster: Cluster) -> None:
    node = cluster.publisher("P")
    node.registerDataProduct("Q", gravity.TCP)
    cluster.directory.close()
    closing = threading.Thread(target=node.close)
    closing.start()
    closing.join(5)
    assert not closing.is_alive()


def test_a_closed_node_may_begin_again(cluster: Cluster) -> None:
    node = cluster.publisher("P")
    node.close()
    node.close()
    assert node.init("Comp") == gravity.SUCCESS
    assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS
    assert len(cluster.publishers("P")) == 1


def test_a_forgotten_node_is_collected(cluster: Cluster, threads: Callable[[], int], eventually: Eventually) -> None:
    node = GravityNode("Comp")
    node.registerDataProduct("P", gravity.TCP)
    node.subscribe("P", GravitySubscriber())
    running = threads()
    ref = weakref.ref(node)
    del node
    gc.collect()
    assert ref() is None
    eventually(lambda: threads() == running - 3)
    assert len(cluster.publishers("P")) == 1  # as in the reference


def test_a_node_is_closed_while_other_threads_use_it(
    cluster: Cluster, product: Product, threads: Callable[[], int], eventually: Eventually
) -> None:
    """Their calls end, with a code; nothing is left running."""
    before = threads()
    node = cluster.node("Comp")
    node.registerService("S", gravity.TCP, _Silent())
    calls: list[Callable[[], object]] = [
        lambda: node.request("S", product("Q", "x")),
        lambda: node.request("S", product("Q", "x"), GravityRequestor()),
        lambda: node.registerDataProduct("P", gravity.TCP),
        lambda: node.publish(product("P", "x")),
        lambda: node.unregisterDataProduct("P"),
        lambda: node.subscribe("P", GravitySubscriber()),
    ]
    failed: list[BaseException] = []
    going = threading.Event()

    def use(call: Callable[[], object]) -> None:
        try:
            while node.publish(product("P", "x")) != gravity.NOT_INITIALIZED:
                call()
                going.set()
        except BaseException as error:
            failed.append(error)

    users = [threading.Thread(target=use, args=[call]) for call in calls]
    for user in users:
        user.start()
    assert going.wait(10)
    node.close()
    for user in users:
        user.join(10)
    assert failed == []
    assert not any(user.is_alive() for user in users)
    eventually(lambda: threads() <= before)


def test_a_node_is_closed_while_a_callback_waits_for_an_answer(cluster: Cluster, product: Product) -> None:
    asking = threading.Event()

    class Asking(GravitySubscriber):
        def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
            asking.set()
            node.request("S", product("Q", "x"))

    provider = cluster.node("Provider")
    answering = _Silent(2)
    provider.registerService("S", gravity.TCP, answering)
    node = cluster.publisher("P")
    node.subscribe("P", Asking())
    node.publish(product("P", "x"))
    assert asking.wait(10)
    started = time.monotonic()
    node.close()
    assert time.monotonic() - started < 1.5
    answering.released.set()


def test_calls_that_come_too_late(cluster: Cluster, threads: Callable[[], int]) -> None:
    """As a thread makes them that has entered a method of the node just before another one closed it."""
    before = threads()
    node = cluster.node("Comp")
    running = node._running
    assert running is not None
    node.close()
    assert running.registrar.register("P", gravity.TCP, cache=True) == gravity.NOT_INITIALIZED
    assert running.registrar.register_service("S", gravity.TCP, _Silent()) == gravity.NOT_INITIALIZED
    assert running.listen("Comp", "", 1000, GravityHeartbeatListener()) == gravity.NO_SERVICE_DIRECTORY
    assert running.stop_listening("Comp") == gravity.SUCCESS
    assert threads() == before


def test_a_node_is_collected_under_a_lock_that_a_callback_wants(
    cluster: Cluster,
    product: Product,
    eventually: Eventually,
    threads: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gravity.node._END_WAIT", 0.1)
    before = threads()
    lock, called = threading.Lock(), threading.Event()

    class Locking(GravitySubscriber):
        def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
            called.set()
            with lock:
                pass

    node = GravityNode("Comp")
    node.registerDataProduct("P", gravity.TCP)
    node.subscribe("P", Locking())
    with lock:
        node.publish(product("P", "x"))
        assert called.wait(10)
        del node
        gc.collect()
    eventually(lambda: threads() <= before)


def test_an_address_can_be_used_again_at_once(cluster: Cluster, free_port: Callable[[], int]) -> None:
    port = free_port()
    cluster.configure(f"MinPort = {port}\nMaxPort = {port}")
    node, provider = cluster.node(), GravityServiceProvider()
    for _ in range(5):
        assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS
        assert node.unregisterDataProduct("P") == gravity.SUCCESS
        assert node.registerService("S", gravity.TCP, provider) == gravity.SUCCESS
        assert node.unregisterService("S") == gravity.SUCCESS


@pytest.mark.parametrize("end", ["closed", "dropped"])
def test_a_hundred_nodes_leave_nothing_behind(
    cluster: Cluster, product: Product, threads: Callable[[], int], eventually: Eventually, end: str
) -> None:
    def run_one() -> None:
        node = GravityNode("Comp")
        node.registerDataProduct("P", gravity.TCP)
        node.subscribe("P", GravitySubscriber())
        node.publish(product("P", "x"))
        if end == "closed":
            node.close()

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    run_one()
    running, open_ = threads(), descriptors()
    for _ in range(100):
        run_one()
    eventually(lambda: threads() <= running)
    eventually(lambda: descriptors() <= open_)
    if end == "closed":
        assert cluster.publishers("P") == []


_PROGRAM = """
import os, signal, sys
from gravity import GravityNode, gravity
node = GravityNode()
assert node.init("Comp") == gravity.SUCCESS
assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS
print("registered", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize(
    ("ending", "code", "left"),
    [
        ("", 0, 0),
        ("sys.exit(3)", 3, 0),
        ("1 // 0", 1, 0),
        ("os.kill(os.getpid(), signal.SIGINT); node.waitForExit()", -2, 0),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, 1),
    ],
    ids=["end", "exit", "error", "ctrl-c", "kill"],
)
def test_the_end_of_a_program_withdraws_its_registrations(
    cluster: Cluster, ending: str, code: int, left: int
) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM + ending],
        cwd=cluster.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with program:
        assert program.stdout is not None
        assert program.stdout.readline() == "registered\n"
        assert len(cluster.publishers("P")) == 1
        program.communicate("\n", timeout=20)
    assert program.returncode == code
    assert len(cluster.publishers("P")) == left


def test_a_node_logs_to_nobody_elses_log(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        cluster.publisher("P")
    assert caplog.records == []


# ---- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fault"), [("x" * 256, "has 256 characters, more than 255"), ("a\nb", "has unprintable characters")]
)
def test_names_that_cannot_be_registered(
    cluster: Cluster, name: str, fault: str, library_lines: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    node, provider = cluster.node(), GravityServiceProvider()
    assert node.registerDataProduct(name, gravity.TCP) == gravity.INVALID_PARAMETER
    assert node.registerService(name, gravity.TCP, provider) == gravity.INVALID_PARAMETER
    assert len(library_lines) == 1 and library_lines[0].endswith(f": its name {fault}")
    assert GravityNode().init(name) == gravity.INVALID_PARAMETER
    assert capfd.readouterr().err == f"Gravity: the component id {fault}\n"


def test_a_refusal_of_the_directory_is_a_conflict(cluster: Cluster) -> None:
    cluster.directory._registry._limits = DirectoryLimits(publishers=1, services=2)
    one, two, provider = cluster.publisher("P"), cluster.node("Two"), GravityServiceProvider()
    assert two.registerDataProduct("P", gravity.TCP) == gravity.REGISTRATION_CONFLICT
    assert two.registerService("S", gravity.TCP, provider) == gravity.SUCCESS
    assert one.registerService("T", gravity.TCP, provider) == gravity.REGISTRATION_CONFLICT


@pytest.mark.parametrize(("ip", "lines"), [("127.0.0.1", 0), ("10.77.0.2", 1)])
def test_a_node_that_other_hosts_can_reach_says_so(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, library_lines: list[str], ip: str, lines: int
) -> None:
    monkeypatch.setattr(GravityNode, "getIP", lambda _: ip)
    cluster.node()
    assert library_lines == [f"listening at {ip}, where other hosts can reach this node"] * lines
