"""A node's ZeroMQ context, which opens, binds and connects its sockets."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import zmq

from ..protocol.codes import EPGM, INPROC, IPC, PGM, TCP
from .host import TransportError
from .receiver import Receiver
from .requests import Requester, Responder
from .sender import Sender

_SCHEMES = {INPROC: "inproc://", PGM: "pgm://", EPGM: "epgm://", IPC: "ipc:///tmp/"}
_CLOSE_LINGER = 300  # milliseconds that the last messages have to leave when a node closes
_CLOSE_CHECK = 0.1  # seconds between two looks of a waiting request at whether its node closes
_REBIND_WAIT = 0.3  # seconds that an address may remain in use after unbinding


@dataclass(frozen=True, slots=True)
class Options:
    """The socket options in Gravity.ini; `keep_alive` is (idle s, probes, interval s)."""

    publish_hwm: int = 1000
    subscribe_hwm: int = 1000
    min_port: int = 24000
    max_port: int = 24999
    keep_alive: tuple[int, int, int] | None = None


class Transport:
    """A node's ZeroMQ context and its socket options."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self._context = zmq.Context()
        self._closing = False
        self._requests = 0  # that wait in their callers' threads
        self._idle = threading.Condition()

    def end_requests(self) -> None:
        """End all waiting requests, in any thread, and accept no more."""
        with self._idle:
            self._closing = True

    def close(self) -> None:
        """Close the remaining sockets; outgoing messages have a moment to leave."""
        self.end_requests()
        with self._idle:
            self._idle.wait_for(lambda: not self._requests)  # not while another thread uses the socket
        self._context.destroy(linger=_CLOSE_LINGER)

    def request(self, url: str, frame: bytes, timeout: float | None) -> bytes | None:
        """Send one request and return the reply's first frame, None if none came within `timeout` seconds.

        Raises TransportError if `url` is not an address, or the transport closes.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        with self._waiting(), self._open(zmq.REQ, linger=0) as requester:
            self._connect(requester, url)
            requester.send(frame)
            while (left := deadline - time.monotonic()) > 0 and not self._closing:
                if requester.poll(math.ceil(min(left, _CLOSE_CHECK) * 1000)):
                    return requester.recv_multipart()[0]
        return None

    def requester(self, url: str, frame: bytes) -> Requester:
        """Send one request and return where its reply arrives; raise TransportError if `url` is not an address."""
        requester = self._open(zmq.REQ, linger=0)
        self._connect(requester, url)
        requester.send(frame)
        return Requester(requester)

    def notify(self, url: str, frame: bytes) -> None:
        """Send one request without waiting for its reply."""
        with self._open(zmq.REQ, linger=_CLOSE_LINGER) as requester:
            self._connect(requester, url)
            requester.send(frame)

    def receiver(self, url: str) -> Receiver:
        """Return a receiver connected to the publisher at `url`; it has no topic yet."""
        receiver = self._open(zmq.SUB, linger=0)
        receiver.rcvhwm = self.options.subscribe_hwm
        self._keep_alive(receiver)
        self._connect(receiver, url)
        return Receiver(receiver, url, self.options.subscribe_hwm)

    def sender(self, transport: int, id: str, ip: str) -> Sender | None:
        """Return a bound sender of a data product, None if no port or address is free."""
        publisher = self._open(zmq.XPUB, linger=_CLOSE_LINGER)
        publisher.sndhwm = self.options.publish_hwm
        publisher.xpub_verbose = True  # each new subscriber is seen, since each wants the cached messages
        publisher.set(zmq.XPUB_NODROP, 1)
        self._keep_alive(publisher)
        url = self._bind(publisher, transport, id, ip)
        return Sender(publisher, url) if url else None

    def responder(self, transport: int, id: str, ip: str) -> Responder | None:
        """Return a bound responder of a service, None if no port or address is free."""
        responder = self._open(zmq.REP, linger=_CLOSE_LINGER)
        url = self._bind(responder, transport, id, ip)
        return Responder(responder, url) if url else None

    def responder_at(self, url: str) -> Responder:
        """Return a responder bound to the fixed address `url`; raise TransportError if that fails."""
        responder = self._open(zmq.REP, linger=_CLOSE_LINGER)
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
        return opened

    def _connect(self, connecting: zmq.Socket[bytes], url: str) -> None:
        try:
            connecting.connect(url)
        except zmq.ZMQError as error:
            connecting.close()
            raise TransportError(f"cannot connect to {url!r}: {error}") from None

    def _bind(self, binding: zmq.Socket[bytes], transport: int, id: str, ip: str) -> str:
        """Bind to the first free port, or to the fixed address of the other transports; "" if that fails."""
        if transport == TCP:
            urls = [f"tcp://{ip}:{port}" for port in range(self.options.min_port, self.options.max_port + 1)]
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
