"""Sockets, threads and clocks: the only module that knows ZeroMQ.

A node has up to one `Loop` per role. Each loop is a thread that owns its sockets: it polls them, runs what
other threads hand over, and keeps timers. Publishing is the exception: it happens in the caller's thread,
under the publication's lock, because a hand-over per message would cost more than the message.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import zmq

from .log import library_log
from .publication import Frames

TCP, INPROC, PGM, EPGM, IPC = range(5)  # Gravity's numbers for its transports

_SCHEMES = {INPROC: "inproc://", PGM: "pgm://", EPGM: "epgm://", IPC: "ipc:///tmp/"}
_BATCH = 1000  # messages handed on at a time, so that a flood does not starve the other sockets
_FULL_QUEUE_WAIT = 1.0  # seconds that publish() waits for a slow subscriber before messages are dropped
_DATAGRAM = 65536  # bytes, the largest there is
_CLOSE_LINGER = 300  # milliseconds that the last messages have to leave when a node closes
_CLOSE_CHECK = 0.1  # seconds between two looks of a waiting request at whether its node closes
_REBIND_WAIT = 0.3  # seconds that an address may be in use still after ZeroMQ was told to leave it


class TransportError(Exception):
    """A socket could not be opened; the text says which address and why."""


@dataclass(frozen=True, slots=True)
class Options:
    """What Gravity.ini can say about sockets; `keep_alive` is (idle s, probes, interval s)."""

    publish_hwm: int = 1000
    subscribe_hwm: int = 1000
    min_port: int = 24000
    max_port: int = 24999
    keep_alive: tuple[int, int, int] | None = None


def now_us() -> int:
    """Return the wall clock in microseconds since the epoch."""
    return time.time_ns() // 1000


def local_address(host: str) -> str:
    """Return this host's IPv4 address as seen on the way to `host`; raise TransportError if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 1))  # datagram: nothing is sent
        except OSError as error:
            raise TransportError(f"no way to {host}: {error}") from None
        return str(probe.getsockname()[0])


def resolve(host: str) -> str:
    """Return the first IPv4 address of `host`; raise TransportError if the name is unknown."""
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise TransportError(f"the host {host!r} is unknown: {error}") from None


class Transport:
    """A node's ZeroMQ context and its socket options."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self._context = zmq.Context()
        self._closing = False
        self._requests = 0  # that wait in their callers' threads
        self._idle = threading.Condition()

    def end_requests(self) -> None:
        """End the requests that wait, in whatever thread, and take no more."""
        with self._idle:
            self._closing = True

    def close(self) -> None:
        """Close what is left; messages on their way out have a moment to leave."""
        self.end_requests()
        with self._idle:
            self._idle.wait_for(lambda: not self._requests)  # a socket must not be closed in another thread's hands
        self._context.destroy(linger=_CLOSE_LINGER)

    def request(self, url: str, frame: bytes, timeout: float | None) -> bytes | None:
        """Send one request and return the reply's first frame, None if none came within `timeout` seconds.

        Raises TransportError if `url` is no address, or the transport closes.
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
        """Send one request and return where its reply arrives; raise TransportError if `url` is no address."""
        requester = self._open(zmq.REQ, linger=0)
        self._connect(requester, url)
        requester.send(frame)
        return Requester(requester)

    def notify(self, url: str, frame: bytes) -> None:
        """Send one request whose reply nobody waits for."""
        with self._open(zmq.REQ, linger=_CLOSE_LINGER) as requester:
            self._connect(requester, url)
            requester.send(frame)

    def receiver(self, url: str) -> Receiver:
        """Return a receiver of what the publisher at `url` publishes; it has no topic yet."""
        receiver = self._open(zmq.SUB, linger=0)
        receiver.rcvhwm = self.options.subscribe_hwm
        self._keep_alive(receiver)
        self._connect(receiver, url)
        return Receiver(receiver)

    def sender(self, transport: int, id: str, ip: str) -> Sender | None:
        """Return a bound sender of a data product, None if there is no port or address for it."""
        publisher = self._open(zmq.XPUB, linger=_CLOSE_LINGER)
        publisher.sndhwm = self.options.publish_hwm
        publisher.xpub_verbose = True  # each new subscriber is seen, since each wants the cached messages
        publisher.set(zmq.XPUB_NODROP, 1)
        self._keep_alive(publisher)
        url = self._bind(publisher, transport, id, ip)
        return Sender(publisher, url) if url else None

    def responder(self, transport: int, id: str, ip: str) -> Responder | None:
        """Return a bound responder of a service, None if there is no port or address for it."""
        responder = self._open(zmq.REP, linger=_CLOSE_LINGER)
        url = self._bind(responder, transport, id, ip)
        return Responder(responder, url) if url else None

    def responder_at(self, url: str) -> Responder:
        """Return a responder bound to the fixed address `url`; raise TransportError if that cannot be."""
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
            raise TransportError(f"{url!r} is no address to connect to: {error}") from None

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


class Receiver:
    """A SUB socket on one publisher. Belongs to its loop's thread."""

    def __init__(self, subscriber: zmq.Socket[bytes]) -> None:
        self.socket = subscriber

    def add_topic(self, topic: bytes) -> None:
        """Receive what begins with `topic`; the publisher answers with its cached messages."""
        self.socket.subscribe(topic)

    def remove_topic(self, topic: bytes) -> None:
        """Take one `add_topic` back."""
        self.socket.unsubscribe(topic)

    def receive(self) -> list[list[bytes]]:
        """Return the messages that have arrived, at most a batch of them."""
        messages: list[list[bytes]] = []
        with contextlib.suppress(zmq.Again):
            while len(messages) < _BATCH:
                messages.append(self.socket.recv_multipart(zmq.NOBLOCK))
        return messages


class Requester:
    """A REQ socket that waits for a reply. Belongs to its loop's thread."""

    def __init__(self, requester: zmq.Socket[bytes]) -> None:
        self.socket = requester

    def receive(self) -> bytes:
        """Return the first frame of the reply that has arrived."""
        return self.socket.recv_multipart()[0]


class Responder:
    """A REP socket. Belongs to its loop's thread."""

    def __init__(self, responder: zmq.Socket[bytes], url: str) -> None:
        self.socket = responder
        self.url = url

    def serve(self, answer: Callable[[bytes], bytes]) -> None:
        """Answer the requests that have arrived, at most a batch of them."""
        with contextlib.suppress(zmq.Again):
            for _ in range(_BATCH):
                request = self.socket.recv_multipart(zmq.NOBLOCK)
                self.socket.send(answer(request[0]))


class Sender:
    """An XPUB socket, used by publishing threads and, for new subscribers, by the loop that watches `fd`.

    Every use is under `lock`, since ZeroMQ's sockets must not be used by two threads at once.
    """

    def __init__(self, publisher: zmq.Socket[bytes], url: str) -> None:
        self.url = url
        self.lock = threading.Lock()
        self.overflows = 0  # how often a subscriber was too slow; ZeroMQ does not say how much it then missed
        self._socket = publisher
        self._topics: set[bytes] = set()
        self._overflowing = False

    @property
    def fd(self) -> int:
        """The descriptor that becomes readable when the socket wants attention."""
        return int(self._socket.fd)

    @property
    def closed(self) -> bool:
        """Whether the socket is closed; the lock must be held."""
        return self._socket.closed

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody is subscribed, with whatever filter."""
        return bool(self._topics)

    def send(self, frames: Frames) -> None:
        """Send one message to all whose topic it begins with; the lock must be held.

        ZeroMQ drops silently what exceeds a subscriber's queue. Here the publisher waits for room, but only
        once: a subscriber that stays stuck misses messages until it has read half of its queue, the others
        get theirs without a pause.
        """
        if self._try(frames):
            self._overflowing = False
            return
        if not self._overflowing:
            deadline = time.monotonic() + _FULL_QUEUE_WAIT
            while time.monotonic() < deadline:
                time.sleep(0.0005)
                if self._try(frames):
                    return
            self._overflowing = True
            library_log.warning("a subscriber of %s is too slow: it now misses messages", self.url)
        self.overflows += 1
        self._socket.set(zmq.XPUB_NODROP, 0)
        self._socket.send_multipart(frames, zmq.NOBLOCK)
        self._socket.set(zmq.XPUB_NODROP, 1)

    def take_subscriptions(self) -> bool:
        """Note who has subscribed or unsubscribed; return whether anybody is new. The lock must be held."""
        new = False
        while int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
            frame = self._socket.recv()
            if frame.startswith(b"\x01"):
                new = True
                self._topics.add(frame[1:])
            else:
                self._topics.discard(frame[1:])
        return new

    def unbind(self) -> None:
        """Free the address; the lock must be held."""
        self._socket.unbind(self.url)

    def close(self) -> None:
        """Close the socket, after the loop has stopped watching `fd`."""
        with self.lock:
            self._socket.close()

    def _try(self, frames: Frames) -> bool:
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True


class BroadcastListener:
    """A UDP socket that hears broadcasts. Belongs to its loop's thread."""

    def __init__(self, port: int) -> None:
        """Raises TransportError if `port` cannot be listened to."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setblocking(False)
        try:
            self.socket.bind(("", port))
        except OSError as error:
            self.socket.close()
            raise TransportError(f"cannot listen to broadcasts on port {port}: {error}") from None

    def receive(self) -> list[bytes]:
        """Return the datagrams that have arrived, at most a batch of them."""
        datagrams: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while len(datagrams) < _BATCH:
                datagrams.append(self.socket.recv(_DATAGRAM))
        return datagrams


def broadcast(datagram: bytes, address: str, port: int) -> None:
    """Send a datagram to all hosts that `address` stands for; raise TransportError if that fails."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            sender.sendto(datagram, (address, port))
        except OSError as error:
            raise TransportError(f"cannot broadcast to {address}:{port}: {error}") from None


Watched = Receiver | Requester | Responder | BroadcastListener | int  # a socket, or a file descriptor


class Loop:
    """A thread that polls sockets, runs what other threads hand over, and keeps timers.

    Apart from `call` and `stop`, its methods are for its own thread.
    """

    def __init__(self, name: str) -> None:
        self._poller = zmq.Poller()
        self._handlers: dict[object, Callable[[], None]] = {}
        self._sockets: dict[object, zmq.Socket[bytes] | socket.socket] = {}
        self._calls: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._stopping = False
        self.watch(self._wake_reader.fileno(), self._drain_wakes)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], None]) -> None:
        """Run `function` in the loop's thread: at once if called from there, else soon."""
        if threading.current_thread() is self._thread:
            function()
        else:
            self._calls.append(function)
            self._wake()

    def call_at(self, when: float, function: Callable[[], None]) -> None:
        """Run `function` when `time.monotonic()` reaches `when`."""
        heapq.heappush(self._timers, (when, next(self._order), function))

    def watch(self, watched: Watched, handler: Callable[[], None]) -> None:
        """Call `handler` whenever a socket or file descriptor is readable."""
        pollable = _pollable(watched)
        self._handlers[pollable] = handler
        self._poller.register(pollable, zmq.POLLIN)
        if not isinstance(watched, int):
            self._sockets[pollable] = watched.socket

    def unwatch(self, watched: Watched) -> None:
        """Stop watching; a socket is closed."""
        pollable = _pollable(watched)
        if self._handlers.pop(pollable, None):
            self._poller.unregister(pollable)
        if not isinstance(watched, int):
            self._sockets.pop(pollable, None)
            watched.socket.close()

    def stop(self) -> None:
        """End the thread, after what was handed over before, and close the sockets it watches."""
        self._stopping = True
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):  # full: awake already; closed: stopped
            self._wake_writer.send(b"\0")

    def _drain_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_reader.recv(4096)

    def _run(self) -> None:
        while not self._stopping:
            for pollable, _ in self._poller.poll(self._until_next_timer()):
                handler = self._handlers.get(pollable)
                if handler:  # else an earlier handler has stopped watching it
                    self._guard(handler)
            self._run_calls()
            now = time.monotonic()  # once: a timer that always sets itself again must not keep the sockets waiting
            while self._timers and self._timers[0][0] <= now:
                self._guard(heapq.heappop(self._timers)[2])
        self._run_calls()
        for watched in self._sockets.values():
            watched.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _run_calls(self) -> None:
        while self._calls:
            self._guard(self._calls.popleft())

    def _until_next_timer(self) -> int | None:
        """Return milliseconds, None for no timer."""
        return max(0, math.ceil((self._timers[0][0] - time.monotonic()) * 1000)) if self._timers else None

    def _guard(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception:  # a node must outlive any one message; what went wrong is said, with its traceback
            library_log.exception("%s: unexpected error", self._thread.name)


def _pollable(watched: Watched) -> zmq.Socket[bytes] | int:
    """Return what the poller knows a watched thing by; it names plain sockets by their descriptors."""
    if isinstance(watched, int):
        return watched
    return watched.socket.fileno() if isinstance(watched.socket, socket.socket) else watched.socket
