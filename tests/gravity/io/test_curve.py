"""Keys in files, and sockets with keys: who gets through to whom, and what is to be seen on the wire."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from gravity.io import CurveKey, Refused, Transport
from gravity.io.curve import make_key, read_key, secure
from gravity.protocol.codes import INPROC, IPC, PGM, TCP
from gravity.protocol.config import ConfigError

if TYPE_CHECKING:
    from .conftest import Eventually

Socket = zmq.Socket[bytes]
Raw = Callable[[int], Socket]

LOCAL = "127.0.0.1"
NAME, TEXT = b"DataProductWithALongName", b"temperature of the reactor"
FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH


def new_key() -> CurveKey:
    return CurveKey(*zmq.curve_keypair())


# ---- files ---------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Gravity.key"


def test_a_key_is_read_as_it_was_made(path: Path) -> None:
    make_key(path)
    key = read_key(path)
    assert zmq.curve_public(key.secret) == key.public
    assert path.read_bytes() == key.secret + b"\n"
    assert key.secret.decode() not in repr(key)


def test_a_key_belongs_to_its_user_from_the_beginning(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the umask; and when its name appears, its content is there."""
    seen: list[tuple[int, int]] = []
    link = os.link

    def look(source: str, target: Path) -> None:
        assert not target.exists()
        link(source, target)
        seen.extend((f.stat().st_mode & 0o777, f.stat().st_size) for f in path.parent.iterdir())

    monkeypatch.setattr(os, "link", look)
    umask = os.umask(0)
    try:
        make_key(path)
    finally:
        os.umask(umask)
    assert seen == [(0o600, 41)] * 2
    assert list(path.parent.iterdir()) == [path]


def test_a_key_is_never_overwritten(path: Path) -> None:
    """Nor does any of many that are made at the same time get lost: one wins, and the others hear about it."""

    def attempt(_: int) -> bool:
        try:
            make_key(path)
        except ConfigError as error:
            assert str(error) == f"{path}: exists already; keys are never overwritten"
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(40))) == 1
    before = path.read_bytes()
    assert not attempt(0)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a key"])
def test_nor_is_anything_else(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="never overwritten"):
        make_key(path)
    assert path.read_bytes() == content


def test_no_room_for_a_key(path: Path) -> None:
    """A limit on the size of files stands for a full disk."""
    program = "import sys, pathlib, gravity.io.curve as curve; curve.make_key(pathlib.Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20)),
    )
    assert done.stderr.endswith(f"ConfigError: {path}: cannot be written (File too large)\n")
    assert list(path.parent.iterdir()) == []


def test_no_folder_for_a_key(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be written \(No such file or directory\)"):
        make_key(path / "key")


def test_no_key(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_key(path)
    text = "CurveKeyFile names this file, but it is missing; copy the cluster's key there, or make one"
    assert str(caught.value) == f"{path}: {text}: gravity keys {path}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666])
def test_a_key_that_is_open_to_others(path: Path, mode: int) -> None:
    make_key(path)
    path.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        read_key(path)
    assert str(caught.value) == f"{path}: the key is open to other users (mode {mode:04o}); run: chmod 600 {path}"
    subprocess.run(str(caught.value).split("run: ")[1], shell=True, check=True)
    read_key(path)


@pytest.mark.parametrize("content", [b"", b"x" * 39, b"x" * 41, b"x" * 39 + b"~", b"\xff" * 40, b"x" * 10_000])
def test_a_file_that_is_not_a_key(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="not a key; copy the cluster's key there"):
        read_key(path)


def test_a_folder_is_not_a_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        read_key(tmp_path)


@pytest.mark.parametrize("use", [make_key, read_key])
def test_a_libzmq_without_curve(path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Path], object]) -> None:
    monkeypatch.setattr(zmq, "has", lambda capability: capability != "curve")
    with pytest.raises(ConfigError, match="was built without CURVE; install pyzmq's own wheel"):
        use(path)


# ---- sockets -------------------------------------------------------------------------------------------------

Open = Callable[[CurveKey | None], Transport]


@pytest.fixture
def open_transport() -> Iterator[Open]:
    """`open_transport(key)` is the transport of a node."""
    opened: list[Transport] = []

    def open_transport(key: CurveKey | None) -> Transport:
        opened.append(Transport(key=key))
        return opened[-1]

    yield open_transport
    for transport in opened:
        transport.close()


@pytest.fixture
def served(open_transport: Open) -> Iterator[Callable[[CurveKey | None], str]]:
    """`served(key)` is the address of a service that a transport with this key offers: it returns what it gets."""
    ended = threading.Event()
    threads: list[threading.Thread] = []

    def serve(key: CurveKey | None, kind: int = TCP, id: str = "S") -> str:
        responder = open_transport(key).responder(kind, id, LOCAL)
        assert responder

        def run() -> None:
            while not ended.is_set():
                if responder.socket.poll(10):
                    responder.serve(lambda frame: frame)
            responder.close()

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return responder.url

    yield serve
    ended.set()
    for thread in threads:
        thread.join()


def test_a_strange_question_does_not_stop_the_thread_that_admits(
    open_transport: Open, served: Callable[..., str]
) -> None:
    """Its address is one of inproc, which a directory could name as that of a service."""
    transport = open_transport(new_key())
    for frame in (b"", b"x"):
        assert transport.request("inproc://zeromq.zap.01", frame, 10) == b"1.0"


def test_the_thread_that_admits_ends_with_its_transport(
    open_transport: Open, threads: Callable[[], int], eventually: Eventually
) -> None:
    transport = open_transport(new_key())
    assert threads() == 1
    transport.close()
    eventually(lambda: threads() == 0)


def failure_of(client: Socket, url: str) -> zmq.Event:
    """Send a request, and return how the handshake has failed."""
    with client.get_monitor_socket(FAILED) as monitor:
        client.connect(url)
        client.send(b"x")
        assert monitor.poll(10_000)
        failure = recv_monitor_message(monitor)
        client.disable_monitor()
    return failure["event"]


def test_a_request_with_the_key(served: Callable[..., str], open_transport: Open) -> None:
    key = new_key()
    url = served(key)
    for transport in (open_transport(key), open_transport(key)):
        assert transport.request(url, b"x", 10) == b"x"


@pytest.mark.parametrize(
    ("own", "other", "reason"),
    [
        (None, new_key(), "requires a key, but this node has none"),
        (new_key(), None, "does not have this node's key"),
        (new_key(), new_key(), "does not have this node's key"),
    ],
    ids=["without a key", "to one without a key", "with another key"],
)
def test_a_request_that_is_refused(
    served: Callable[..., str], open_transport: Open, own: CurveKey | None, other: CurveKey | None, reason: str
) -> None:
    """At once, not at the end of its time."""
    url = served(other)
    with pytest.raises(Refused) as caught:
        open_transport(own).request(url, b"x", None)
    assert str(caught.value) == f"the program at {url} {reason}; CurveKeyFile must name the same key in both"


def test_a_connection_that_breaks_off_once_is_not_a_refusal(served: Callable[..., str], open_transport: Open) -> None:
    """The peer may just have been ending."""
    key = new_key()
    with Proxy(served(key), broken_off=1) as proxy:
        assert open_transport(key).request(proxy.url, b"x", 10) == b"x"


def test_ipc_takes_the_key_too(served: Callable[..., str], open_transport: Open, unique_id: str) -> None:
    key = new_key()
    url = served(key, IPC, unique_id)
    assert open_transport(key).request(url, b"x", 10) == b"x"
    with pytest.raises(Refused):
        open_transport(None).request(url, b"x", 10)


def test_inproc_goes_on_as_before(open_transport: Open) -> None:
    """It does not leave the node."""
    transport = open_transport(new_key())
    sender = transport.sender(INPROC, "P", LOCAL)
    assert sender
    receiver = transport.receiver(sender.url)
    receiver.add_topic(b"")
    with sender.lock:
        while not sender.take_subscriptions():
            pass
        sender.send((b"", b"x"))
    assert receiver.socket.recv_multipart() == [b"", b"x"]
    receiver.close()
    sender.close()


def test_pgm_cannot_have_a_key(open_transport: Open, library_lines: list[str]) -> None:
    assert open_transport(new_key()).sender(PGM, "P", LOCAL) is None
    assert library_lines == ["P: PGM cannot be encrypted; use another transport, or remove CurveKeyFile"]


def test_nobody_is_admitted_without_an_answer(raw: Raw) -> None:
    """If the thread that admits were not there, the sockets would be closed, not open."""
    key = new_key()
    server, client = raw(zmq.REP), raw(zmq.REQ)
    for secured in (server, client):
        secure(secured, key)
    port = server.bind_to_random_port(f"tcp://{LOCAL}")
    failure_of(client, f"tcp://{LOCAL}:{port}")
    assert not server.poll(0)


def test_who_knows_only_the_public_half_is_not_admitted(served: Callable[..., str], raw: Raw) -> None:
    key, own = new_key(), new_key()
    client = raw(zmq.REQ)
    client.curve_serverkey, client.curve_publickey, client.curve_secretkey = key.public, own.public, own.secret
    assert failure_of(client, served(key)) == zmq.EVENT_HANDSHAKE_FAILED_AUTH
    assert not client.poll(0)


GREETING = b"\xff" + bytes(8) + b"\x7f"  # the beginning of all ZMTP greetings from version 2 on


@pytest.mark.parametrize(
    "spoken",
    [
        b"\x01\x00" + b"\x01\x01\x02\x00x",  # ZMTP 1: an anonymous peer, an empty frame, a request
        GREETING + b"\x01\x03" + b"\x00\x00" + b"\x01\x00\x00\x01x",  # ZMTP 2, a REQ socket: the same
        GREETING + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32) + b"\x04\x26\x05READY",
        GREETING + b"\x03\x00" + b"PLAIN".ljust(20, b"\0") + bytes(32) + b"\x04\x0a\x05HELLO\x01a\x01b",
        GREETING + b"\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32) + b"\x01\x00\x00\x01x",
        GREETING + b"\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32) + b"\x04\xc8" + b"\x05HELLO" + bytes(194),
    ],
    ids=["ZMTP 1", "ZMTP 2", "NULL", "PLAIN", "a message without a handshake", "a forged handshake"],
)
def test_there_is_no_older_or_simpler_way_in(open_transport: Open, spoken: bytes) -> None:
    responder = open_transport(new_key()).responder(TCP, "S", LOCAL)
    assert responder
    with socket.create_connection((LOCAL, int(responder.url.rsplit(":", 1)[1])), 10) as peer:
        peer.sendall(spoken)
        with contextlib.suppress(ConnectionResetError):
            while peer.recv(1000):  # until the other end closes; a timeout is an error
                pass
    assert not responder.readable()
    responder.close()


# ---- the wire --------------------------------------------------------------------------------------------------


class Proxy:
    """A TCP proxy to `url` that keeps whatever passes; the first `broken_off` connections end at once."""

    def __init__(self, url: str, broken_off: int = 0) -> None:
        self._target = LOCAL, int(url.rsplit(":", 1)[1])
        self._broken_off = broken_off
        self._server = socket.create_server((LOCAL, 0))
        self._open: list[socket.socket] = [self._server]
        self._threads = [threading.Thread(target=self._accept)]
        self.url = f"tcp://{LOCAL}:{self._server.getsockname()[1]}"
        self.passed = b""

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._open:
            with contextlib.suppress(OSError):  # ended already
                opened.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for opened in self._open:
            opened.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self._broken_off:
                self._broken_off -= 1
                client.close()
                continue
            server = socket.create_connection(self._target)
            self._open += [client, server]
            for ends in ((client, server), (server, client)):
                self._threads.append(threading.Thread(target=self._pass, args=ends))
                self._threads[-1].start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.passed += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


ON_THE_WIRE = pytest.mark.parametrize("key", [None, new_key()], ids=["in clear", "encrypted"])


@ON_THE_WIRE
def test_requests_and_replies_on_the_wire(
    served: Callable[..., str], open_transport: Open, key: CurveKey | None
) -> None:
    with Proxy(served(key)) as proxy:
        assert open_transport(key).request(proxy.url, NAME + TEXT, 10) == NAME + TEXT
    assert proxy.passed.count(NAME) == proxy.passed.count(TEXT) == (0 if key else 2)


@ON_THE_WIRE
def test_messages_and_topics_on_the_wire(open_transport: Open, eventually: Eventually, key: CurveKey | None) -> None:
    sender = open_transport(key).sender(TCP, "P", LOCAL)
    assert sender
    with Proxy(sender.url) as proxy:
        receiver = open_transport(key).receiver(proxy.url)
        receiver.add_topic(NAME)
        with sender.lock:
            eventually(sender.take_subscriptions)
            sender.send((NAME, TEXT))
        assert receiver.socket.poll(10_000)
        assert receiver.receive() == [TEXT]
        receiver.close()
        sender.close()
    assert len(proxy.passed) > 100
    assert (NAME in proxy.passed, TEXT in proxy.passed) == ((False, False) if key else (True, True))
