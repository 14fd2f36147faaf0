"""A node's ZeroMQ context, which opens, binds and connects its sockets."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import zmq

from ..log import library_log
from ..protocol.codes import EPGM, INPROC, IPC, PGM, TCP
from ..protocol.config import Parameters
from .curve import CurveKey, admit_own, secure
from .handshake import watched_handshake
from .host import TransportError
from .receiver import Receiver
from .requests import Requester, Responder
from .sender import Sender

_SCHEMES = {INPROC: "inproc://", PGM: "pgm://", EPGM: "epgm://", IPC: "ipc:///tmp/"}
_CLOSE_LINGER = 300  # milliseconds allowed for sending the last messages when a node closes
_CLOSE_CHECK = 0.1  # seconds between a waiting request's checks whether its node is closing
_PORT_TURN = 10_000_000  # nanoseconds from one port's turn to the next one's
_LARGEST_CONTROL = 1 << 16  # bytes of a subscription, and of a request to the Service Directory
_LARGEST_PROTOBUF = (1 << 31) - 1  # bytes
_MOST_REQUESTS = 100  # waiting, of each connection
_MOST_SOCKETS = 1 << 14  # of a context: three for each subscription
_REBIND_WAIT = 0.3  # seconds for which ZeroMQ may keep using an address after unbinding it


@dataclass(frozen=True, slots=True)
class Options:
    """Socket options; `keep_alive` is (idle seconds, probes, seconds between probes), sizes are in bytes.

    `first_port`: which port of the range to try first, so that a restart finds the same; None: another one each time.
    """

    publish_hwm: int = 1000
    subscribe_hwm: int = 1000
    min_port: int = 24000
    max_port: int = 24999
    first_port: int | None = None
    max_message_size: int = 64 << 20
    keep_alive: tuple[int, int, int] | None = None

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Options:
        """Return the options in a configuration; a negative queue length is ignored and logged.

        Raises ValueError if MaxMessageSize is out of range.
        """

        def length(key: str, default: int) -> int:
            value = parameters.integer(key, default)
            if value < 0:
                library_log.warning("%s = %d is negative: ignored", key, value)
            return value if value >= 0 else default

        defaults = cls()
        keep_alive = ("TcpKeepAliveTime", 7200), ("TcpKeepAliveProbes", 9), ("TcpKeepAliveIntvl", 75)
        idle, probes, interval = (parameters.integer(key, default) for key, default in keep_alive)
        return cls(
            publish_hwm=length("PublishHWM", defaults.publish_hwm),
            subscribe_hwm=length("SubscribeHWM", defaults.subscribe_hwm),
            min_port=parameters.integer("MinPort", defaults.min_port),
            max_port=parameters.integer("MaxPort", defaults.max_port),
            max_message_size=_message_size(parameters, defaults.max_message_size),
            keep_alive=(idle, probes, interval) if parameters.yes("TcpKeepAliveEnabled") else None,
        )


def _message_size(parameters: Parameters, default: int) -> int:
    text = parameters.text("MaxMessageSize", str(default))
    try:
        size = float(text)  # arithmetic in the file gives six decimals
    except ValueError:
        size = 0.0
    if not (size.is_integer() and _LARGEST_CONTROL <= size <= _LARGEST_PROTOBUF):
        limits = f"{_LARGEST_CONTROL} to {_LARGEST_PROTOBUF}"
        raise ValueError(f"MaxMessageSize is {text!r}; write a whole number of bytes, from {limits}")
    return int(size)


class Transport:
    """A node's ZeroMQ context and its socket options. With a key, all connections are encrypted."""

    def __init__(self, options: Options | None = None, key: CurveKey | None = None) -> None:
        self.options = options or Options()
        self._context = zmq.Context()
        self._context.max_sockets = _MOST_SOCKETS
        self._key = key
        if key:
            admit_own(self._context, key)
        self._closing = False
        self._requests = 0  # waiting in their callers' threads
        self._idle = threading.Condition()

    @property
    def encrypted(self) -> bool:
        """Whether all connections are encrypted, and only to peers with the same key."""
        return self._key is not None

    def end_requests(self) -> None:
        """Abort waiting requests in all threads, and refuse new ones."""
        with self._idle:
            self._closing = True

    def close(self) -> None:
        """Close all remaining sockets, allowing a moment for outgoing messages."""
        self.end_requests()
        with self._idle:
            self._idle.wait_for(
                lambda: not self._requests
            )  # a socket must not be closed while another thread uses it
        self._context.destroy(linger=_CLOSE_LINGER)

    def request(self, url: str, frame: bytes, timeout: float | None) -> bytes | None:
        """Send a request and return the first frame of the reply, or None after `timeout` seconds (None: no limit).

        Raises TransportError if `url` is not a valid address or the transport is closed, Refused if the peer there
        has another key.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        with (
            self._waiting(),
            self._open(zmq.REQ, linger=0) as requester,
            watched_handshake(requester, has_key=self.encrypted) as handshake,
        ):
            self._connect(requester, url)
            requester.send(frame)
            while (left := deadline - time.monotonic()) > 0 and not self._closing:
                if requester.poll(math.ceil(min(left, _CLOSE_CHECK) * 1000)):
                    return requester.recv_multipart()[0]
                handshake.check(url)
        return None

    def requester(self, url: str, frame: bytes) -> Requester:
        """Send a request and return the socket for its reply; raise TransportError if `url` is invalid."""
        requester = self._open(zmq.REQ, linger=0)
        self._connect(requester, url)
        requester.send(frame)
        return Requester(requester)

    def notify(self, url: str, frame: bytes) -> None:
        """Send a request without waiting for the reply."""
        with self._open(zmq.REQ, linger=_CLOSE_LINGER) as requester:
            self._connect(requester, url)
            requester.send(frame)

    def receiver(self, url: str) -> Receiver:
        """Return a receiver connected to the publisher at `url`, without any topic yet."""
        receiver = self._open(zmq.SUB, linger=0)
        receiver.rcvhwm = self.options.subscribe_hwm
        self._keep_alive(receiver)
        self._connect(receiver, url)
        return Receiver(receiver, url, self.options.subscribe_hwm)

    def sender(self, transport: int, id: str, ip: str) -> Sender | None:
        """Return a bound sender of a data product, or None if no port or address is available."""
        if self.encrypted and transport in (PGM, EPGM):
            library_log.error("%s: PGM cannot be encrypted; use another transport, or remove CurveKeyFile", id)
            return None
        publisher = self._open(zmq.XPUB, linger=_CLOSE_LINGER)
        publisher.sndhwm = self.options.publish_hwm
        publisher.maxmsgsize = _LARGEST_CONTROL
        publisher.xpub_verbose = True  # report each new subscriber, since each needs the cached messages
        publisher.set(zmq.XPUB_NODROP, 1)
        self._keep_alive(publisher)
        url = self._bind(publisher, transport, id, ip)
        return Sender(publisher, url, self.options.max_message_size) if url else None

    def responder(self, transport: int, id: str, ip: str) -> Responder | None:
        """Return a bound responder of a service, or None if no port or address is available."""
        responder = self._open(zmq.REP, linger=_CLOSE_LINGER)
        responder.rcvhwm = _MOST_REQUESTS
        url = self._bind(responder, transport, id, ip)
        return Responder(responder, url) if url else None

    def responder_at(self, url: str) -> Responder:
        """Return a responder bound to `url`; raise TransportError if that fails."""
        responder = self._open(zmq.REP, linger=_CLOSE_LINGER)
        responder.rcvhwm = _MOST_REQUESTS
        responder.maxmsgsize = _LARGEST_CONTROL
        try:
            responder.bind(url)
        except zmq.ZMQError as error:
            responder.close()
            raise TransportError(f"cannot listen at {url}: {error}") from None
        return Responder(responder, url)

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        with self._idle:
            if self._closing:
                raise TransportError("the node is closed")
            self._requests += 1
        try:
            yield
        finally:
            with self._idle:
                self._requests -= 1
                self._idle.notify_all()

    def _open(self, kind: int, linger: int) -> zmq.Socket[bytes]:
        opened = self._context.socket(kind)
        opened.linger = linger
        if self._key:
            secure(opened, self._key)
        opened.maxmsgsize = self.options.max_message_size
        return opened

    def _connect(self, connecting: zmq.Socket[bytes], url: str) -> None:
        try:
            connecting.connect(url)
        except zmq.ZMQError as error:
            connecting.close()
            raise TransportError(f"cannot connect to {url!r}: {error}") from None

    def _bind(self, binding: zmq.Socket[bytes], transport: int, id: str, ip: str) -> str:
        """Bind to the next free port, or to the fixed address of other transports; return "" if that fails.

        Unless `first_port` is set, ports are dealt in turn, by the clock: none is dealt twice within a second, the
        resolution of the registration times that tell its owners apart.
        """
        if transport == TCP:
            ports = range(self.options.min_port, self.options.max_port + 1)
            first = self.options.first_port
            turn = time.monotonic_ns() // _PORT_TURN if first is None else first
            turn %= max(len(ports), 1)
            urls = [f"tcp://{ip}:{port}" for port in (*ports[turn:], *ports[:turn])]
        else:
            urls = [_SCHEMES[transport] + id]
        deadline = time.monotonic() + _REBIND_WAIT
        while True:
            in_use = False
            for url in urls:
                try:
                    binding.bind(url)
                    return url
                except zmq.ZMQError as error:
                    in_use = in_use or error.errno == zmq.EADDRINUSE
            if not in_use or time.monotonic() > deadline:
                binding.close()
                return ""
            time.sleep(0.01)

    def _keep_alive(self, kept: zmq.Socket[bytes]) -> None:
        if self.options.keep_alive:
            kept.tcp_keepalive = 1
            kept.tcp_keepalive_idle, kept.tcp_keepalive_cnt, kept.tcp_keepalive_intvl = self.options.keep_alive
