"""Recorded sessions of the reference, played again with one side of ours: it says the same, byte for byte."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest
import zmq

from gravity import (
    GravityDataProduct,
    GravityNode,
    GravityRequestor,
    GravityServiceProvider,
    GravitySubscriber,
    gravity,
)
from gravity.directory.state.registry import Announcement, MapChanged, PublishersChanged, Registry
from gravity.io import broadcast
from gravity.protocol import names
from gravity.protocol.directory_messages import (
    Broadcast,
    DirectoryCode,
    Kind,
    Lookup,
    Publisher,
    Registration,
    Request,
    Unregistration,
    decode_request,
    encode_broadcast,
    encode_code_reply,
    encode_domain_reply,
    encode_publishers_reply,
    encode_request,
    publishers_pb,
)
from gravity.protocol.envelope import decode_data_product, encode
from gravity.roles.provider import RegisteredService, answer
from gravity.ServiceDirectoryDomainUpdatePB_pb2 import ServiceDirectoryDomainUpdatePB
from gravity.ServiceDirectoryMapPB_pb2 import ProductChange, ProductLocations, ServiceDirectoryMapPB

if TYPE_CHECKING:
    from .conftest import Cluster, Eventually, Recorded

Raw = Callable[[int], zmq.Socket[bytes]]
Sessions = dict[str, list["Recorded"]]

MAP = "gravity.ServiceDirectoryMapPB"
LIST = "gravity.ComponentDataLookupResponsePB"


def payloads(lines: list[Recorded], kind: str, type_name: str) -> list[bytes]:
    """The payloads of this type in lines of this kind."""
    products = [decode_data_product(line.frames[-1]) for line in lines if line.kind == kind]
    return [p.data for p in products if p.type_name == type_name]


def requests(lines: list[Recorded]) -> list[Request]:
    return [decode_request(line.frames[0]) for line in lines if line.kind == "request"]


def is_watch(request: Request) -> bool:
    return isinstance(request, Lookup) and request.id == names.REGISTERED_PUBLISHERS


# ---- filters ---------------------------------------------------------------------------------------------------


def test_what_the_filters_let_through(recorded: Sessions) -> None:
    """Once the cached messages, the last of each filter, and then the news; again the cached ones for Receiver."""
    seen = []
    for line in recorded["filters"]:
        if line.kind == "published":
            product = decode_data_product(line.frames[1])
            seen.append((line.frames[0], product.data, product.is_cached_dataproduct))
    first = [(b"alphabet", b"two", True), (b"alpha", b"four", True)]
    assert seen[:4] == [*first, (b"alphabet", b"seven", False), (b"alpha", b"nine", False)]
    assert sorted(seen[4:]) == [(b"alpha", b"nine", True)] * 2 + [(b"alphabet", b"seven", True)] * 2


# ---- services --------------------------------------------------------------------------------------------------


class Exchange(NamedTuple):
    question: bytes
    answer: bytes


@pytest.fixture
def exchanges(recorded: Sessions) -> list[Exchange]:
    """What went to Echo and came back: synchronously, asynchronously, and synchronously without data."""
    frames = {kind: [r.frames[0] for r in recorded["services"] if r.kind == kind] for kind in ("question", "answer")}
    return [Exchange(q, a) for q, a in zip(frames["question"], frames["answer"], strict=False)]


@pytest.fixture
def registration(recorded: Sessions) -> Registration:
    """Of Echo."""
    [found] = [r for r in requests(recorded["services"]) if isinstance(r, Registration)]
    return found


class Echo(GravityServiceProvider):
    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        response = GravityDataProduct("Answer")
        response.data = b"echo " + dataProduct.data
        response.softwareVersion = "2.0"
        return response


def test_answers(exchanges: list[Exchange], registration: Registration) -> None:
    assert registration.timestamp is not None
    offer = RegisteredService("Echo", registration.url, registration.timestamp, Echo(), "Provider", "")
    assert [answer(offer, e.question, 1000) for e in exchanges] == [e.answer for e in exchanges]
    assert len(exchanges) == 3


def test_questions(
    exchanges: list[Exchange], registration: Registration, cluster: Cluster, raw: Raw, eventually: Eventually
) -> None:
    """Our Asker asks what the reference's did, and is content with the same answers."""
    echo = raw(zmq.REP)
    echo.rcvtimeo = 5000
    url = f"tcp://127.0.0.1:{echo.bind_to_random_port('tcp://127.0.0.1')}"
    cluster.directory._registry.register(replace(registration, url=url))
    asked = []

    def serve() -> None:
        for exchange in exchanges:
            asked.append(echo.recv())
            echo.send(exchange.answer)

    class Answers(GravityRequestor):
        texts: list[bytes] = []  # noqa: RUF012

        def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
            self.texts.append(response.data)

    def question(text: bytes, version: str = "") -> GravityDataProduct:
        product = GravityDataProduct("Question")
        product.data = text
        if version:
            product.softwareVersion = version
        return product

    server = threading.Thread(target=serve)
    server.start()
    node, answers = cluster.node("Asker"), Answers()
    first = node.request("Echo", question(b"x"), 3000)
    assert node.request("Echo", question(b"y", "3.1"), answers, "id 7", 3000) == gravity.SUCCESS
    eventually(lambda: answers.texts == [b"echo y"])
    last = node.request("Echo", question(b""), 3000)
    server.join()
    assert asked == [e.question for e in exchanges]
    assert first is not None and last is not None and (first.data, last.data) == (b"echo x", b"echo ")


# ---- a directory's restart ---------------------------------------------------------------------------------------


@pytest.fixture
def directory(raw: Raw) -> Iterator[tuple[str, list[bytes]]]:
    """The address of a directory that answers as the recorded ones did, and what it has been asked so far.

    Questions for its own updates are not counted: our nodes ask them also to notice a restart.
    """
    asked: list[bytes] = []
    replies = raw(zmq.REP)
    port = replies.bind_to_random_port("tcp://127.0.0.1")
    ending = threading.Event()

    def serve() -> None:
        while not ending.is_set():
            if replies.poll(20):
                frame = replies.recv()
                request = decode_request(frame)
                if not is_watch(request):
                    asked.append(frame)
                match request:
                    case Lookup(names.REGISTERED_PUBLISHERS):
                        where = [Publisher("tcp://127.0.0.1:1", "ServiceDirectory", 1)]
                        replies.send(encode_publishers_reply("", "", where))
                    case Lookup(id):
                        replies.send(encode_publishers_reply(id, "", []))
                    case Registration(id):
                        replies.send(encode_code_reply(id, DirectoryCode.SUCCESS))
                    case _:
                        replies.send(encode_domain_reply(""))

    server = threading.Thread(target=serve)
    server.start()
    yield f"tcp://127.0.0.1:{port}", asked
    ending.set()
    server.join()


def test_a_restart_of_the_directory(
    recorded: Sessions,
    cluster: Cluster,
    directory: tuple[str, list[bytes]],
    free_port: Callable[[], int],
    eventually: Eventually,
) -> None:
    """Our Islander tells what the reference's did, in the same order; only its addresses and times differ."""
    url, asked = directory
    lines = recorded["directory-restart"]
    told = [
        line.frames[0] for line in lines if line.kind == "request" and not is_watch(decode_request(line.frames[0]))
    ]
    before = len([r for r in requests(lines[: [line.kind for line in lines].index("restart")]) if not is_watch(r)])
    port = free_port()
    cluster.folder.joinpath("Gravity.ini").write_text(
        f'[general]\nDomain = "Isle"\nServiceDirectoryBroadcastPort = {port}\nNoConfigServer = true\n'
    )

    def tell(started: int) -> None:
        broadcast(encode_broadcast(Broadcast("Isle", url, started, 1)), "127.255.255.255", port)

    with GravityNode() as node:
        provider, subscriber = Echo(), GravitySubscriber()
        node._running = node._configure("Islander")
        tell(5)
        assert node.init("Islander") == gravity.SUCCESS
        node.registerDataProduct("Tide", gravity.TCP, True)
        node.registerDataProduct("Wind", gravity.TCP)
        node.registerService("Ferry", gravity.TCP, provider)
        node.subscribe("News", subscriber)
        assert len(asked) == before
        tell(6)
        eventually(lambda: len(asked) >= len(told))
        frames = list(asked)

    ours, theirs = (list(map(decode_request, side)) for side in (frames, told))
    registered = [[r for r in side if isinstance(r, Registration)] for side in (ours, theirs)]
    for side in registered:  # the second time as the first, only that nothing is said of relays
        assert side[3:] == [replace(r, is_relay=None) for r in side[:3]]
    values = {r.id: (r.url, r.timestamp) for r in registered[1]}
    alike = [
        replace(r, url=values[r.id][0], timestamp=values[r.id][1]) if isinstance(r, Registration) else r for r in ours
    ]
    assert [encode_request(r) for r in alike] == told


# ---- domains -----------------------------------------------------------------------------------------------------


def registrations(kind: Kind, entries: list[ProductLocations]) -> list[Registration]:
    return [
        Registration(entry.product_id, url, kind, component_id, timestamp)
        for entry in entries
        for url, component_id, timestamp in zip(entry.url, entry.component_id, entry.timestamp, strict=True)
    ]


def own(details: bytes) -> list[Registration]:
    """What a directory has registered of its own, by the map that it publishes."""
    message = ServiceDirectoryMapPB.FromString(details)
    services = registrations(Kind.SERVICE, list(message.service_provider))
    found = services + registrations(Kind.DATA, list(message.data_provider))
    return [r for r in found if r.component_id == "ServiceDirectory"]


def test_the_details_of_a_domain(recorded: Sessions) -> None:
    """Our directory of Away, with the same registrations, publishes the same maps and answers with the same."""
    lines = recorded["domains"]
    details = payloads(lines, "published", MAP)
    away = Registry("Away")
    for registration in sorted(own(details[0]), key=lambda r: r.timestamp or 0):
        last = away.register(registration)
    published = [change_published(away, last)]
    for request in requests(lines):
        if isinstance(request, Registration):
            published.append(change_published(away, away.register(request)))
        elif isinstance(request, Unregistration):
            published.append(change_published(away, away.unregister(request)[1]))
    assert list(dict.fromkeys(details)) == published  # some came twice, as a cached message too
    last_change = ServiceDirectoryMapPB.FromString(details[-1]).change
    assert (last_change.product_id, last_change.change_type) == ("Coffee", ProductChange.REMOVE)


def change_published(directory: Registry, announcements: list[Announcement]) -> bytes:
    [change] = [a.change for a in announcements if isinstance(a, MapChanged)]
    return encode(directory.map(change, directory.domain))


def test_what_a_neighbour_makes_of_the_details(recorded: Sessions) -> None:
    """Our directory of Home publishes the same lists of Away's publishers, and answers with the same map."""
    lines = recorded["domains"]
    details = list(dict.fromkeys(payloads(lines, "published", MAP)))
    of_home = [ServiceDirectoryMapPB.FromString(a) for a in payloads(lines, "answer", MAP)[1:]]
    home = Registry("Home")
    for kind, entries in ((Kind.SERVICE, of_home[0].service_provider), (Kind.DATA, of_home[0].data_provider)):
        for registration in registrations(kind, [e for e in entries if list(e.domain_id) == ["Home"]]):
            home.register(registration)
    lists = [
        lists_published(home, home.replace_domain("Away", ServiceDirectoryMapPB.FromString(d))) for d in details[-2:]
    ]
    assert encode(home.map()) == encode(of_home[1])
    seen = [d for d in payloads(lines, "published", LIST) if b"Away" in d]
    added, dropped, left = seen[:6], seen[6], seen[7:]
    assert set(lists[0]) == set(added[:4] + added[5:])  # of two new publishers of Tea we tell at once
    assert lists[1] == [dropped]
    assert set(left) <= set(lists_published(home, home.remove_domain("Away")))  # the reference forgets some


def lists_published(directory: Registry, announcements: list[Announcement]) -> list[bytes]:
    changed = [(a.id, a.domain) for a in announcements if isinstance(a, PublishersChanged)]
    return [encode(publishers_pb(id, domain, directory.publishers(id, domain))) for id, domain in changed]


def test_what_is_told_of_domains(recorded: Sessions) -> None:
    [came, went] = [
        ServiceDirectoryDomainUpdatePB.FromString(d)
        for d in payloads(recorded["domains"], "published", "gravity.ServiceDirectoryDomainUpdatePB")
    ]
    ADD, REMOVE = ServiceDirectoryDomainUpdatePB.ADD, ServiceDirectoryDomainUpdatePB.REMOVE
    assert (list(came.known_domains), came.type, came.update_domain) == (["Away"], ADD, "Away")
    assert (list(went.known_domains), went.type, went.update_domain) == ([], REMOVE, "Away")
