"""The Service Directory, and the program around it, spoken to with nothing but ZeroMQ."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zmq

from gravity.directory import server
from gravity.directory.__main__ import run
from gravity.directory.server import ServiceDirectory
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.io import Transport, TransportError
from gravity.log.notices import MOST_KINDS
from gravity.protocol.config import Parameters
from gravity.protocol.directory_messages import (
    DirectoryCode,
    GetDomain,
    Kind,
    Lookup,
    Publisher,
    Registration,
    Request,
    Service,
    UnknownRequest,
    Unregistration,
    decode_code_reply,
    decode_domain_reply,
    decode_publishers,
    decode_publishers_reply,
    decode_service_reply,
    encode_domain_reply,
    encode_empty_reply,
    encode_publishers_reply,
    encode_request,
)
from gravity.protocol.envelope import decode_data_product, parse
from gravity.protocol.names import DIRECTORY_SERVICE, DOMAIN_DETAILS, DOMAIN_UPDATE, REGISTERED_PUBLISHERS
from gravity.ServiceDirectoryMapPB_pb2 import ServiceDirectoryMapPB

if TYPE_CHECKING:
    from .conftest import Cluster, Recorded

Socket = zmq.Socket[bytes]
Raw = Callable[[int], Socket]
FreePort = Callable[[], int]

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND
DATA, SERVICE = Kind.DATA, Kind.SERVICE


class Program:
    """A running ServiceDirectory in a folder of its own."""

    def __init__(self, folder: Path, port: int, text: str = "", arguments: tuple[str, ...] = ()) -> None:
        (folder / "Gravity.ini").write_text(
            f'[general]\nServiceDirectoryURL = "tcp://localhost:{port}"\nNoConfigServer = true\n{text}\n'
        )
        self.url = f"tcp://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gravity.directory", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == f"ServiceDirectory: listening at {self.url}\n"

    def end(self) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        try:
            out, err = self.process.communicate(timeout=20)
        finally:
            self.process.kill()
        return self.process.returncode, out, err


Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path, free_port: FreePort) -> Iterator[Start]:
    """`start(text="", *arguments, port=…)` starts the program; `text` goes to its Gravity.ini."""
    with ExitStack() as running:

        def start(text: str = "", *arguments: str, port: int | None = None) -> Program:
            program = Program(tmp_path, port or free_port(), text, arguments)
            running.enter_context(program.process)
            running.callback(program.process.kill)
            return program

        yield start


@pytest.fixture
def program(start: Start) -> Program:
    program = start()
    program.wait_until_ready()
    return program


class Peer:
    """Asks the program as a node does, frame by frame."""

    def __init__(self, raw: Raw, url: str) -> None:
        self.raw = raw
        self.socket = raw(zmq.REQ)
        self.socket.connect(url)

    def ask(self, *frames: bytes) -> bytes:
        self.socket.send_multipart(frames)
        assert self.socket.poll(10_000)
        [reply] = self.socket.recv_multipart()
        return reply

    def request(self, request: Request) -> bytes:
        return self.ask(encode_request(request))

    def publishers(self, id: str, domain: str = "") -> list[str]:
        return [p.url for p in decode_publishers_reply(self.request(Lookup(id, DATA, domain)))]

    def register(self, id: str, url: str, at: int = NOW, kind: Kind = DATA, domain: str | None = None) -> None:
        reply = self.request(Registration(id, url, kind, "Comp", at, domain, is_relay=False))
        assert decode_code_reply(reply) is DirectoryCode.SUCCESS

    def unregister(self, id: str, url: str, time: int | None = NOW // SECOND, kind: Kind = DATA) -> DirectoryCode:
        return decode_code_reply(self.request(Unregistration(id, url, kind, time)))

    def listen(self, id: str, topic: bytes) -> Socket:
        [url] = self.publishers(id)
        listener = self.raw(zmq.SUB)
        listener.subscribe(topic)
        listener.connect(url)
        return listener


@pytest.fixture
def peer(cluster: Cluster, raw: Raw) -> Peer:
    """One that asks a directory in this process, which begins faster."""
    return Peer(raw, f"tcp://127.0.0.1:{cluster.port}")


def received(listener: Socket) -> tuple[bytes, GravityDataProductPB]:
    assert listener.poll(10_000)
    topic, frame = listener.recv_multipart()
    return topic, decode_data_product(frame)


# ---- requests and replies ------------------------------------------------------------------------------------


def comparable(reply: bytes) -> bytes:
    """A reply without what is the directory's own: where its data product is, and since when."""
    product = decode_data_product(reply)
    if product.type_name != "gravity.ComponentDataLookupResponsePB":
        return reply
    id, domain, publishers = decode_publishers(product.data)
    if id != REGISTERED_PUBLISHERS:
        return reply
    assert len(publishers) == 1
    return encode_publishers_reply(
        id, domain, [replace(p, url="tcp://127.0.0.1:1", registration_time=1) for p in publishers]
    )


def test_the_recorded_conversation(
    start: Start, free_port: FreePort, raw: Raw, recorded: dict[str, list[Recorded]]
) -> None:
    """The recorded requests get the recorded replies, but for a service's withdrawal, which succeeds here."""
    port = free_port()
    program = start(f"MinPort = {port}\nMaxPort = {port + 99}")  # not the ports of the recording
    program.wait_until_ready()
    peer = Peer(raw, program.url)
    lines = recorded["pubsub-service-heartbeat"]
    requests = [line.frames[0] for line in lines if line.kind == "request"]
    replies = [line.frames[0] for line in lines if line.kind == "reply"]
    answers = [peer.ask(request) for request in requests]
    assert [comparable(a).hex() for a in answers[:-1]] == [comparable(r).hex() for r in replies[:-1]]
    assert decode_code_reply(replies[-1]) is DirectoryCode.NOT_REGISTERED
    assert decode_code_reply(answers[-1]) is DirectoryCode.SUCCESS


def test_registration_and_lookup(peer: Peer) -> None:
    peer.register("P", "tcp://127.0.0.1:1")
    peer.register("P", "tcp://127.0.0.1:2")
    assert peer.publishers("P") == ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"]
    assert peer.unregister("P", "tcp://127.0.0.1:1", NOW // SECOND + 1) is DirectoryCode.NOT_REGISTERED
    assert peer.unregister("P", "tcp://127.0.0.1:1") is DirectoryCode.SUCCESS
    assert peer.publishers("P") == ["tcp://127.0.0.1:2"]


def test_services(peer: Peer) -> None:
    peer.register("S", "tcp://127.0.0.1:1", kind=SERVICE)
    found = decode_service_reply(peer.request(Lookup("S", SERVICE, "")))
    assert found == Service("tcp://127.0.0.1:1", NOW // SECOND)
    assert decode_service_reply(peer.request(Lookup("T", SERVICE, ""))) == Service("", 0)
    assert peer.unregister("S", "tcp://127.0.0.1:1", kind=SERVICE) is DirectoryCode.SUCCESS
    assert peer.unregister("S", "tcp://127.0.0.1:1", kind=SERVICE) is DirectoryCode.NOT_REGISTERED


def test_a_registration_without_a_timestamp_is_a_success_and_ignored(peer: Peer) -> None:
    reply = peer.request(Registration("P", "tcp://127.0.0.1:1", DATA, "Comp", None))
    assert decode_code_reply(reply) is DirectoryCode.SUCCESS
    assert peer.publishers("P") == []


def test_what_the_directory_offers_itself(peer: Peer) -> None:
    ids = [REGISTERED_PUBLISHERS, DOMAIN_DETAILS, DOMAIN_UPDATE]
    urls = [peer.publishers(id) for id in ids]
    assert all(len(found) == 1 and found[0].startswith("tcp://127.0.0.1:") for found in urls)
    assert decode_service_reply(peer.request(Lookup(DIRECTORY_SERVICE, SERVICE, ""))).url


@pytest.mark.parametrize("domain", ["", "home"])
def test_domain(start: Start, raw: Raw, domain: str) -> None:
    program = start(f'Domain = "{domain}"\nBroadcastEnabled = false')  # this test speaks to nobody else's network
    program.wait_until_ready()
    peer = Peer(raw, program.url)
    assert decode_domain_reply(peer.request(GetDomain())) == domain
    peer.register("P", "tcp://127.0.0.1:1")
    assert peer.publishers("P", domain) == peer.publishers("P") == ["tcp://127.0.0.1:1"]
    peer.register("P", "tcp://127.0.0.1:2", domain="far")
    assert peer.publishers("P", "far") == ["tcp://127.0.0.1:2"]
    assert peer.publishers("P") == ["tcp://127.0.0.1:1"]


def test_garbage_is_answered_and_survived(program: Program, raw: Raw) -> None:
    peer = Peer(raw, program.url)
    empty = encode_empty_reply()
    garbage = [b"", b"\xff" * 100, b"\x12\x09short", bytes(60_000), b"\x12\x02\xff\xfe", b"GET / HTTP/1.1\r\n\r\n"]
    garbage += [encode_request(Registration("P", "u", DATA, "C", 1))[:n] for n in (5, 25, 40)]
    for frame in garbage:
        assert peer.ask(frame) == empty
    for name in ("ComponentLookupRequest", "UnregistrationRequest", "What"):
        assert peer.request(UnknownRequest(name)) == empty
    assert peer.ask(encode_request(GetDomain()), b"and a second frame") == encode_domain_reply("")

    dealer = raw(zmq.DEALER)  # without the envelope that a reply needs
    dealer.connect(program.url)
    dealer.send(b"\xff")
    dealer.send_multipart([b"a", b"b", b"c"])
    host, port = "127.0.0.1", int(program.url.rsplit(":", 1)[1])
    with socket.create_connection((host, port)) as plain:  # no ZeroMQ at all
        plain.sendall(b"\x00" * 64 + b"GET / HTTP/1.1\r\n\r\n")
    peer.register("P", "tcp://127.0.0.1:1")
    assert peer.publishers("P") == ["tcp://127.0.0.1:1"]


def test_who_asks_and_leaves_does_not_matter(peer: Peer, cluster: Cluster, raw: Raw) -> None:
    for _ in range(50):
        leaving = raw(zmq.REQ)
        leaving.linger = 0
        leaving.connect(cluster.url)
        leaving.send(encode_request(GetDomain()))
        leaving.close()
    assert peer.publishers("P") == []


def test_many_ask_at_once(peer: Peer, cluster: Cluster, raw: Raw) -> None:
    def register(n: int) -> None:
        Peer(raw, cluster.url).register(f"P{n}", f"tcp://127.0.0.1:{n}")

    threads = [threading.Thread(target=register, args=(n,)) for n in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [peer.publishers(f"P{n}") for n in range(1, 21)] == [[f"tcp://127.0.0.1:{n}"] for n in range(1, 21)]


# ---- announcements ---------------------------------------------------------------------------------------------


def test_lists_of_publishers(peer: Peer) -> None:
    """Whoever subscribes gets the current list, marked as cached, and then each change."""
    peer.register("P", "tcp://127.0.0.1:1")
    peer.register("Q", "tcp://127.0.0.1:2")
    listener = peer.listen(REGISTERED_PUBLISHERS, b"P")

    topic, product = received(listener)
    assert topic == b"P"
    publisher = Publisher("tcp://127.0.0.1:1", "Comp", NOW // SECOND)
    assert decode_publishers(product.data) == ("P", "", [publisher])
    assert product.is_cached_dataproduct

    peer.register("P", "tcp://127.0.0.1:3")
    topic, product = received(listener)
    assert topic == b"P"
    id, domain, publishers = decode_publishers(product.data)
    assert (id, domain, [p.url for p in publishers]) == ("P", "", ["tcp://127.0.0.1:1", "tcp://127.0.0.1:3"])
    assert (product.dataProductID, product.componentID) == ("RegisteredPublishers", "ServiceDirectory")
    assert (product.protocol, product.type_name) == ("protobuf2", "gravity.ComponentDataLookupResponsePB")
    assert not product.HasField("is_cached_dataproduct")
    assert product.HasField("domain") and product.timestamp > NOW

    for url in ("tcp://127.0.0.1:1", "tcp://127.0.0.1:3"):
        peer.unregister("P", url)
    lists = [decode_publishers(received(listener)[1].data)[2] for _ in range(2)]
    assert [[p.url for p in publishers] for publishers in lists] == [["tcp://127.0.0.1:3"], []]


def test_lists_have_the_time_that_the_directory_is_registered_with(peer: Peer) -> None:
    """Also the very first of them, so that no subscriber takes the directory for stale."""
    reply = peer.request(Lookup(REGISTERED_PUBLISHERS, DATA, ""))
    [publisher] = decode_publishers_reply(reply)
    listener = peer.listen(REGISTERED_PUBLISHERS, b"")
    topics = set()
    for _ in range(3):
        topic, product = received(listener)
        topics.add(topic)
        assert product.registration_time == publisher.registration_time > 0
    assert topics == {b"RegisteredPublishers", b"ServiceDirectory_DomainDetails", b"ServiceDirectory_DomainUpdate"}


def test_a_repetition_is_not_announced(peer: Peer) -> None:
    peer.register("P", "tcp://127.0.0.1:1")
    listener = peer.listen(REGISTERED_PUBLISHERS, b"P")
    received(listener)
    peer.register("P", "tcp://127.0.0.1:1")
    peer.register("P", "tcp://127.0.0.1:2")
    publishers = decode_publishers(received(listener)[1].data)[2]
    assert [p.url for p in publishers] == ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"]


def test_domain_details(peer: Peer) -> None:
    listener = peer.listen(DOMAIN_DETAILS, b"")
    topic, product = received(listener)  # the last change so far: the directory's own
    assert topic == b"" and product.is_cached_dataproduct
    peer.register("P", "tcp://127.0.0.1:1")
    _, product = received(listener)
    message = parse(ServiceDirectoryMapPB, product.data)
    assert (message.change.product_id, message.change.url) == ("P", "tcp://127.0.0.1:1")
    assert message.change.change_type == message.change.ADD
    assert [p.product_id for p in message.data_provider] == [
        "P",
        "RegisteredPublishers",
        "ServiceDirectory_DomainDetails",
        "ServiceDirectory_DomainUpdate",
    ]
    peer.unregister("P", "tcp://127.0.0.1:1")
    message = parse(ServiceDirectoryMapPB, received(listener)[1].data)
    assert message.change.change_type == message.change.REMOVE


# ---- its service -------------------------------------------------------------------------------------------------


@pytest.fixture
def service(peer: Peer, raw: Raw) -> Peer:
    """The directory's service, asked as its users do."""
    return Peer(raw, decode_service_reply(peer.request(Lookup(DIRECTORY_SERVICE, SERVICE, ""))).url)


def test_get_providers(peer: Peer, service: Peer) -> None:
    peer.register("P", "tcp://127.0.0.1:1", NOW + 1)
    peer.register("P", "tcp://127.0.0.1:2", NOW + 2)
    peer.register("S", "tcp://127.0.0.1:3", NOW + 3, SERVICE)
    response = decode_data_product(service.request(UnknownRequest("GetProviders")))
    assert (response.dataProductID, response.componentID) == ("DirectoryServiceResponse", "ServiceDirectory")
    assert (response.type_name, response.protocol) == ("gravity.ServiceDirectoryMapPB", "protobuf2")
    assert response.registration_time > 0 and response.HasField("domain")
    message = parse(ServiceDirectoryMapPB, response.data)
    assert not message.HasField("change")
    [p] = [p for p in message.data_provider if p.product_id == "P"]
    assert (list(p.url), list(p.timestamp)) == (["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"], [NOW + 1, NOW + 2])
    assert list(p.component_id) == ["Comp", "Comp"] and list(p.domain_id) == [""]
    [directory, s] = message.service_provider
    assert (directory.product_id, s.product_id) == ("DirectoryService", "S")
    assert (list(s.url), list(s.timestamp)) == (["tcp://127.0.0.1:3"], [NOW + 3])


def test_other_requests_to_the_service(service: Peer) -> None:
    domain = decode_data_product(service.request(UnknownRequest("GetDomain")))
    assert domain.HasField("data") and domain.data == b""
    for frame in (b"\xff", b"", encode_request(UnknownRequest("What"))):
        response = decode_data_product(service.ask(frame))
        assert response.dataProductID == "DirectoryServiceResponse" and not response.HasField("data")


# ---- how it ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_signals(program: Program, number: signal.Signals, code: int) -> None:
    program.process.send_signal(number)
    assert program.end() == (code, "", "")


def test_an_end_with_nodes_around(program: Program, raw: Raw) -> None:
    peer = Peer(raw, program.url)
    peer.register("P", "tcp://127.0.0.1:1")
    received(peer.listen(REGISTERED_PUBLISHERS, b"P"))
    program.process.terminate()
    assert program.end() == (0, "", "")


def test_a_taken_port(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = start(port=port).end()
    assert (code, out) == (1, "")
    assert err.startswith("ServiceDirectory: cannot listen at") and err.count("\n") == 1
    assert str(port) in err and "Gravity.ini" in err


def test_no_port_for_its_own_products(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = start(f"MinPort = {port}\nMaxPort = {port}").end()
    assert (code, out) == (1, "")
    assert err.count("\n") == 1 and "MinPort" in err


def test_help(start: Start) -> None:
    code, out, err = start("", "--help").end()
    assert (code, err) == (0, "")
    assert out.startswith("usage: ServiceDirectory") and "Examples:" in out


def test_arguments(start: Start) -> None:
    code, out, err = start("", "now").end()
    assert (code, out) == (2, "")
    assert err.startswith("usage: ServiceDirectory")


def test_a_malformed_file(start: Start) -> None:
    code, out, err = start("a = tcp://x").end()
    assert (code, out) == (1, "")
    assert err.startswith("ServiceDirectory: Gravity.ini, line 4: ") and err.count("\n") == 1


def test_a_file_of_its_own(start: Start, tmp_path: Path, free_port: FreePort) -> None:
    port = free_port()
    (tmp_path / "ServiceDirectory.ini").write_text(f'[general]\nServiceDirectoryUrl = "tcp://*:{port}"\n')
    program = start()
    assert program.process.stdout is not None
    assert program.process.stdout.readline() == f"ServiceDirectory: listening at tcp://*:{port}\n"
    assert program.process.stdout.readline().startswith("ServiceDirectory: other hosts can reach it")


@pytest.mark.parametrize(
    ("url", "bound"),
    [
        ("", "tcp://127.0.0.1:5555"),
        ("tcp://127.0.0.1:1", "tcp://127.0.0.1:1"),
        ("tcp://localhost:1", "tcp://127.0.0.1:1"),
    ],
)
def test_it_listens_on_loopback_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, bound: str
) -> None:
    """If it cannot listen there, then nowhere."""
    tried: list[str] = []

    def refuse(_self: Transport, url: str) -> None:
        tried.append(url)
        raise TransportError("taken")

    monkeypatch.setattr(Transport, "responder_at", refuse)
    with pytest.raises(TransportError, match="taken; stop the program that uses port"):
        run(Parameters({"ServiceDirectoryURL": url}), tmp_path)
    assert tried == [bound]


def test_it_listens_everywhere_if_the_address_is_another_hosts(
    free_port: FreePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "local_address", lambda _: "127.0.0.1")  # there may be no route from here
    directory = ServiceDirectory(f"tcp://203.0.113.1:{(port := free_port())}")  # an address for documentation
    directory.close()
    assert directory.url == f"tcp://*:{port}" and not directory.is_private


def test_its_log(start: Start, tmp_path: Path, raw: Raw) -> None:
    program = start("GravityFileLogLevel = debug")
    program.wait_until_ready()
    Peer(raw, program.url).register("P", "tcp://127.0.0.1:1")
    program.process.terminate()
    program.end()
    assert (
        "ServiceDirectory-info] Comp registers P at tcp://127.0.0.1:1"
        in (tmp_path / "ServiceDirectory.log").read_text()
    )


def test_the_environment_does_not_matter(start: Start, monkeypatch: pytest.MonkeyPatch, raw: Raw) -> None:
    for name in [n for n in os.environ if n not in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")]:
        monkeypatch.delenv(name)
    program = start()
    program.wait_until_ready()
    assert Peer(raw, program.url).publishers("P") == []


def test_refusals_are_told_to_the_node_and_logged_in_a_bounded_number_of_lines(
    start: Start, raw: Raw, tmp_path: Path
) -> None:
    program = start("GravityFileLogLevel = warning")
    program.wait_until_ready()
    peer = Peer(raw, program.url)
    for number in range(2000):
        reply = peer.request(Registration(f"\x1b{number}", "tcp://127.0.0.1:1", DATA, "Comp", NOW))
        assert decode_code_reply(reply) is DirectoryCode.REGISTRATION_CONFLICT
    lines = (tmp_path / "ServiceDirectory.log").read_text().splitlines()
    assert len(lines) == MOST_KINDS + 1
    refused = r"refused \x1b0 of Comp at tcp://127.0.0.1:1: its name has unprintable characters"
    assert lines[0].endswith(f"ServiceDirectory-warning] {refused}")
    peer.register("P", "tcp://127.0.0.1:1")
