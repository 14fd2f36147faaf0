"""A cluster with a key: all goes on as without, and who does not have the key gets nothing and puts nothing in."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from .conftest import Cluster
from gravity import (
    GravityDataProduct,
    GravityHeartbeatListener,
    GravityNode,
    GravityRequestor,
    GravityServiceProvider,
    SpdLog,
    gravity,
)
from gravity.directory.server import BroadcastSettings, ServiceDirectory
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB
from gravity.io import CurveKey, Options, Transport, broadcast, now_us
from gravity.io.curve import make_key, read_key
from gravity.protocol.directory_messages import (
    Broadcast,
    Kind,
    Lookup,
    Registration,
    encode_broadcast,
    encode_request,
)
from gravity.protocol.names import DIRECTORY_SERVICE, LOG_PRODUCT, METRICS_PRODUCT, REGISTERED_PUBLISHERS
from gravity.roles.directory_client import DirectoryClient

if TYPE_CHECKING:
    from .conftest import Cluster, Eventually

Socket = zmq.Socket[bytes]
Raw = Callable[[int], Socket]
Product = Callable[[str, str], GravityDataProduct]
Shape = Callable[[Socket, CurveKey], None]

LOCAL = "127.0.0.1"
LOOPBACK = "127.255.255.255"
FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
KEYED = 'CurveKeyFile = "cluster.key"'


class Echo(GravityServiceProvider):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bytes] = []

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        self.asked.append(dataProduct.data)
        response = GravityDataProduct("Answer")
        response.data = b"echo " + dataProduct.data
        return response


class Answers(GravityRequestor):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[bytes] = []

    def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
        self.texts.append(response.data)


class Hearts(GravityHeartbeatListener):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def ReceivedHeartbeat(self, componentID: str, interval_in_microseconds: int) -> None:
        self.heard.append(componentID)


@pytest.fixture
def key(tmp_path: Path) -> CurveKey:
    make_key(tmp_path / "cluster.key")
    return read_key(tmp_path / "cluster.key")


@pytest.fixture
def cluster(cluster: Cluster) -> Cluster:
    cluster.configure(KEYED)
    return cluster


@pytest.fixture
def insider(key: CurveKey) -> Iterator[Transport]:
    """Of one who has the key, and may do with it what no node of ours does."""
    transport = Transport(key=key)
    yield transport
    transport.close()


# ---- with the key ----------------------------------------------------------------------------------------------


def test_data_products(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    """Cached ones, filtered ones, and those of publishers that come later, which the directory's notices tell."""
    early = cluster.subscriber(cluster.node("Early"), "P", "a")
    publisher = cluster.publisher("P")
    publisher.publish(product("P", "b1"), "b")
    publisher.publish(product("P", "a1"), "a")
    late = cluster.subscriber(cluster.node("Late"), "P")
    eventually(lambda: early.texts == ["a1"] and set(late.texts) == {"a1", "b1"})
    publisher.publish(product("P", "a2"), "a")
    eventually(lambda: early.texts == ["a1", "a2"] and late.texts[-1] == "a2")


@pytest.mark.parametrize("transport", [gravity.TCP, gravity.IPC])
def test_services(cluster: Cluster, product: Product, eventually: Eventually, unique_id: str, transport: int) -> None:
    echo, answers = Echo(), Answers()
    assert cluster.node("Provider").registerService(unique_id, transport, echo) == gravity.SUCCESS
    client = cluster.node("Client")
    answer = client.request(unique_id, product("Q", "x"), 10_000)
    assert answer is not None and answer.data == b"echo x"
    assert client.request(unique_id, product("Q", "y"), answers) == gravity.SUCCESS
    eventually(lambda: answers.texts == [b"echo y"])


def test_what_nodes_say_of_themselves(cluster: Cluster, eventually: Eventually) -> None:
    """Heartbeats, metrics and logs."""
    metrics = ("Enabled = true", "SamplePeriodSeconds = 1", "SamplesPerPublish = 1")
    levels = ("AppNetworkLogLevel = warning", "AppConsoleLogLevel = off")
    cluster.configure("\n".join((KEYED, *(f"GravityMetrics{setting}" for setting in metrics), *levels)))
    talker = cluster.node("Talker")
    cluster.configure(KEYED)
    listener, hearts = cluster.node("Listener"), Hearts()
    logs, samples = (cluster.subscriber(listener, id) for id in (LOG_PRODUCT, METRICS_PRODUCT))
    assert talker.startHeartbeat(20_000) == gravity.SUCCESS
    assert listener.registerHeartbeatListener("Talker", 50_000, hearts) == gravity.SUCCESS

    def logged() -> bool:
        SpdLog.warn("hello")
        messages = [GravityLogMessagePB.FromString(p.data).message for p in logs.products]
        return any("hello" in m for m in messages)

    eventually(logged)
    eventually(lambda: "Talker" in hearts.heard and samples.products)


def test_a_node_of_another_run_of_the_directory(
    cluster: Cluster, key: CurveKey, product: Product, eventually: Eventually
) -> None:
    """Nodes find each other again when the directory has restarted."""
    publisher = cluster.publisher("P")
    cluster.directory.close()
    cluster.directory = ServiceDirectory(cluster.url, "", Options(), key)
    late = cluster.subscriber(cluster.node("Late"), "P")
    publisher.publish(product("P", "x"))
    eventually(lambda: late.texts == ["x"], 20)


# ---- without it ------------------------------------------------------------------------------------------------


def without_key(_outsider: Socket, _key: CurveKey) -> None:
    pass


def with_another(outsider: Socket, _key: CurveKey) -> None:
    """As a node of another cluster, on whichever end."""
    public, secret = zmq.curve_keypair()
    outsider.curve_publickey, outsider.curve_secretkey = public, secret
    if outsider.type in (zmq.XPUB, zmq.REP):
        outsider.curve_server = True
    else:
        outsider.curve_serverkey = public


def with_the_public_half(outsider: Socket, key: CurveKey) -> None:
    """Of the cluster's key, and a key of its own."""
    with_another(outsider, key)
    if outsider.type not in (zmq.XPUB, zmq.REP):
        outsider.curve_serverkey = key.public


OUTSIDERS = pytest.mark.parametrize("shape", [without_key, with_another, with_the_public_half])


@pytest.fixture
def refused(raw: Raw, key: CurveKey) -> Callable[[int, str, Shape, bytes], Socket]:
    """`refused(kind, url, shape, frame)` is an outsider's socket that has tried to connect, and has been refused."""

    def refused(kind: int, url: str, shape: Shape, frame: bytes) -> Socket:
        outsider = raw(kind)
        shape(outsider, key)
        with outsider.get_monitor_socket(FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED) as monitor:
            outsider.connect(url)
            if kind == zmq.SUB:
                outsider.subscribe(frame)
            else:
                outsider.send(frame)
            assert monitor.poll(10_000)
            assert recv_monitor_message(monitor)["event"] != zmq.EVENT_HANDSHAKE_SUCCEEDED
            outsider.disable_monitor()
        return outsider

    return refused


@OUTSIDERS
def test_an_outsider_cannot_register_or_look_up(
    cluster: Cluster, insider: Transport, refused: Callable[..., Socket], shape: Shape
) -> None:
    publisher = cluster.publisher("P")
    forged = Registration("P", "tcp://127.0.0.1:9", Kind.DATA, "Evil", now_us(), is_relay=False)
    outsiders = [
        refused(zmq.REQ, f"tcp://{LOCAL}:{cluster.port}", shape, encode_request(request))
        for request in (forged, Lookup("P", Kind.DATA))
    ]
    [found] = DirectoryClient(insider, cluster.url).publishers("P", "")
    assert found.component_id == publisher.getComponentID()
    assert not any(o.poll(0) for o in outsiders)


@OUTSIDERS
def test_an_outsider_hears_neither_data_nor_notices(
    cluster: Cluster,
    insider: Transport,
    product: Product,
    eventually: Eventually,
    refused: Callable[..., Socket],
    shape: Shape,
) -> None:
    publisher = cluster.publisher("P")
    urls = [DirectoryClient(insider, cluster.url).publishers(id, "")[0].url for id in ("P", REGISTERED_PUBLISHERS)]
    outsiders = [refused(zmq.SUB, url, shape, b"") for url in urls]
    assert publisher.subscribersExist("P") == [gravity.SUCCESS, False]
    known = cluster.subscriber(cluster.node(), "P")
    eventually(lambda: publisher.subscribersExist("P") == [gravity.SUCCESS, True])
    publisher.publish(product("P", "x"))
    assert publisher.registerDataProduct("Q", gravity.TCP) == gravity.SUCCESS
    eventually(lambda: known.texts == ["x"])
    assert not any(o.poll(0) for o in outsiders)


@OUTSIDERS
def test_an_outsider_asks_no_service(
    cluster: Cluster, insider: Transport, product: Product, refused: Callable[..., Socket], shape: Shape
) -> None:
    echo = Echo()
    node = cluster.node()
    assert node.registerService("S", gravity.TCP, echo) == gravity.SUCCESS
    directory = DirectoryClient(insider, cluster.url)
    question = GravityDataProductPB(dataProductID="GetProviders").SerializeToString()
    outsiders = [refused(zmq.REQ, directory.service(id, "").url, shape, question) for id in ("S", DIRECTORY_SERVICE)]
    assert node.request("S", product("Q", "x"), 10_000) is not None
    assert echo.asked == [b"x"]
    assert not any(o.poll(0) for o in outsiders)


@OUTSIDERS
def test_an_outsider_in_a_publishers_place_is_not_heard(
    cluster: Cluster,
    insider: Transport,
    product: Product,
    eventually: Eventually,
    raw: Raw,
    key: CurveKey,
    shape: Shape,
) -> None:
    """As if it had taken the port of one that was killed: the directory still names the address."""
    evil = raw(zmq.XPUB)
    shape(evil, key)
    url = f"tcp://{LOCAL}:{evil.bind_to_random_port(f'tcp://{LOCAL}')}"
    registered = now_us()
    DirectoryClient(insider, cluster.url).register(
        Registration("P", url, Kind.DATA, "Killed", registered, is_relay=False)
    )
    with evil.get_monitor_socket(FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED) as monitor:
        listener = cluster.subscriber(cluster.node(), "P")
        assert monitor.poll(10_000)
        assert recv_monitor_message(monitor)["event"] != zmq.EVENT_HANDSHAKE_SUCCEEDED
        evil.disable_monitor()
    forged = GravityDataProductPB(dataProductID="P", componentID="Killed", domain="", data=b"forged")
    forged.registration_time, forged.timestamp = registered // 1_000_000, now_us()
    evil.send_multipart([b"", forged.SerializeToString()])
    publisher = cluster.publisher("P")
    publisher.publish(product("P", "x"))
    eventually(lambda: listener.texts == ["x"])
    assert not evil.poll(0), "it has got a subscription"


@OUTSIDERS
def test_an_outsider_in_a_providers_place_is_not_asked(
    cluster: Cluster, insider: Transport, product: Product, raw: Raw, key: CurveKey, shape: Shape
) -> None:
    evil = raw(zmq.REP)
    shape(evil, key)
    url = f"tcp://{LOCAL}:{evil.bind_to_random_port(f'tcp://{LOCAL}')}"
    DirectoryClient(insider, cluster.url).register(Registration("S", url, Kind.SERVICE, "Killed", now_us()))
    assert cluster.node().request("S", product("Q", "x"), 5_000) is None
    assert not evil.poll(0)


# ---- errors ----------------------------------------------------------------------------------------------------

REMEDY = "CurveKeyFile must name the same key in both"


@pytest.mark.parametrize("other", [False, True], ids=["without a key", "with another key"])
def test_a_node_that_the_directory_refuses(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], other: bool
) -> None:
    make_key(tmp_path / "other.key")
    cluster.configure('CurveKeyFile = "other.key"' if other else "")
    node = GravityNode()
    begin = time.monotonic()
    assert node.init("Node") == gravity.INVALID_PARAMETER
    assert time.monotonic() - begin < 3 or other  # another key does not show in one handshake
    reason = "does not have this node's key" if other else "requires a key, but this node has none"
    assert capsys.readouterr().err == f"Gravity: the program at tcp://{LOCAL}:{cluster.port} {reason}; {REMEDY}\n"
    node.close()


def test_a_node_whose_directory_has_no_key(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.directory.close()
    cluster.directory = ServiceDirectory(cluster.url)
    node = GravityNode()
    assert node.init("Node") == gravity.INVALID_PARAMETER
    assert capsys.readouterr().err.endswith(f"does not have this node's key; {REMEDY}\n")
    node.close()


def test_the_key_file_is_found_beside_the_configuration(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with GravityNode(ini=tmp_path / "Gravity.ini") as node:
        assert node.init("Node") == gravity.SUCCESS


def test_a_node_whose_key_is_missing(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.configure('CurveKeyFile = "missing.key"')
    assert GravityNode().init("Node") == gravity.INVALID_PARAMETER
    path = cluster.folder / "missing.key"
    assert capsys.readouterr().err.startswith(f"Gravity: {path}: CurveKeyFile names this file, but it is missing; ")


# ---- broadcasts --------------------------------------------------------------------------------------------------


@pytest.fixture
def udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def domain(
    tmp_path: Path, key: CurveKey, udp_port: int, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServiceDirectory]:
    """The silent directory of a domain whose nodes listen to broadcasts; Gravity.ini is theirs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Gravity.ini").write_text(
        f'[general]\nDomain = "plant"\nServiceDirectoryBroadcastPort = {udp_port}\nNoConfigServer = true\n{KEYED}\n'
    )
    directory = ServiceDirectory(f"tcp://{LOCAL}:{free_port()}", "plant", Options(), key)
    yield directory
    directory.close()


@pytest.fixture
def false_directories(key: CurveKey, free_port: Callable[[], int]) -> Iterator[list[str]]:
    """Addresses to which a forged broadcast may point.

    Nobody's, those of directories without the key and of another domain, and none at all.
    """
    nobody, *free = (f"tcp://{LOCAL}:{free_port()}" for _ in range(3))
    without, elsewhere = ServiceDirectory(free[0], "plant"), ServiceDirectory(free[1], "other", Options(), key)
    yield [nobody, *free, "not an address"]
    without.close()
    elsewhere.close()


def test_a_forged_broadcast_leads_no_node_away(
    domain: ServiceDirectory, udp_port: int, false_directories: list[str], eventually: Eventually
) -> None:
    """Neither before it has joined nor after."""
    future = 2**31

    def tell(urls: list[str], started: int) -> None:
        for url in urls:
            broadcast(encode_broadcast(Broadcast("plant", url, started, 1)), LOOPBACK, udp_port)

    with GravityNode() as node:
        node._running = running = node._configure("Node")  # it listens from now on
        tell(false_directories, future)
        domain.broadcast(BroadcastSettings(LOOPBACK, udp_port, 1))
        assert node.init("Node") == gravity.SUCCESS
        assert running.directory.url == domain.url
        tell(false_directories[1:], future)
        tell([domain.url], future + 1)
        eventually(lambda: running._discovery and running._discovery._started == future + 1)
        assert running.directory.url == domain.url
        assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS


def test_directories_synchronise(
    domain: ServiceDirectory,
    key: CurveKey,
    udp_port: int,
    free_port: Callable[[], int],
    false_directories: list[str],
    eventually: Eventually,
) -> None:
    """With the same key in both domains; a forged broadcast interrupts it until the next true one."""
    domain.broadcast(BroadcastSettings(LOOPBACK, udp_port, 1))
    follower = ServiceDirectory(f"tcp://{LOCAL}:{free_port()}", "office", Options(), key)
    follower.follow(["plant"], udp_port)
    followed = follower._registry
    eventually(lambda: followed.publishers(REGISTERED_PUBLISHERS, "plant"))
    for started, url in enumerate(false_directories):
        broadcast(encode_broadcast(Broadcast("plant", url, started + 1, 1)), LOOPBACK, udp_port)
    with GravityNode() as node:
        assert node.init("Node") == gravity.SUCCESS
        assert node.registerDataProduct("P", gravity.TCP) == gravity.SUCCESS
        eventually(lambda: followed.publishers("P", "plant"))
    follower.close()


def test_directories_with_different_keys_do_not(
    domain: ServiceDirectory,
    udp_port: int,
    free_port: Callable[[], int],
    eventually: Eventually,
    library_lines: list[str],
) -> None:
    domain.broadcast(BroadcastSettings(LOOPBACK, udp_port, 1))
    other = CurveKey(*zmq.curve_keypair())
    follower = ServiceDirectory(f"tcp://{LOCAL}:{free_port()}", "office", Options(), other)
    follower.follow(["plant"], udp_port)
    line = f"the directory of domain plant at {domain.url} does not answer with our key"
    eventually(lambda: line in library_lines, 20)
    assert not follower._registry.publishers(REGISTERED_PUBLISHERS, "plant")
    follower.close()
