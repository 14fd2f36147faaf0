"""One end of a measurement: a publisher or a subscriber, in a process of its own.

    messaging_worker.py publisher|subscriber gravity|plain COUNT [ADDRESS...]

COUNT data products are published in turn or subscribed to. With "gravity", whichever package `gravity` there is
does it; with "plain", pyzmq and protobuf alone put the same frames on the same sockets. Commands come as lines
on standard input, answers go as lines of JSON to standard output. This file runs by its path, so that an
unchanged original can stand in for `gravity`: it imports nothing else of this project.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
import time
from array import array
from collections.abc import Callable

BATCH = 1000  # as many messages as ours hands on at a time
PROBE = 2**64 - 1  # the number of messages that only ask whether the connection stands
_payload = struct.Struct("<QQ")  # number, time of sending in ns: 16 bytes

Publish = Callable[[int, bytes], object]  # which data product, payload
Filled = Callable[[list[bytes]], None]


def answer(**values: object) -> None:
    """Tell the benchmark."""
    print(json.dumps(values), flush=True)


class Received:
    """The received messages: their numbers, and their latencies in nanoseconds."""

    def __init__(self) -> None:
        self.connected = set[int]()
        self.clear(0)

    def clear(self, first: int) -> None:
        """Forget everything; what comes late, of numbers below `first`, does not count."""
        self.from_number = first
        self.numbers = array("Q")
        self.latencies = array("q")
        self.cpu = time.process_time()
        self.first = self.last = 0

    def fill(self, payloads: list[bytes]) -> None:
        """Take the payloads of one callback."""
        now = time.monotonic_ns()
        for payload in payloads:
            number, sent = _payload.unpack(payload)
            if number == PROBE:
                self.connected.add(sent)
            elif number >= self.from_number:
                self.numbers.append(number)
                self.latencies.append(now - sent)
        self.first = self.first or now
        self.last = now

    def report(self, total: int) -> dict[str, object]:
        """Wait until `total` messages have come, or nothing for a second, and say what has come."""
        seen, quiet_since = 0, time.monotonic()
        while len(self.numbers) < total and time.monotonic() < quiet_since + 1:
            if seen != len(self.numbers):
                seen, quiet_since = len(self.numbers), time.monotonic()
            time.sleep(0.02)
        seen = len(self.numbers)
        used = time.process_time() - self.cpu
        ordered = sorted(self.latencies)
        at = [ordered[int(q * (seen - 1))] / 1000 if seen else None for q in (0.5, 0.99)]
        return {
            "received": seen,
            "repeated": seen - len(set(self.numbers)),
            "seconds": (self.last - self.first) / 1e9,
            "cpu": used,
            "p50": at[0],
            "p99": at[1],
        }


def gravity_publisher(count: int) -> Publish:
    """Return how to publish with the package `gravity`."""
    from gravity import GravityDataProduct, GravityNode, gravity

    node = GravityNode()
    assert node.init("BenchPublisher") == gravity.SUCCESS
    products = [GravityDataProduct(f"Bench{n}") for n in range(count)]
    for product in products:
        assert node.registerDataProduct(product.dataProductID, gravity.TCP, False) == gravity.SUCCESS
    answer(ready=True)

    def publish(which: int, payload: bytes) -> None:
        product = products[which]
        product.data = payload
        node.publish(product)

    return publish


def gravity_subscriber(count: int, filled: Filled) -> object:
    """Subscribe with the package `gravity`; return what must be kept."""
    from gravity import GravityNode, GravitySubscriber, gravity

    class Subscriber(GravitySubscriber):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            GravitySubscriber.__init__(self)

        def subscriptionFilled(self, dataProducts) -> None:  # type: ignore[no-untyped-def]
            filled([product.data for product in dataProducts])

    node, subscriber = GravityNode(), Subscriber()
    assert node.init(f"BenchSubscriber{os.getpid()}") == gravity.SUCCESS
    for n in range(count):
        assert node.subscribe(f"Bench{n}", subscriber) == gravity.SUCCESS
    answer(ready=True)
    return node, subscriber


def plain_publisher(count: int) -> Publish:
    """Return how to publish with pyzmq and protobuf, as their guides have it."""
    import zmq

    from gravity.GravityDataProductPB_pb2 import GravityDataProductPB

    sockets, envelopes, context = [], [], zmq.Context()
    for n in range(count):
        sockets.append(context.socket(zmq.XPUB))
        sockets[-1].bind("tcp://127.0.0.1:*")
        fields = {"dataProductID": f"Bench{n}", "componentID": "BenchPublisher", "domain": ""}
        envelopes.append(GravityDataProductPB(registration_time=int(time.time()), **fields))  # type: ignore[arg-type]
    answer(addresses=[s.get_string(zmq.LAST_ENDPOINT) for s in sockets])

    def publish(which: int, payload: bytes) -> None:
        envelope = envelopes[which]
        envelope.timestamp = time.time_ns() // 1000
        envelope.data = payload
        sockets[which].send_multipart([b"", envelope.SerializeToString()])

    return publish


def plain_subscriber(addresses: list[str], filled: Filled) -> object:
    """Subscribe with pyzmq and protobuf, as their guides have it; return what must be kept."""
    import zmq

    from gravity.GravityDataProductPB_pb2 import GravityDataProductPB

    poller, context = zmq.Poller(), zmq.Context()
    for address in addresses:
        socket = context.socket(zmq.SUB)
        socket.subscribe(b"")
        socket.connect(address)
        poller.register(socket, zmq.POLLIN)

    def take(socket: zmq.Socket[bytes]) -> list[bytes]:
        payloads: list[bytes] = []
        try:
            while len(payloads) < BATCH:
                _, frame = socket.recv_multipart(zmq.NOBLOCK)
                envelope = GravityDataProductPB.FromString(frame)
                payloads.append(envelope.data)
        except zmq.Again:
            pass
        return payloads

    def run() -> None:
        while True:
            for socket, _ in poller.poll():
                filled(take(socket))

    threading.Thread(target=run, daemon=True).start()
    answer(ready=True)
    return context


def publish_paced(publish: Publish, count: int, rate: float, first: int, total: int) -> None:
    """Publish `total` messages, numbered from `first`, `rate` a second (0: as fast as it goes); say how that went."""
    clock = time.monotonic_ns
    pack, used, begin = _payload.pack, time.process_time(), clock()
    for number in range(total):
        if rate:
            due = begin + int(number / rate * 1e9)
            while (early := due - clock()) > 0:
                time.sleep(early / 1e9)
        publish(number % count, pack(first + number, clock()))
    answer(sent=total, seconds=(clock() - begin) / 1e9, cpu=time.process_time() - used)


def run_publisher(publish: Publish, count: int) -> None:
    """Obey: `probe`, or `RATE FIRST TOTAL`."""
    for line in sys.stdin:
        if line == "probe\n":
            for n in range(count):
                publish(n, _payload.pack(PROBE, n))
            answer(probed=True)
        else:
            rate, first, total = line.split()
            publish_paced(publish, count, float(rate), int(first), int(total))


def run_subscriber(received: Received, count: int) -> None:
    """Obey: `connected`, `clear FIRST`, or `report TOTAL`."""
    for line in sys.stdin:
        match line.split():
            case ["connected"]:
                answer(connected=len(received.connected) == count)
            case ["clear", first]:
                received.clear(int(first))
                answer(cleared=True)
            case ["report", total]:
                answer(**received.report(int(total)))


def main(role: str, kind: str, text: str, *addresses: str) -> None:
    """Be the end that the arguments ask for."""
    count = int(text)
    if role == "publisher":
        run_publisher(gravity_publisher(count) if kind == "gravity" else plain_publisher(count), count)
    else:
        received = Received()
        kept = (
            gravity_subscriber(count, received.fill)
            if kind == "gravity"
            else plain_subscriber(list(addresses), received.fill)
        )
        run_subscriber(received, count)
        del kept


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # an original does not end by itself
