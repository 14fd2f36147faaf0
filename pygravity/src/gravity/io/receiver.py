"""The subscriber's end of a connection."""

from __future__ import annotations

import contextlib
import itertools
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

from ..log import library_log
from ..log.throttle import ThrottledCount
from .watched_socket import WatchedSocket

_BATCH = 1000  # messages received at a time, so that a flood does not starve other sockets

_NOW = int(zmq.NOBLOCK)  # a plain int is faster than an enum
_numbers = itertools.count()


class Receiver(WatchedSocket):
    """A SUB socket connected to one publisher. Used only in its loop's thread."""

    looks_first = False
    may_be_lost = True

    def __init__(self, subscriber: zmq.Socket[bytes], url: str, capacity: int) -> None:
        """`capacity`: length of the socket's queue in messages, 0 for unlimited."""
        super().__init__(subscriber)
        self._monitor = _monitor_of(subscriber)
        self._connected = True  # or not connected yet
        self._url = url
        self._capacity = capacity
        self._batch = max(_BATCH, capacity)
        self._full = ThrottledCount()

    def add_topic(self, topic: bytes) -> None:
        """Subscribe to messages whose filter text starts with `topic`; the publisher replays its cached ones."""
        self.socket.subscribe(topic)

    def remove_topic(self, topic: bytes) -> None:
        """Undo one `add_topic`."""
        self.socket.unsubscribe(topic)

    def receive(self) -> list[bytes]:
        """Return the data product frames that have arrived, at most one batch."""
        frames: list[bytes] = []
        try:
            self._take(frames)
            if self.readable():  # checking is cheaper than zmq.Again, which pays off only for many messages
                while len(frames) < self._batch:
                    self._take(frames)
        except zmq.Again:
            self.exhausted = True
        if 0 < self._capacity <= len(frames):
            self._report(self._full.add(time.monotonic()))
        return frames

    def restore(self) -> None:
        """Connect again if the connection has been lost since the last call.

        ZeroMQ itself does so unless the peer has sent too much: then it gives up for good.
        """
        was_connected = self._connected
        while self._monitor.poll(0):
            self._connected = recv_monitor_message(self._monitor)["event"] == zmq.EVENT_CONNECTED
        if self._connected or was_connected:
            return
        library_log.warning(
            "lost the connection to %s: its process has ended, or it sends more than MaxMessageSize = %d bytes",
            self._url,
            self.largest,
        )
        with contextlib.suppress(zmq.ZMQError):
            self.socket.disconnect(self._url)
        self.socket.connect(self._url)
        self._connected = True

    def close(self) -> None:
        """Close the socket."""
        self._report(self._full.take_unreported())
        if not self.socket.closed:
            self.socket.disable_monitor()  # first: events without a reader would block ZeroMQ's thread
        self._monitor.close()
        super().close()

    def _take(self, frames: list[bytes]) -> None:
        """Append the second frame of the next message to `frames`; the first is its filter text.

        This runs once per message, so the first frame is received without checking whether more follow. The check on
        the second frame also reveals messages that are not pairs.
        """
        receive = self.socket.recv
        first = receive(_NOW)
        try:
            second = receive(_NOW, False)
        except zmq.Again:
            frames.append(first)  # the message was a single frame
            return
        if second.more:
            frames += self._out_of_step(first)
        else:
            frames.append(second.bytes)

    def _out_of_step(self, first: bytes) -> list[bytes]:
        """Return the usable frames of one message with more than two frames, or of a single frame followed by a pair.

        The last frame is a data product in both cases. The first is passed on for the decoder to judge, unless it is
        empty and therefore a filter text.
        """
        last = self.socket.recv_multipart(_NOW)[-1]
        return [first, last] if first else [last]

    def _report(self, times: int) -> None:
        if times:
            library_log.warning(
                "the receive queue for %s was full %d times: the publisher had to wait, or dropped messages",
                self._url,
                times,
                extra={"throttled": True},
            )


def _monitor_of(socket: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    """Return a socket that tells when connections of `socket` are made and lost."""
    address = f"inproc://connections-{next(_numbers)}"
    socket.monitor(address, zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED)
    monitor: zmq.Socket[bytes] = socket.context.socket(zmq.PAIR)
    monitor.rcvhwm = 0  # unlimited: if it were full, ZeroMQ's thread would wait
    monitor.connect(address)
    return monitor
