"""A cluster whose roles run on any mix of Gravities, and what the tests see of it."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import zmq

from tests.interop.implementations import Implementation, Mix
from tests.support import eventually, free_port

from gravity import gravity
from gravity.protocol.directory_messages import (
    Kind,
    Lookup,
    Publisher,
    Service,
    decode_publishers_reply,
    decode_service_reply,
    encode_request,
)
from gravity.protocol.names import REGISTERED_PUBLISHERS

PROGRAM = Path(__file__).with_name("node.py")


@dataclass(frozen=True)
class Product:
    """A data product as a callback has seen it."""

    id: str
    data: str
    component: str
    domain: str
    timestamp: int
    received: int
    cached: bool
    protocol: str
    type_name: str
    version: str
    relayed: bool


@dataclass(frozen=True)
class Answer:
    """The answer to an asynchronous request."""

    service: str
    request: str
    product: Product


class Told:
    """What a callback object of a node has been told so far."""

    def __init__(self, callbacks: dict[str, list[Any]]) -> None:
        self._callbacks = callbacks

    def calls(self, callback: str) -> list[Any]:
        """The arguments of all calls of a callback."""
        return list(self._callbacks.get(callback, ()))

    @property
    def products(self) -> list[Product]:
        """All data products that have arrived."""
        return [Product(**p) for call in self.calls("subscriptionFilled") for p in call]

    @property
    def texts(self) -> list[str]:
        """The payloads of all data products that have arrived, but for probes."""
        return [p.data for p in self.products if p.data != "probe"]

    @property
    def answers(self) -> list[Answer]:
        """All answers to requests."""
        return [Answer(service, id, Product(**p)) for service, id, p in self.calls("requestFilled")]

    @property
    def requests(self) -> list[str]:
        """The payloads of all requests."""
        return [p["data"] for _, p in self.calls("request")]

    @property
    def timeouts(self) -> list[tuple[str, str]]:
        """The service and request id of all requests that have timed out."""
        return [(service, id) for service, id in self.calls("requestTimeout")]


class Node:
    """A node in a process of its own. Codes are `gravity`'s; a payload is text, one character a byte."""

    def __init__(self, implementation: Implementation, folder: Path, id: str) -> None:
        self.id = id
        self._implementation = implementation
        self._errors = (folder / f"{id}.stderr").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM)], cwd=folder, env=implementation.environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
        )  # fmt: skip
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._callbacks: dict[str, dict[str, list[Any]]] = {}
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._names = (f"{id}-{n}" for n in itertools.count(1))
        self._send("init", id)
        self._joined = False

    def join(self) -> Node:
        """Wait until the node has found the directory."""
        if not self._joined:
            self._joined = True
            package = Path(self._receive())
            runs_on = "ours" if package == Path(gravity.__file__).parent else "real"
            assert runs_on == self._implementation.name, package
            assert self._receive() == gravity.SUCCESS
        return self

    def do(self, command: str, *arguments: object) -> Any:
        """Call a method of the GravityNode."""
        self.join()
        self._send(command, *arguments)
        return self._receive()

    def _send(self, command: str, *arguments: object) -> None:
        assert self._process.stdin
        print(json.dumps({"do": command, "with": arguments}), file=self._process.stdin, flush=True)

    def _receive(self) -> Any:
        try:
            answer = self._answers.get(timeout=30)
        except queue.Empty:
            raise AssertionError(f"{self.id} has not answered; it said: {self.errors()}") from None
        assert answer is not None, f"{self.id} has ended; it said: {self.errors()}"
        return answer["answer"]

    def _read(self) -> None:
        for line in self._process.stdout or ():
            said = json.loads(line)
            if "answer" in said:
                self._answers.put(said)
            else:
                self._callbacks.setdefault(said["of"], {}).setdefault(said["callback"], []).append(said["values"])
        self._answers.put(None)

    def errors(self) -> str:
        """What the node has written to its terminal."""
        return Path(self._errors.name).read_text()

    def kill(self) -> None:
        """End the process at once, without a chance to clean up."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._errors.close()
        assert self._process.stdin and self._process.stdout
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    # ---- data products -------------------------------------------------------------------------------------

    def offer(self, *ids: str, cache: bool = True, transport: int = gravity.TCP) -> Node:
        """Register data products."""
        for id in ids:
            assert self.do("registerDataProduct", id, transport, cache) == gravity.SUCCESS
        return self

    def publish(self, id: str, *texts: str, filter: str = "", timestamp: int = 0, **product: str) -> None:
        """Publish data products."""
        for text in texts:
            sent = {"product": id, "data": text} | product
            assert self.do("publish", sent, filter, timestamp) == gravity.SUCCESS

    def subscribe(self, id: str, filter: str = "", cached: bool = True, domain: str = "") -> Told:
        """Subscribe an object of its own; return what it is told."""
        name = next(self._names)
        assert self.do("subscribe", id, {"subscriber": name}, filter, domain, cached) == gravity.SUCCESS
        return self.told(name)

    def unsubscribe(self, id: str, told: Told, filter: str = "") -> None:
        """Take a subscription back."""
        assert self.do("unsubscribe", id, {"subscriber": self._name_of(told)}, filter) == gravity.SUCCESS

    def has_subscribers(self, id: str) -> bool:
        """Return whether anybody subscribes to what this node offers."""
        code, exist = self.do("subscribersExist", id)
        assert code == gravity.SUCCESS
        return bool(exist)

    def reach(self, id: str, *subscribers: Told, filter: str = "") -> None:
        """Publish probes until all have received one."""

        def reached() -> bool:
            self.publish(id, "probe", filter=filter)
            return all(any(p.component == self.id for p in told.products[n:]) for told, n in before)

        before = [(told, len(told.products)) for told in subscribers]
        eventually(reached)

    # ---- services, heartbeats ------------------------------------------------------------------------------

    def serve(self, service: str, transport: int = gravity.TCP) -> Told:
        """Offer a service; return what is asked."""
        assert self.do("registerService", service, transport, {"provider": self.id}) == gravity.SUCCESS
        return self.told(self.id)

    def ask(self, service: str, text: str, timeout: int = 10_000, domain: str = "") -> Product | None:
        """Request synchronously."""
        answer = self.do("request", service, {"product": "Request", "data": text}, timeout, domain)
        return answer and Product(**answer)

    def ask_later(self, service: str, text: str, id: str, timeout: int = -1) -> int:
        """Request asynchronously; `told("requestor")` is told the answer."""
        product = {"product": "Request", "data": text}
        code: int = self.do("request", service, product, {"requestor": "requestor"}, id, timeout)
        return code

    def listen(self, component: str, interval: int) -> Told:
        """Listen to heartbeats; return what the listener is told."""
        name = next(self._names)
        code = self.do("registerHeartbeatListener", component, interval, {"listener": name})
        assert code == gravity.SUCCESS
        return self.told(name)

    def told(self, name: str) -> Told:
        """Return what a callback object is told."""
        return Told(self._callbacks.setdefault(name, {}))

    def _name_of(self, told: Told) -> str:
        return next(n for n, callbacks in self._callbacks.items() if callbacks is told._callbacks)


class Tap:
    """The data products that a publisher sends, as serialized."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._frames: list[bytes] = []

    def frames(self) -> list[bytes]:
        """Return all so far."""
        while self._socket.poll(0):
            _, frame = self._socket.recv_multipart()
            self._frames.append(frame)
        return list(self._frames)


def end(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> int:
    """Send a signal to a program and return its exit code."""
    process.send_signal(number)
    return process.wait(30)


class Cluster:
    """A directory, and nodes around it, in a folder with a Gravity.ini of its own. All of it on loopback."""

    def __init__(self, folder: Path, mix: Mix, domain: str = "", broadcast_port: int | None = None) -> None:
        """`domain`: if given, this is all that nodes know of the directory; they find it by its broadcasts."""
        self.folder = folder
        self.mix = mix
        self.port = free_port()
        self.domain = domain
        self.broadcast_port = broadcast_port or free_port()
        self._first_port = random.randrange(10_000, 32_000, 100)  # below those that the system hands out
        self._context = zmq.Context()
        self._impostors: list[zmq.Socket[bytes]] = []
        self._processes: list[Callable[[], object]] = []
        self._directory: subprocess.Popen[bytes] | None = None
        self.configure()

    def configure(self, **sections: str) -> None:
        """Write Gravity.ini, with more lines in its section [general] or those of components."""
        url = f'ServiceDirectoryURL = "tcp://127.0.0.1:{self.port}"\n'
        texts = {
            "general": f"NoConfigServer = true\nMinPort = {self._first_port}\nMaxPort = {self._first_port + 99}\n",
            "ServiceDirectory": url,
        }
        if self.domain:
            texts["general"] += (
                f'Domain = "{self.domain}"\nServiceDirectoryBroadcastPort = {self.broadcast_port}\n'
                'ServiceDirectoryBroadcastIP = "127.255.255.255"\nServiceDirectoryBroadcastRate = 1\n'
            )
        else:
            texts["general"] += url
        for name, lines in sections.items():
            texts[name] = texts.get(name, "") + lines
        ini = "".join(f"[{name}]\n{lines}\n" for name, lines in texts.items())
        (self.folder / "Gravity.ini").write_text(ini)

    def share_a_port(self, *ids: str) -> None:
        """Let these nodes take one and the same port, one after the other."""
        port = self._first_port + 99
        self.configure(**dict.fromkeys(ids, f"MinPort = {port}\nMaxPort = {port}\n"))

    # ---- the directory -------------------------------------------------------------------------------------

    def start_directory(self) -> None:
        """Start the directory and wait until it serves subscribers."""
        implementation = self.mix.of("directory")
        with (self.folder / "directory.log").open("a") as log:
            self._directory = subprocess.Popen(
                implementation.command("ServiceDirectory"), cwd=self.folder, env=implementation.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        eventually(lambda: self.publishers(REGISTERED_PUBLISHERS), 15)

    def stop_directory(self) -> None:
        """End the directory."""
        assert self._directory
        self._directory.kill()
        self._directory.wait()
        self._directory = None

    def publishers(self, id: str, domain: str = "") -> list[Publisher]:
        """Whom the directory lists for a data product; nobody if it does not answer.

        What offers say of relays is lost when they are made again or known from elsewhere: no word means no.
        """
        reply = self._look_up(id, Kind.DATA, domain)
        listed = decode_publishers_reply(reply) if reply else []
        return [replace(p, is_relay=bool(p.is_relay)) for p in listed]

    def service(self, id: str, domain: str = "") -> Service:
        """Where the directory says that a service is."""
        reply = self._look_up(id, Kind.SERVICE, domain)
        assert reply
        return decode_service_reply(reply)

    def _look_up(self, id: str, kind: Kind, domain: str) -> bytes | None:
        with self._context.socket(zmq.REQ) as requester:
            requester.linger = 0
            requester.connect(f"tcp://127.0.0.1:{self.port}")
            requester.send(encode_request(Lookup(id, kind, domain)))
            return requester.recv() if requester.poll(1000) else None

    # ---- nodes ---------------------------------------------------------------------------------------------

    def publisher(self, id: str = "Publisher") -> Node:
        """Start a node of the kind that publishes and provides."""
        return self._start(self.mix.of("publisher"), id)

    def subscriber(self, id: str = "Subscriber") -> Node:
        """Start a node of the kind that subscribes and requests."""
        return self._start(self.mix.of("subscriber"), id)

    def _start(self, implementation: Implementation, id: str) -> Node:
        node = Node(implementation, self.folder, id)
        self._processes.append(node.kill)
        return node

    def program(self, name: str, implementation: Implementation) -> subprocess.Popen[bytes]:
        """Start one of Gravity's programs."""
        with (self.folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                implementation.command(name), cwd=self.folder, env=implementation.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._processes.append(lambda: end(process))
        return process

    def tap(self, id: str) -> Tap:
        """Return what a publisher of a data product puts on the wire from now on."""
        [publisher] = self.publishers(id)
        socket = self._context.socket(zmq.SUB)
        self._impostors.append(socket)
        socket.subscribe(b"")
        socket.connect(publisher.url)
        return Tap(socket)

    def impostor(self, kind: int, url: str) -> zmq.Socket[bytes]:
        """Return a socket of the test's own that has taken the address of a process that is gone."""
        socket = self._context.socket(kind)
        self._impostors.append(socket)
        socket.linger = 0
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.bind(url)
                return socket
            except zmq.ZMQError:
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def close(self) -> None:
        """Kill whatever runs."""
        for kill in self._processes:
            kill()
        if self._directory:
            self.stop_directory()
        for impostor in self._impostors:
            impostor.close()
        self._context.term()
