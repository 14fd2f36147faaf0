"""The publisher's end of a data product."""

from __future__ import annotations

import math
import threading
import time

import zmq

from ..log import library_log
from ..protocol.publication import Frames
from ..protocol.throttle import ThrottledCount

_PATIENCE = 1.0  # seconds that a publisher waits at most for a slow subscriber before messages are dropped
_LEAST_PATIENCE = 0.05  # just after it has waited in vain
_PATIENCE_GROWTH = 0.01  # seconds more for each second since: what waiting in vain may cost in the long run
_NOW = int(zmq.NOBLOCK)  # plain numbers, since operations on flags cost more than sending
_NOW_WITH_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)


class Sender:
    """An XPUB socket, used by publishing threads and, for new subscribers, by the loop that watches `fd`.

    Every use is under `lock`, since ZeroMQ's sockets must not be used by two threads at once.
    """

    def __init__(self, publisher: zmq.Socket[bytes], url: str) -> None:
        self.url = url
        self.lock = threading.Lock()
        self.closed = False
        self._socket = publisher
        self._send = super(zmq.Socket, publisher).send  # what pyzmq's own send() calls, for half of its price
        self._poller = zmq.Poller()
        self._poller.register(publisher, zmq.POLLIN)
        self._topics: set[bytes] = set()
        self._overflows = ThrottledCount()
        self._vain = -math.inf  # when it was last waited in vain

    @property
    def fd(self) -> int:
        """The descriptor that becomes readable when the socket wants attention."""
        return int(self._socket.fd)

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody is subscribed, with whatever filter."""
        return bool(self._topics)

    @property
    def overflows(self) -> int:
        """How often a subscriber was too slow; ZeroMQ does not say how much it then missed, but at least one."""
        return self._overflows.total

    def send(self, frames: Frames) -> None:
        """Send one message to all whose topic it begins with; the lock must be held.

        ZeroMQ drops silently what exceeds a subscriber's queue. Here the publisher waits for room, but not for
        ever, and not again and again: a subscriber that stays stuck misses messages until it has read half of
        its queue, the others get theirs without a pause.
        """
        if not (self._try(frames) or self._wait(frames)):
            self._drop(frames)

    def take_subscriptions(self) -> bool:
        """Note who has subscribed or unsubscribed; return whether anybody is new. The lock must be held."""
        new = False
        while self._poller.poll(0):
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
            self._report(self._overflows.rest())
            self._socket.close()
            self.closed = True

    def _try(self, frames: Frames) -> bool:
        """Send a message unless a subscriber's queue is full; then nobody has got it."""
        topic, frame = frames
        try:
            self._send(topic, _NOW_WITH_MORE)
            self._send(frame, _NOW)
        except zmq.Again:
            return False
        return True

    def _wait(self, frames: Frames) -> bool:
        """Try again until a full queue has room; return False if the patience for that has run out."""
        begin = time.monotonic()
        patience = min(_PATIENCE, _LEAST_PATIENCE + _PATIENCE_GROWTH * (begin - self._vain))
        while time.monotonic() < begin + patience:
            time.sleep(0.0005)
            if self._try(frames):
                return True
        self._vain = time.monotonic()
        return False

    def _drop(self, frames: Frames) -> None:
        """Send a message to those whose queues have room."""
        self._report(self._overflows.add(time.monotonic()))
        self._socket.set(zmq.XPUB_NODROP, 0)
        self._try(frames)
        self._socket.set(zmq.XPUB_NODROP, 1)

    def _report(self, times: int) -> None:
        if times == self._overflows.total == 1:
            library_log.warning("a subscriber of %s is too slow: it now misses messages", self.url)
        elif times:
            library_log.warning(
                "subscribers of %s were too slow %d more times, and missed messages each time", self.url, times
            )
