"""Domains over loopback: nodes find their Service Directory by broadcast, and directories follow each other."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zmq

from gravity import GravityDataProduct, GravityNode, GravityServiceProvider, GravitySubscriber, gravity
from gravity.directory.server import BroadcastSettings, ServiceDirectory
from gravity.io import Options, broadcast
from gravity.protocol.directory_messages import (
    Broadcast,
    Kind,
    Lookup,
    decode_request,
    encode_broadcast,
    encode_publishers_reply,
)
from gravity.protocol.names import DOMAIN_DETAILS
from gravity.ServiceDirectoryDomainUpdatePB_pb2 import ServiceDirectoryDomainUpdatePB

if TYPE_CHECKING:
    from .conftest import Cluster, Eventually

Product = Callable[[str, str], GravityDataProduct]

LOOPBACK = "127.255.255.255"
STARTED = 1_700_000_000


class Network:
    """Directories and nodes that speak over one UDP port of the loopback interface."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def directory(self, domain: str, url: str = "tcp://127.0.0.1") -> ServiceDirectory:
        """A silent one; `send` or `tell` speak for it."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        directory = ServiceDirectory(f"{url}:{port}", domain, Options())
        self._stack.callback(directory.close)
        return directory

    def send(self, datagram: bytes) -> None:
        broadcast(datagram, LOOPBACK, self.port)

    def tell(self, domain: str, url: str, started: int = STARTED, rate: int = 1) -> None:
        self.send(encode_broadcast(Broadcast(domain, url, started, rate)))

    def broadcasting(self, rate: int = 1) -> BroadcastSettings:
        return BroadcastSettings(LOOPBACK, self.port, rate)

    def configure(self, domain: str, timeout: int = 10) -> None:
        (self.folder / "Gravity.ini").write_text(
            f'[general]\nDomain = "{domain}"\nServiceDirectoryBroadcastPort = {self.port}\n'
            f"ServiceDirectoryBroadcastTimeout = {timeout}\nNoConfigServer = true\n"
        )

    def node_at(self, directory: ServiceDirectory, component_id: str = "Node") -> GravityNode:
        """A node that is told where its directory is."""
        text = f'[general]\nServiceDirectoryURL = "{directory.url}"\nNoConfigServer = true\n'
        (self.folder / "Gravity.ini").write_text(text)
        node = self.new_node()
        assert node.init(component_id) == gravity.SUCCESS
        return node

    def listening_node(self, domain: str, component_id: str) -> GravityNode:
        """A node that listens to broadcasts from now on; `init` has yet to wait for one."""
        self.configure(domain, timeout=1)
        node = self.new_node()
        node._running = node._configure(component_id)
        return node

    def new_node(self) -> GravityNode:
        node = GravityNode()
        self._stack.callback(node.close)
        return node


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        yield Network(tmp_path, stack)


class Keeping(GravitySubscriber):
    """Keeps what it receives."""

    def __init__(self) -> None:
        super().__init__()
        self.products: list[GravityDataProduct] = []

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        self.products += dataProducts

    @property
    def texts(self) -> list[str]:
        return [p.data.decode() for p in self.products]


class Speaker:
    """Tells the same again and again, like a directory, but faster and as often as the test needs."""

    def __init__(self, network: Network, domain: str, directory: ServiceDirectory) -> None:
        self.say = lambda: network.tell(domain, directory.url)

    def until(self, condition: Callable[[], object], eventually: Eventually) -> None:
        last = 0.0

        def spoken() -> object:
            nonlocal last
            if time.monotonic() - last > 0.1:
                self.say()
                last = time.monotonic()
            return condition()

        eventually(spoken)


# ---- a node finds its directory ----------------------------------------------------------------------------------


def test_a_node_finds_its_directory(network: Network, product: Product, eventually: Eventually) -> None:
    network.directory("home").broadcast(network.broadcasting())
    network.configure("home")
    publisher, subscriber = network.new_node(), network.new_node()
    assert publisher.init("Publisher") == gravity.SUCCESS
    assert subscriber.init("Subscriber") == gravity.SUCCESS
    assert (publisher.getDomain(), publisher.getIP()) == ("home", "127.0.0.1")
    publisher.registerDataProduct("P", gravity.TCP)
    publisher.publish(product("P", "x"))
    collector = Keeping()
    subscriber.subscribe("P", collector)
    eventually(lambda: [(p.data, p.domain) for p in collector.products] == [(b"x", "home")])


def test_nothing_is_heard(network: Network) -> None:
    network.configure("home", timeout=1)
    node = network.new_node()
    begin = time.monotonic()
    assert node.init("Comp") == gravity.FAILURE
    assert 0.9 <= time.monotonic() - begin < 5
    directory = network.directory("home")
    directory.broadcast(network.broadcasting())
    assert node.init("Comp") == gravity.SUCCESS


def test_what_is_not_the_domains_directory_is_ignored(network: Network, library_lines: list[str]) -> None:
    directory, other = network.directory("home"), network.directory("away")
    node = network.listening_node("home", "Comp")
    for domain in ("away", "Home", "hom", "home.x", ""):
        network.tell(domain, other.url)
    for garbage in (b"", b"\xff" * 300, b"\x0a\x05ab", bytes(range(256))):
        network.send(garbage)
    assert node.init("Comp") == gravity.FAILURE
    network.tell("home", directory.url)
    assert node.init("Comp") == gravity.SUCCESS
    assert node.getDomain() == "home"
    assert library_lines == []


@pytest.mark.parametrize("url", ["udp://127.0.0.1:5", "tcp://nowhere.invalid:5555", "two words"])
def test_a_broadcast_that_leads_nowhere(
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
    library_lines: list[str],
    url: str,
) -> None:
    def unknown(host: str) -> str:
        if host == "127.0.0.1":
            return host
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.gethostbyname", unknown)
    directory = network.directory("home")
    node = network.listening_node("home", "Comp")
    network.tell("home", url)
    eventually(lambda: library_lines)
    [line] = library_lines
    assert line.startswith("cannot use a broadcast of domain home: ") and "\n" not in line
    network.tell("home", directory.url, STARTED + 1)
    assert node.init("Comp") == gravity.SUCCESS


def test_an_url_goes_before_a_domain(network: Network, cluster: Cluster) -> None:
    cluster.configure('Domain = "home"')
    assert cluster.node().getDomain() == ""


# ---- a directory that starts anew --------------------------------------------------------------------------------


class Providing(GravityServiceProvider):
    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        answer = GravityDataProduct("Answer")
        answer.data = b"y"
        return answer


def registrations(directory: ServiceDirectory) -> dict[tuple[str, str], list[tuple[str, str, int]]]:
    """What nodes have registered, by kind and name: url, component, and timestamp."""
    message = directory._registry.map()
    return {
        (kind, entry.product_id): list(zip(entry.url, entry.component_id, entry.timestamp, strict=True))
        for kind, entries in (("product", message.data_provider), ("service", message.service_provider))
        for entry in entries
        if list(entry.component_id) != ["ServiceDirectory"]
    }


def join(
    network: Network, directory: ServiceDirectory, *component_ids: str, started: int = STARTED
) -> list[GravityNode]:
    """Nodes that have found `directory` by its broadcasts."""
    nodes = []
    for component_id in component_ids:
        node = network.listening_node(directory._registry.domain, component_id)
        network.tell(directory._registry.domain, directory.url, started)
        assert node.init(component_id) == gravity.SUCCESS
        nodes.append(node)
    return nodes


def test_a_newer_start_is_followed(network: Network, product: Product, eventually: Eventually) -> None:
    """Products and services are registered as they were, and subscribers hear of new publishers."""
    old = network.directory("home")
    publisher, subscriber, provider = join(network, old, "Publisher", "Subscriber", "Provider")
    providing, collector = Providing(), Keeping()

    def heard() -> list[str]:
        """Without repetitions: a subscriber that is back before its publisher hears the last product again."""
        return list(dict.fromkeys(collector.texts))

    publisher.registerDataProduct("P", gravity.TCP)
    publisher.registerDataProduct("Q", gravity.TCP)
    publisher.startHeartbeat(1_000_000)
    provider.registerService("S", gravity.TCP, providing)
    subscriber.subscribe("P", collector)
    publisher.publish(product("P", "before"))
    eventually(lambda: collector.texts == ["before"])
    before = registrations(old)
    assert len(before) == 4
    new = network.directory("home")  # at other addresses, since the old one still has its own
    old.close()

    network.tell("home", new.url, STARTED + 1)
    eventually(lambda: registrations(new) == before)
    publisher.publish(product("P", "after"))
    eventually(lambda: heard() == ["before", "after"])

    [newcomer] = join(network, new, "Newcomer", started=STARTED + 1)
    newcomer.registerDataProduct("P", gravity.TCP)
    newcomer.publish(product("P", "newcomer's"))
    eventually(lambda: heard() == ["before", "after", "newcomer's"])
    answer = newcomer.request("S", product("R", "x"), 10_000)
    assert answer is not None and answer.data == b"y"
    assert publisher.unregisterDataProduct("Q") == gravity.SUCCESS
    assert ("product", "Q") not in registrations(new)


@pytest.mark.parametrize("started", [STARTED, STARTED - 1, 0])
def test_no_newer_start_is_not_followed(network: Network, eventually: Eventually, started: int) -> None:
    old, other = network.directory("home"), network.directory("home")
    [node] = join(network, old, "Comp")
    node.registerDataProduct("P", gravity.TCP)
    network.tell("home", other.url, started)
    newest = network.directory("home")
    network.tell("home", newest.url, STARTED + 1)
    eventually(lambda: ("product", "P") in registrations(newest))
    assert registrations(other) == {}


# ---- directories that follow each other ----------------------------------------------------------------------------


def updates(collector: Keeping) -> list[tuple[str, str, list[str]]]:
    messages = [ServiceDirectoryDomainUpdatePB.FromString(p.data) for p in collector.products]
    name = ServiceDirectoryDomainUpdatePB.UpdateType.Name
    return [(name(m.type), m.update_domain, list(m.known_domains)) for m in messages]


def lookup_urls(directory: ServiceDirectory, id: str, domain: str) -> list[str]:
    return [p.url for p in directory._registry.publishers(id, domain)]


def test_two_domains(network: Network, product: Product, eventually: Eventually) -> None:
    """With the broadcasts that a directory sends by itself."""
    here, there = network.directory("AA"), network.directory("BB")
    watcher, told = network.node_at(here, "Watcher"), Keeping()
    watcher.subscribe("ServiceDirectory_DomainUpdate", told)
    publisher = network.node_at(there, "Publisher")
    publisher.registerDataProduct("P", gravity.TCP)
    publisher.publish(product("P", "x"))
    here.follow(["*"], network.port)
    here.broadcast(network.broadcasting())
    there.broadcast(network.broadcasting())

    eventually(lambda: lookup_urls(here, "P", "BB"))
    collector = Keeping()
    watcher.subscribe("P", collector, "", "BB")
    eventually(lambda: collector.texts == ["x"])
    assert collector.products[0].domain == "BB"
    assert lookup_urls(here, "P", "AA") == []
    eventually(lambda: updates(told) == [("ADD", "BB", ["BB"])])

    there.close()
    eventually(lambda: not lookup_urls(here, "P", "BB"))
    assert registrations(here) == {}
    eventually(lambda: updates(told)[1:] == [("REMOVE", "BB", [])])


@pytest.fixture
def domains(network: Network, eventually: Eventually) -> tuple[ServiceDirectory, ServiceDirectory]:
    """AA follows BB, which has offered P before."""
    here, there = network.directory("AA"), network.directory("BB")
    here.follow(["BB"], network.port)
    network.node_at(there, "Publisher").registerDataProduct("P", gravity.TCP)
    Speaker(network, "BB", there).until(lambda: lookup_urls(here, "P", "BB"), eventually)
    return here, there


def test_changes_of_another_domain(
    network: Network, domains: tuple[ServiceDirectory, ServiceDirectory], product: Product, eventually: Eventually
) -> None:
    """Offers that come and go later; subscribers here hear of them."""
    here, there = domains
    speaker = Speaker(network, "BB", there)
    watcher, collector = network.node_at(here, "Watcher"), Keeping()
    watcher.subscribe("Q", collector, "", "BB")
    provider, providing = network.node_at(there, "Provider"), Providing()
    provider.registerDataProduct("Q", gravity.TCP)
    provider.publish(product("Q", "x"))
    provider.registerService("S", gravity.TCP, providing)
    speaker.until(lambda: collector.texts == ["x"], eventually)
    speaker.until(lambda: here._registry.service("S", "BB"), eventually)
    answer = watcher.request("S", product("R", "x"), 10_000, "BB")
    assert answer is not None and (answer.data, answer.domain) == (b"y", "BB")
    assert watcher.request("S", product("R", "x"), 10_000) is None
    assert registrations(here) == registrations(there)

    provider.unregisterDataProduct("Q")
    provider.unregisterService("S")
    speaker.until(lambda: not lookup_urls(here, "Q", "BB") and not here._registry.service("S", "BB"), eventually)
    assert len(lookup_urls(here, "P", "BB")) == 1


def test_a_new_start_of_another_domain(
    network: Network, domains: tuple[ServiceDirectory, ServiceDirectory], eventually: Eventually
) -> None:
    """What the old one had is dropped, what the new one has is known."""
    here, _ = domains
    new = network.directory("BB")
    network.node_at(new, "Publisher").registerDataProduct("N", gravity.TCP)
    network.tell("BB", new.url, STARTED + 1)
    eventually(lambda: lookup_urls(here, "N", "BB"))
    assert lookup_urls(here, "P", "BB") == []


def test_what_is_not_wanted_is_ignored(
    network: Network, domains: tuple[ServiceDirectory, ServiceDirectory], product: Product, eventually: Eventually
) -> None:
    """Domains that are not listed, one's own, and garbage."""
    here, there = domains
    other, double = network.directory("CC"), network.directory("AA")
    for directory, domain in ((other, "CC"), (double, "AA")):
        network.node_at(directory, "Publisher").registerDataProduct("P", gravity.TCP)
        for _ in range(4):
            network.tell(domain, directory.url)
            network.send(b"\xff")
    new = network.node_at(there, "Publisher")
    new.registerDataProduct("N", gravity.TCP)
    Speaker(network, "BB", there).until(lambda: lookup_urls(here, "N", "BB"), eventually)
    assert lookup_urls(here, "P", "CC") == lookup_urls(here, "P", "AA") == []


def test_two_broadcasts_are_not_enough(network: Network, eventually: Eventually) -> None:
    here, there, other = network.directory("AA"), network.directory("BB"), network.directory("CC")
    here.follow(["BB", "CC"], network.port)
    for directory, domain, times in ((there, "BB", 2), (other, "CC", 3)):
        network.node_at(directory, "Publisher").registerDataProduct("P", gravity.TCP)
        for _ in range(times):
            network.tell(domain, directory.url)
    eventually(lambda: lookup_urls(here, "P", "CC"))
    assert lookup_urls(here, "P", "BB") == []
    network.tell("BB", there.url)
    eventually(lambda: lookup_urls(here, "P", "BB"))


def test_a_dead_directory_keeps_no_other_domain_waiting(network: Network, eventually: Eventually) -> None:
    """One that broadcasts, but takes no question."""
    here, there = network.directory("AA"), network.directory("CC")
    network.node_at(there, "Publisher").registerDataProduct("P", gravity.TCP)
    here.follow(["*"], network.port)
    with socket.create_server(("127.0.0.1", 0)) as dead:
        for _ in range(3):
            network.tell("BB", f"tcp://127.0.0.1:{dead.getsockname()[1]}")
        dead.accept()[0].close()
        for _ in range(3):
            network.tell("CC", there.url)
        eventually(lambda: lookup_urls(here, "P", "CC"), 2.5)


def test_a_directory_that_answers_late_is_asked_again(
    network: Network, raw: Callable[[int], zmq.Socket[bytes]], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """The first question is lost, the next has an answer without an address, then one with nonsense."""
    monkeypatch.setattr("gravity.directory.synchroniser.TICK", 0.01)
    monkeypatch.setattr("gravity.directory.synchroniser.PATIENCE", 0.1)
    here, there = network.directory("AA"), network.directory("BB")
    network.node_at(there, "Publisher").registerDataProduct("P", gravity.TCP)
    here.follow(["*"], network.port)
    odd = raw(zmq.ROUTER)
    port = odd.bind_to_random_port("tcp://127.0.0.1")
    for _ in range(3):
        network.tell("BB", f"tcp://127.0.0.1:{port}")
    where = encode_publishers_reply("", "", there._registry.publishers(DOMAIN_DETAILS, "BB"))
    for reply in (None, encode_publishers_reply("", "", []), b"\xff", where):
        peer, empty, question = odd.recv_multipart()
        assert decode_request(question) == Lookup(DOMAIN_DETAILS, Kind.DATA, "BB")
        if reply is not None:
            odd.send_multipart([peer, empty, reply])
    eventually(lambda: lookup_urls(here, "P", "BB"))
    assert not odd.poll(200)
