"""How a node addresses the Service Directory, and how long it waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import zmq

from gravity.io import Transport, TransportError
from gravity.protocol.directory_messages import GetDomain, Kind, Unregistration, encode_domain_reply, encode_request
from gravity.roles.directory_client import DirectoryClient, NoDirectory, parse_url

Raw = Callable[[int], zmq.Socket[bytes]]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("", ("localhost", 5555)),
        ("tcp://localhost:5555", ("localhost", 5555)),
        ("tcp://localhost:1", ("localhost", 1)),
        ("tcp://host:65535", ("host", 65535)),
        ("tcp://10.0.0.1:24000", ("10.0.0.1", 24000)),
        ("tcp://host", ("host", 5555)),
        ("host", ("host", 5555)),
        ("host:24000", ("host", 24000)),
        ("tcp://*:5555", ("localhost", 5555)),
        ("tcp://:7", ("localhost", 7)),
        (" tcp://localhost:5555 ", ("localhost", 5555)),
        ("tcp://localhost:5555/", ("localhost", 5555)),
    ],
)
def test_parse_url(url: str, address: tuple[str, int]) -> None:
    assert parse_url(url) == address


@pytest.mark.parametrize(
    "url",
    ["udp://host:1", "tcp://host:0", "tcp://host:65536", "tcp://host:x", "tcp://a b:1", "tcp://host:1:2", "a/b"],
)
def test_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"ServiceDirectoryURL is .*; write it like tcp://host:5555"):
        parse_url(url)


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


@pytest.fixture
def answering(raw: Raw) -> Iterator[Callable[[Callable[[bytes], bytes | None]], str]]:
    """`answering(answer)` is the url of somebody who answers so, or not at all if the answer is None."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def answering(answer: Callable[[bytes], bytes | None]) -> str:
        router = raw(zmq.ROUTER)
        port = router.bind_to_random_port("tcp://127.0.0.1")

        def serve() -> None:
            while not stop.is_set():
                if router.poll(20):
                    *envelope, request = router.recv_multipart()
                    reply = answer(request)
                    if reply is not None:
                        router.send_multipart([*envelope, reply])
            router.close()

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return f"tcp://localhost:{port}"

    yield answering
    stop.set()
    for thread in threads:
        thread.join()


Answering = Callable[[Callable[[bytes], bytes | None]], str]


def test_one_attempt_may_be_lost(transport: Transport, answering: Answering) -> None:
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes | None:
        asked.append(request)
        return encode_domain_reply("home") if len(asked) == 3 else None

    client = DirectoryClient(transport, answering(answer))
    assert client.domain(attempts=3, timeout=0.2) == "home"
    assert asked == [encode_request(GetDomain())] * 3


def test_nobody_answers(transport: Transport, answering: Answering) -> None:
    asked: list[bytes] = []
    client = DirectoryClient(transport, answering(asked.append))
    with pytest.raises(NoDirectory, match=r"no Service Directory answers at tcp://127\.0\.0\.1:"):
        client.domain(attempts=3, timeout=0.05)
    assert len(asked) == 3


@pytest.mark.parametrize("reply", [b"", b"\xff", b"hello", encode_domain_reply("x")])
def test_what_answers_is_no_directory(transport: Transport, answering: Answering, reply: bytes) -> None:
    client = DirectoryClient(transport, answering(lambda _: reply))
    with pytest.raises(NoDirectory, match="is not a Service Directory"):
        client.unregister(Unregistration("id", "url", Kind.DATA, 1))


def test_withdrawing_in_a_hurry_does_not_wait(transport: Transport, answering: Answering) -> None:
    asked: list[bytes] = []
    client = DirectoryClient(transport, answering(asked.append))
    with pytest.raises(NoDirectory):
        client.unregister(Unregistration("id", "url", Kind.DATA, 1), patiently=False)
    assert len(asked) == 1


def test_this_host(transport: Transport) -> None:
    client = DirectoryClient(transport, "tcp://localhost:1234")
    assert (client.url, client.ip, client.is_local) == ("tcp://127.0.0.1:1234", "127.0.0.1", True)


def test_an_unknown_host(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: str) -> str:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.gethostbyname", unknown)
    with pytest.raises(TransportError, match="the host 'nowhere' is unknown"):
        DirectoryClient(transport, "tcp://nowhere:5555")
