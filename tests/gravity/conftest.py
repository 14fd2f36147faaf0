"""What the tests share: a Service Directory with nodes around it, free ports, and patience with a limit."""

from __future__ import annotations

import itertools
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq

from gravity import GravityDataProduct, GravityNode, GravitySubscriber, gravity, log
from gravity.directory.server import ServiceDirectory
from gravity.io import CurveKey, Options
from gravity.protocol.directory_messages import Kind, Lookup, decode_publishers_reply, encode_request

Eventually = Callable[..., None]
Socket = zmq.Socket[bytes]

_numbers = itertools.count()
RECORDINGS = sorted((Path(__file__).parent / "protocol" / "wire").glob("*.jsonl"))


@dataclass(frozen=True)
class Recorded:
    """One line of a recording."""

    session: str
    number: int
    kind: str
    frames: list[bytes]

    def __str__(self) -> str:
        return f"{self.session}-{self.number}-{self.kind}"


def recordings() -> dict[str, list[Recorded]]:
    return {
        path.stem: [
            Recorded(path.stem, n, line["kind"], [bytes.fromhex(f) for f in line["frames"]])
            for n, line in enumerate(map(json.loads, path.read_text().splitlines()), 1)
        ]
        for path in RECORDINGS
    }


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `recorded_request` (or `_reply`, `_published`...) on each such recorded line."""
    for name in metafunc.fixturenames:
        if name.startswith("recorded_"):
            kind = name.removeprefix("recorded_")
            lines = [line for session in recordings().values() for line in session if line.kind == kind]
            metafunc.parametrize(name, lines, ids=str)


def wait_until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.002)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Collector(GravitySubscriber):
    """Keeps what it receives."""

    def __init__(self) -> None:
        super().__init__()
        self.products: list[GravityDataProduct] = []
        self.calls: list[int] = []

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        self.calls.append(len(dataProducts))
        self.products += dataProducts

    @property
    def texts(self) -> list[str]:
        return [p.data.decode() for p in self.products]


class Cluster:
    """A Service Directory in this process, and nodes that are closed in the end."""

    def __init__(self, folder: Path, domain: str = "", key: CurveKey | None = None) -> None:
        self.folder = folder
        self.port = find_free_port()
        self.url = f"tcp://localhost:{self.port}"
        self.configure()
        self.directory = ServiceDirectory(self.url, domain, Options(), key)
        self._nodes: list[GravityNode] = []

    def configure(self, text: str = "") -> None:
        """Write Gravity.ini; `text` goes to its [general] section, or begins another one."""
        (self.folder / "Gravity.ini").write_text(
            f'[general]\nServiceDirectoryURL = "{self.url}"\nNoConfigServer = true\n{text}\n'
        )

    def node(self, component_id: str = "Node") -> GravityNode:
        node = GravityNode()
        self._nodes.append(node)
        assert node.init(component_id) == gravity.SUCCESS
        return node

    def publisher(self, id: str, component_id: str = "Publisher", *, cache: bool = True) -> GravityNode:
        node = self.node(component_id)
        assert node.registerDataProduct(id, gravity.TCP, cache) == gravity.SUCCESS
        return node

    def subscriber(self, node: GravityNode, id: str, filter: str = "", cached: bool | None = None) -> Collector:
        collector = Collector()
        assert node.subscribe(id, collector, filter, "", cached) == gravity.SUCCESS
        return collector

    def publishers(self, id: str) -> list[str]:
        """Whom the Service Directory lists, by their urls, to whoever asks now."""
        with zmq.Context() as context, context.socket(zmq.REQ) as requester:
            requester.linger = 0
            requester.connect(f"tcp://127.0.0.1:{self.port}")
            requester.send(encode_request(Lookup(id, Kind.DATA)))
            assert requester.poll(10_000)
            return [p.url for p in decode_publishers_reply(requester.recv())]

    def close(self) -> None:
        for node in self._nodes:
            node.close()
        self.directory.close()


def make_product(id: str, text: str) -> GravityDataProduct:
    product = GravityDataProduct(id)
    product.data = text.encode()
    return product


@pytest.fixture
def eventually() -> Eventually:
    """`eventually(condition, seconds=10)` returns as soon as the condition holds, and fails if it never does."""
    return wait_until


@pytest.fixture
def recorded() -> dict[str, list[Recorded]]:
    """All recordings by name, line by line."""
    return recordings()


@pytest.fixture
def free_port() -> Callable[[], int]:
    return find_free_port


@pytest.fixture
def unique_id() -> Iterator[str]:
    """An id that nobody else has on this host, as IPC needs it: there, ids are files in /tmp, which ZeroMQ leaves."""
    id = f"gravity-test-{os.getpid()}-{next(_numbers)}"
    yield id
    Path("/tmp", id).unlink(missing_ok=True)


@pytest.fixture
def product() -> Callable[[str, str], GravityDataProduct]:
    """`product(id, text)` is a data product with a text as its payload."""
    return make_product


@pytest.fixture
def key() -> CurveKey | None:
    """The directory's key."""
    return None


@pytest.fixture
def cluster(tmp_path: Path, key: CurveKey | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.chdir(tmp_path)
    cluster = Cluster(tmp_path, key=key)
    yield cluster
    cluster.close()


@pytest.fixture
def isle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster whose directory's domain has a name."""
    monkeypatch.chdir(tmp_path)
    isle = Cluster(tmp_path, "isle")
    yield isle
    isle.close()


@pytest.fixture
def raw() -> Iterator[Callable[[int], Socket]]:
    """`raw(zmq.SUB)` is a socket for a peer that is not ours; all are closed in the end."""
    context, opened = zmq.Context(), []

    def raw(kind: int) -> Socket:
        opened.append(context.socket(kind))
        return opened[-1]

    yield raw
    context.destroy(linger=0)


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def library_lines() -> Iterator[list[str]]:
    """What the library itself logs during a test, from warnings on."""
    handler = _Lines()
    log.library_log.addHandler(handler)
    yield handler.lines
    log.library_log.removeHandler(handler)


@pytest.fixture
def threads() -> Callable[[], int]:
    """How many threads there are beyond those at the test's beginning."""
    before = threading.active_count()
    return lambda: threading.active_count() - before
