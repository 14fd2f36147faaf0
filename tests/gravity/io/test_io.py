"""Sockets and the loop: addresses, requests, slow subscribers, and a thread that survives its handlers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import zmq

from gravity.io import Loop, Options, Receiver, Sender, Transport, TransportError
from gravity.protocol.codes import INPROC, IPC, PGM, TCP

if TYPE_CHECKING:
    from .conftest import Eventually

Socket = zmq.Socket[bytes]
Raw = Callable[[int], Socket]
OpenSender = Callable[..., Sender]
Attach = Callable[..., Socket]

LOCAL = "127.0.0.1"


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop("test")
    yield loop
    loop.stop()


@pytest.fixture
def open_sender(transport: Transport) -> Iterator[OpenSender]:
    """`open_sender(id="P", kind=TCP)` is a bound sender."""
    opened: list[Sender] = []

    def open_sender(id: str = "P", kind: int = TCP) -> Sender:
        sender = transport.sender(kind, id, LOCAL)
        assert sender is not None
        opened.append(sender)
        return sender

    yield open_sender
    for sender in opened:
        sender.close()


@pytest.fixture
def attach(raw: Raw) -> Attach:
    """`attach(sender, topic, **options)` is a subscriber as ZeroMQ has it."""

    def attach(to: Sender, topic: bytes, **options: int) -> Socket:
        attached = raw(zmq.SUB)
        for name, value in options.items():
            setattr(attached, name, value)
        attached.subscribe(topic)
        attached.connect(to.url)
        return attached

    return attach


def only_port(port: int) -> Options:
    return Options(min_port=port, max_port=port)


def is_free(port: int) -> bool:
    """Whether another ZeroMQ socket could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCAL, port))
        except OSError:
            return False
        return True


# ---- addresses -----------------------------------------------------------------------------------------------


def test_ports_are_dealt_in_turn(
    transport: Transport, open_sender: OpenSender, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two owners of a port cannot have registered in the same second; the turn comes round after a second or more."""
    first = free_port()
    transport.options = Options(min_port=first, max_port=first + 150)

    def dealt(at: float) -> int:
        monkeypatch.setattr("time.monotonic_ns", lambda: round(at * 1e9))
        sender = open_sender()
        sender.close()
        return int(sender.url.rsplit(":", 1)[1]) - first

    turns = [dealt(7 * 1.51 + at) for at in (0, 0.1, 0.5, 1, 1.5)]
    for turn, expected in zip(turns, (0, 10, 50, 100, 150), strict=True):
        assert 0 <= turn - expected < 10 or turn < expected == 150  # the next free one
    assert dealt(8 * 1.51) < 10


@pytest.mark.parametrize("open_", [Transport.sender, Transport.responder])
def test_no_port_is_free(
    transport: Transport, free_port: Callable[[], int], open_: Callable[[Transport, int, str, str], object]
) -> None:
    with socket.create_server((LOCAL, 0)) as taken:
        transport.options = only_port(taken.getsockname()[1])
        assert open_(transport, TCP, "P", LOCAL) is None


def test_an_empty_range_of_ports(transport: Transport) -> None:
    transport.options = Options(min_port=24001, max_port=24000)
    assert transport.sender(TCP, "P", LOCAL) is None


def test_other_transports(transport: Transport, open_sender: OpenSender, unique_id: str) -> None:
    assert open_sender("P", INPROC).url == "inproc://P"
    opened = open_sender(unique_id, IPC)
    assert opened.url == f"ipc:///tmp/{unique_id}"
    opened.unbind()
    assert transport.sender(PGM, "P", LOCAL) is None


def test_an_unbound_address_is_free_soon(
    transport: Transport, open_sender: OpenSender, free_port: Callable[[], int], eventually: Eventually
) -> None:
    transport.options = only_port(free_port())
    for _ in range(20):
        open_sender().unbind()
        eventually(lambda: is_free(transport.options.min_port))


@pytest.mark.parametrize("url", ["nonsense", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "udp://127.0.0.1:1"])
def test_no_address(transport: Transport, url: str) -> None:
    with pytest.raises(TransportError, match="cannot connect to"):
        transport.request(url, b"", 0.1)
    with pytest.raises(TransportError, match="cannot connect to"):
        transport.receiver(url)


def test_a_taken_address(transport: Transport) -> None:
    with (
        socket.create_server((LOCAL, 0)) as taken,
        pytest.raises(TransportError, match="cannot listen at tcp://127"),
    ):
        transport.responder_at(f"tcp://{LOCAL}:{taken.getsockname()[1]}")


def test_options_reach_the_sockets(transport: Transport, open_sender: OpenSender) -> None:
    transport.options = Options(publish_hwm=7, subscribe_hwm=8, keep_alive=(100, 3, 20))
    publisher = open_sender()
    receiver = transport.receiver(publisher.url)
    assert receiver.socket.rcvhwm == 8
    assert publisher._socket.sndhwm == 7
    for kept in (receiver.socket, publisher._socket):
        assert (kept.tcp_keepalive, kept.tcp_keepalive_idle) == (1, 100)
        assert (kept.tcp_keepalive_cnt, kept.tcp_keepalive_intvl) == (3, 20)
    receiver.close()


# ---- requests ------------------------------------------------------------------------------------------------


def test_request(transport: Transport, loop: Loop, free_port: Callable[[], int]) -> None:
    responder = transport.responder_at(f"tcp://{LOCAL}:{free_port()}")
    loop.call(lambda: loop.watch(responder, lambda: responder.serve(lambda frame: frame[::-1])))
    assert transport.request(responder.url, b"abc", 10) == b"cba"
    assert [transport.request(responder.url, bytes([n]), 10) for n in range(5)] == [bytes([n]) for n in range(5)]


def test_nobody_answers(transport: Transport, free_port: Callable[[], int]) -> None:
    begin = time.monotonic()
    assert transport.request(f"tcp://{LOCAL}:{free_port()}", b"abc", 0.1) is None
    assert 0.09 <= time.monotonic() - begin < 5


# ---- subscribers ---------------------------------------------------------------------------------------------


def test_who_subscribes(open_sender: OpenSender, attach: Attach, eventually: Eventually) -> None:
    publisher = open_sender()
    assert not publisher.has_subscribers and not publisher.take_subscriptions()
    one = attach(publisher, b"a")
    eventually(publisher.take_subscriptions)
    two = attach(publisher, b"a")
    eventually(publisher.take_subscriptions)  # the same topic, but a new subscriber
    three = attach(publisher, b"b")
    eventually(publisher.take_subscriptions)
    for leaving in (one, three):
        leaving.close()
        assert publisher.has_subscribers
    two.close()

    def all_gone() -> bool:
        assert not publisher.take_subscriptions()  # whoever leaves is not new
        return not publisher.has_subscribers

    eventually(all_gone)


def test_a_stuck_subscriber_does_not_hold_up_the_others(
    transport: Transport,
    open_sender: OpenSender,
    attach: Attach,
    library_lines: list[str],
    eventually: Eventually,
) -> None:
    """Who never reads costs the publisher one pause; who reads gets every message."""
    transport.options = Options(publish_hwm=5)
    publisher = open_sender()
    stuck = attach(publisher, b"", rcvhwm=1, rcvbuf=4096)
    eventually(publisher.take_subscriptions)
    healthy = attach(publisher, b"")
    eventually(publisher.take_subscriptions)
    received: list[bytes] = []

    def read() -> None:
        while len(received) < 200:
            received.append(healthy.recv_multipart()[1][:4])

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    pauses = []
    for n in range(200):
        before = time.monotonic()
        publisher.send((b"", n.to_bytes(4, "big") + bytes(200_000)))
        pauses.append(time.monotonic() - before)
        eventually(lambda sent=n: len(received) > sent)
    assert sum(pause > 0.9 for pause in pauses) == 1
    assert max(pauses) < 5
    assert publisher.overflows == 1
    assert library_lines == [f"a subscriber of {publisher.url} is too slow: it is missing messages"]
    reader.join(10)
    assert received == [n.to_bytes(4, "big") for n in range(200)]
    assert stuck.poll(1000)  # it was connected all the time


def test_a_busy_subscriber_is_waited_for(
    transport: Transport, open_sender: OpenSender, attach: Attach, eventually: Eventually
) -> None:
    """A pause of less than a second, with a full queue, costs no message."""
    transport.options = Options(publish_hwm=5)
    publisher = open_sender()
    busy = attach(publisher, b"", rcvhwm=1, rcvbuf=4096)
    eventually(publisher.take_subscriptions)
    received: list[int] = []

    def read() -> None:
        time.sleep(0.3)
        while len(received) < 100:
            received.append(int.from_bytes(busy.recv_multipart()[1][:4], "big"))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for n in range(100):
        publisher.send((b"", n.to_bytes(4, "big") + bytes(100_000)))
    reader.join(30)
    assert received == list(range(100))
    assert publisher.overflows == 0


def test_waiting_in_vain_does_not_cost_a_second_each_time(
    transport: Transport, open_sender: OpenSender, attach: Attach, library_lines: list[str], eventually: Eventually
) -> None:
    """Who reads everything now and then, after longer than a second, gets what fits; the publisher goes on."""
    transport.options = Options(publish_hwm=5)
    publisher = open_sender()
    lazy = attach(publisher, b"", rcvhwm=1, rcvbuf=4096)
    eventually(publisher.take_subscriptions)
    pauses = []
    for _ in range(4):
        overflows = publisher.overflows
        begin = time.monotonic()
        while publisher.overflows == overflows:
            publisher.send((b"", bytes(200_000)))
        pauses.append(time.monotonic() - begin)
        while lazy.poll(200):
            lazy.recv_multipart()
    assert pauses[0] > 0.9
    assert all(0.04 < pause < 0.7 for pause in pauses[1:])
    publisher.close()
    assert library_lines == [
        f"a subscriber of {publisher.url} is too slow: it is missing messages",
        f"subscribers of {publisher.url} were too slow 3 more times and missed messages each time",
    ]


# ---- receiving -------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(transport: Transport, loop: Loop, raw: Raw) -> Iterator[tuple[Socket, Receiver]]:
    """A publisher that is nothing but ZeroMQ, and a receiver that hears it."""
    publisher = raw(zmq.XPUB)
    publisher.sndhwm = 0
    url = f"tcp://{LOCAL}:{publisher.bind_to_random_port(f'tcp://{LOCAL}')}"
    receiver = transport.receiver(url)
    receiver.add_topic(b"")
    assert publisher.poll(5000) and publisher.recv() == b"\x01"
    yield publisher, receiver
    receiver.close()


@pytest.mark.parametrize(
    "messages",
    [
        [[b"", b"frame"]],
        [[b"filter", b"frame"], [b"", b""], [b"x", b"last"]],
        [[b"alone"]],
        [[b"", b"between", b"last"]],
        [[b"", b"one"], [b"alone"], [b"", b"two"], [b"", b"three"]],
        [[b"alone"], [b"alone too"], [b"", b"one"]],
        [[b"alone"], [b"", b"b", b"three"], [b"", b"one"]],
    ],
)
def test_whatever_a_publisher_sends_its_pairs_arrive(
    pair: tuple[Socket, Receiver], messages: list[list[bytes]], eventually: Eventually
) -> None:
    publisher, receiver = pair
    for message in [*messages, [b"filter", b"the end"]]:
        publisher.send_multipart(message)
    received: list[bytes] = []

    def all_has_come() -> bool:
        received.extend(receiver.receive())
        return received[-1:] == [b"the end"]

    eventually(all_has_come)
    pairs = [message[1] for message in messages if len(message) == 2]
    assert [frame for frame in received if frame in pairs] == pairs


def test_a_flood_arrives_whole(pair: tuple[Socket, Receiver], loop: Loop, eventually: Eventually) -> None:
    """More than one batch, of which the descriptor signals the beginning only."""
    publisher, receiver = pair
    received: list[bytes] = []
    for n in range(5000):
        publisher.send_multipart([b"", n.to_bytes(2, "big")])
    loop.call(lambda: loop.watch(receiver, lambda: received.extend(receiver.receive())))
    eventually(lambda: len(received) == 5000)
    publisher.send_multipart([b"", b"later"])
    eventually(lambda: received[-1] == b"later")
    assert received[:-1] == [n.to_bytes(2, "big") for n in range(5000)]
    loop.call(lambda: loop.unwatch(receiver))


def test_a_full_queue_is_said(
    transport: Transport, raw: Raw, library_lines: list[str], eventually: Eventually
) -> None:
    transport.options = Options(subscribe_hwm=50)
    publisher = raw(zmq.XPUB)
    url = f"tcp://{LOCAL}:{publisher.bind_to_random_port(f'tcp://{LOCAL}')}"
    receiver = transport.receiver(url)
    receiver.add_topic(b"")
    assert publisher.poll(5000)
    for _ in range(2):
        for _ in range(500):
            publisher.send_multipart([b"", b"frame"])
        time.sleep(0.2)  # a slow callback
        while receiver.receive():
            time.sleep(0.05)
    receiver.close()
    assert library_lines[0].startswith(f"the receive queue for {url} was full 1 times")
    assert len(library_lines) == 2  # the second tells of the rest


# ---- the loop ------------------------------------------------------------------------------------------------


def test_calls_run_in_order_and_in_the_loops_thread(loop: Loop, eventually: Eventually) -> None:
    ran: list[tuple[int, str]] = []
    for n in range(100):
        loop.call(lambda n=n: ran.append((n, threading.current_thread().name)))
    eventually(lambda: len(ran) == 100)
    assert ran == [(n, "test") for n in range(100)]


def test_a_call_from_within_runs_at_once(loop: Loop, eventually: Eventually) -> None:
    ran: list[str] = []

    def outer() -> None:
        loop.call(lambda: ran.append("inner"))
        ran.append("outer")

    loop.call(outer)
    eventually(lambda: len(ran) == 2)
    assert ran == ["inner", "outer"]


def test_timers_ring_in_their_order(loop: Loop, eventually: Eventually) -> None:
    rang: list[tuple[str, float]] = []
    begin = time.monotonic()

    def set_timers() -> None:
        for name, delay in (("late", 0.1), ("early", 0.0), ("between", 0.05)):
            loop.call_at(begin + delay, lambda name=name: rang.append((name, time.monotonic() - begin)))

    loop.call(set_timers)
    eventually(lambda: len(rang) == 3)
    assert [name for name, _ in rang] == ["early", "between", "late"]
    assert rang[1][1] >= 0.05 and rang[2][1] >= 0.1


def test_errors_are_logged_and_the_loop_goes_on(loop: Loop, library_lines: list[str], eventually: Eventually) -> None:
    ran: list[int] = []
    loop.call(lambda: ran.append(1 // 0))
    loop.call(lambda: loop.call_at(0, lambda: ran.append([][0])))
    loop.call(lambda: ran.append(1))
    eventually(lambda: ran == [1] and len(library_lines) == 2)
    assert all("test: unexpected error" in line for line in library_lines)
    assert "ZeroDivisionError" in library_lines[0] and "IndexError" in library_lines[1]


def test_what_was_handed_over_before_the_end_runs(threads: Callable[[], int]) -> None:
    loop = Loop("short")
    ran: list[int] = []
    for n in range(100):
        loop.call(lambda n=n: ran.append(n))
    loop.stop()
    assert ran == list(range(100))
    assert threads() == 0


def test_a_loop_may_end_itself(threads: Callable[[], int], eventually: Eventually) -> None:
    loop = Loop("short")
    loop.call(loop.stop)
    eventually(lambda: threads() == 0)
    loop.call(lambda: None)  # too late, and harmless
    loop.stop()


def test_an_address_that_is_about_to_be_free_is_waited_for() -> None:
    """ZeroMQ leaves an address a moment after it was told to."""
    with socket.create_server((LOCAL, 0)) as taken:
        port = taken.getsockname()[1]
        transport = Transport(Options(min_port=port, max_port=port))
        leaving = threading.Timer(0.05, taken.close)
        leaving.start()
        responder = transport.responder(TCP, "S", LOCAL)
        leaving.join()
    transport.close()
    assert responder is not None


def test_closing_ends_requests_that_wait(transport: Transport, raw: Raw) -> None:
    silent = raw(zmq.REP)
    url = f"tcp://{LOCAL}:{silent.bind_to_random_port(f'tcp://{LOCAL}')}"
    replies: list[bytes | None] = []
    waiting = threading.Thread(target=lambda: replies.append(transport.request(url, b"question", None)))
    waiting.start()
    assert silent.poll(5000)
    transport.close()
    waiting.join(5)
    assert replies == [None]
    with pytest.raises(TransportError, match="closed"):
        transport.request(url, b"question", None)
