"""The publisher's end of its connections."""

from __future__ import annotations

import math
import threading
import time

import zmq

from ..log import library_log
from ..log.throttle import ThrottledCount
from ..protocol.limits import MOST_FILTERS
from ..protocol.publication import Frames

_PATIENCE = 1.0  # maximum seconds to wait for a slow subscriber before dropping messages
_LEAST_PATIENCE = 0.05  # seconds, right after a wait has failed
_PATIENCE_GROWTH = 0.01  # seconds per second since a failed wait: bounds the time spent waiting
_NOW = int(zmq.NOBLOCK)  # plain ints: operations on enum flags cost more than sending
_NOW_WITH_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)


class Sender:
    """An XPUB socket, used by publishing threads and, for new subscribers, by the loop that watches `fd`.

    Hold `lock` for every use, since ZeroMQ sockets are not thread-safe.
    """

    def __init__(self, publisher: zmq.Socket[bytes], url: str, largest: int) -> None:
        """`largest`: the most bytes of a frame."""
        self.url = url
        self.largest = largest
        self.lock = threading.Lock()
        self.closed = False
        self._socket = publisher
        self._send = super(zmq.Socket, publisher).send  # what pyzmq's own send() calls, at half the cost
        self._poller = zmq.Poller()
        self._poller.register(publisher, zmq.POLLIN)
        self._topics: set[bytes] = set()
        self._overflows = ThrottledCount()
        self._failed_at = -math.inf  # time of the last failed wait

    @property
    def fd(self) -> int:
        """The file descriptor that becomes readable when the socket needs attention."""
        return int(self._socket.fd)

    @property
    def has_subscribers(self) -> bool:
        """Whether there is any subscriber, with any filter."""
        return bool(self._topics)

    @property
    def overflows(self) -> int:
        """How many times a subscriber was too slow; each time it missed at least one message, maybe more."""
        return self._overflows.total

    def send(self, frames: Frames) -> None:
        """Send one message to all subscribers whose topic matches; the lock must be held.

        ZeroMQ silently drops messages that exceed a subscriber's queue. This method first waits for room, but only
        for a limited time: a stuck subscriber misses messages until it has read half of its queue, without
        delaying the others.
        """
        if not (self._try(frames) or self._wait(frames)):
            self._drop(frames)

    def take_subscriptions(self) -> bool:
        """Process (un)subscriptions; return whether there is a new subscriber. The lock must be held."""
        new = False
        while self._poller.poll(0):
            frame = self._socket.recv()
            if frame.startswith(b"\x01"):
                new = True
                if len(self._topics) < MOST_FILTERS:
                    self._topics.add(frame[1:])
            else:
                self._topics.discard(frame[1:])
        return new

    def unbind(self) -> None:
        """Release the address; the lock must be held."""
        self._socket.unbind(self.url)

    def close(self) -> None:
        """Close the socket, after the loop has stopped watching `fd`."""
        with self.lock:
            self._report(self._overflows.take_unreported())
            self._socket.close()
            self.closed = True

    def _try(self, frames: Frames) -> bool:
        """Send a message to all, or to nobody if a subscriber's queue is full; return whether it was sent."""
        topic, frame = frames
        try:
            self._send(topic, _NOW_WITH_MORE)
            self._send(frame, _NOW)
        except zmq.Again:
            return False
        return True

    def _wait(self, frames: Frames) -> bool:
        """Retry until the full queue has room; return False if that takes too long."""
        begin = time.monotonic()
        patience = min(_PATIENCE, _LEAST_PATIENCE + _PATIENCE_GROWTH * (begin - self._failed_at))
        while time.monotonic() < begin + patience:
            time.sleep(0.0005)
            if self._try(frames):
                return True
        self._failed_at = time.monotonic()
        return False

    def _drop(self, frames: Frames) -> None:
        """Send a message only to subscribers whose queues have room."""
        self._report(self._overflows.add(time.monotonic()))
        self._socket.set(zmq.XPUB_NODROP, 0)
        self._try(frames)
        self._socket.set(zmq.XPUB_NODROP, 1)

    def _report(self, times: int) -> None:
        if times == self._overflows.total == 1:
            library_log.warning("a subscriber of %s is too slow: it is missing messages", self.url)
        elif times:
            library_log.warning(
                "subscribers of %s were too slow %d more times and missed messages each time",
                self.url,
                times,
                extra={"throttled": True},
            )
