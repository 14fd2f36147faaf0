"""What comes from the network does no harm: names without end, and bytes that are no messages."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from pathlib import Path
from random import Random

import zmq

from streams import points
from tests.soak.cluster import Cluster
from tests.soak.conftest import Soak
from tests.support import NODES, eventually

from gravity import GravityDataProduct, GravityNode, gravity

MOST_LINES = 150  # of the log, for one flood
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL".ljust(55, b"\x00")  # ZMTP 3.0's, as a client of ZeroMQ sends it


def log_lines(cluster: Cluster) -> int:
    """Return how many lines the nodes have written, on the console or into files, beside the scores."""
    printed = sum("MSE = " not in line for node in cluster.nodes.values() for line in [*node.lines, *node.errors])
    return printed + sum(len(file.read_bytes().splitlines()) for file in cluster.folder.path.glob("*.log"))


def listening_ports(cluster: Cluster) -> list[int]:
    """Return the ports at which the nodes listen."""
    sockets = set()
    for node in cluster.nodes.values():
        for descriptor in Path(f"/proc/{node.process.pid}/fd").iterdir():
            sockets.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in sockets]


def test_stream_names_without_end(detecting: Cluster, soak: Soak):
    """Another publisher sends points of ever new streams on the same data product."""
    count = 20_000
    before, lines, alarms = detecting.footprint("AnomalyDetector"), log_lines(detecting), len(detecting.alarms)
    with GravityNode(ini=detecting.folder.path / "Gravity.ini") as node:
        assert node.init("Flood") == gravity.SUCCESS
        assert node.registerDataProduct("AutoencoderExample", gravity.TCP) == gravity.SUCCESS
        eventually(lambda: node.subscribersExist("AutoencoderExample")[1])
        for number in range(count):
            product = GravityDataProduct("AutoencoderExample")
            product.data = points.message(f"stream {number}", time.time_ns() // 1000, 0.5)
            node.publish(product)
    detecting.streams(10)
    lines = log_lines(detecting) - lines
    memory = detecting.footprint("AnomalyDetector").memory - before.memory
    alarms = len(detecting.alarms) - alarms
    soak.report(f"{count} names: {lines} lines logged, {memory:+.1f} MB, {alarms} alarms")
    assert 0 < lines < MOST_LINES
    assert memory < 50
    assert not alarms


def send_at_random(context: zmq.Context[zmq.Socket[bytes]], port: int, dice: Random) -> None:
    """Connect with any kind of socket, and send a random message if it can."""
    with context.socket(dice.choice([zmq.DEALER, zmq.SUB, zmq.XSUB, zmq.REQ, zmq.PUSH])) as peer:
        peer.connect(f"tcp://127.0.0.1:{port}")
        if peer.type in (zmq.DEALER, zmq.XSUB):
            frames = [dice.randbytes(dice.randrange(200)) for _ in range(dice.randrange(1, 9))]
            if dice.random() < 0.5:
                frames.insert(0, b"")  # which makes it a request
            with contextlib.suppress(zmq.Again):  # refused already
                peer.send_multipart(frames, zmq.NOBLOCK)


def test_garbage_to_every_port(detecting: Cluster, soak: Soak):
    """Raw bytes, handshakes that stop half-way, and random messages of ZeroMQ."""
    ports = listening_ports(detecting)
    assert len(ports) >= 4
    before = {name: detecting.footprint(name) for name in NODES}
    lines, alarms, sent = log_lines(detecting), len(detecting.alarms), 0
    held: deque[socket.socket] = deque()
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [connection.close() for connection in held])
        for _ in soak.rounds(quick=20, long=3_000, minutes=5):
            with zmq.Context() as context:
                context.linger = 50  # milliseconds
                for port in ports:
                    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
                    held.append(connection)
                    garbage = soak.random.randbytes(soak.random.randrange(1, 5000))
                    half = soak.random.random() < 0.5
                    connection.sendall(GREETING[: soak.random.randrange(1, 65)] if half else garbage)
                    send_at_random(context, port, soak.random)
            sent += 2 * len(ports)
            while len(held) > 100:
                held.popleft().close()
        detecting.streams(10)
        detecting.newcomer_receives("AutoencoderExample", "AnomalyScore")
    lines, alarms = log_lines(detecting) - lines, len(detecting.alarms) - alarms
    grown = {name: detecting.footprint(name).memory - before[name].memory for name in NODES}
    memory = ", ".join(f"{name} {more:+.1f} MB" for name, more in grown.items())
    soak.report(f"{sent} connections to {len(ports)} ports: {lines} lines logged, {memory}, {alarms} alarms")
    assert lines < MOST_LINES
    assert max(grown.values()) < 50
    assert not alarms
