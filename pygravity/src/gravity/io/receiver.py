"""The subscriber's end of a data product."""

from __future__ import annotations

import time

import zmq

from ..log import library_log
from ..protocol.tally import Tally
from .watched_socket import WatchedSocket

_BATCH = 1000  # messages handed on at a time, so that a flood does not starve the other sockets

_NOW = int(zmq.NOBLOCK)  # a plain number, because reading an enumeration is slower


class Receiver(WatchedSocket):
    """A SUB socket on one publisher. Belongs to its loop's thread."""

    looks_first = False

    def __init__(self, subscriber: zmq.Socket[bytes], url: str, capacity: int) -> None:
        """`capacity`: how many messages the socket's queue holds, 0 for any number."""
        super().__init__(subscriber)
        self._url = url
        self._capacity = capacity
        self._batch = max(_BATCH, capacity)
        self._full = Tally()

    def add_topic(self, topic: bytes) -> None:
        """Receive messages whose filter text begins with `topic`; the publisher first sends its cached ones."""
        self.socket.subscribe(topic)

    def remove_topic(self, topic: bytes) -> None:
        """Undo one `add_topic`."""
        self.socket.unsubscribe(topic)

    def receive(self) -> list[bytes]:
        """Return the frames with data products that have arrived, at most a batch of them."""
        frames: list[bytes] = []
        try:
            self._take(frames)
            if self.readable():  # looking is cheaper than an Again exception, unless there are many messages
                while len(frames) < self._batch:
                    self._take(frames)
        except zmq.Again:
            self.exhausted = True
        if 0 < self._capacity <= len(frames):
            self._report(self._full.add(time.monotonic()))
        return frames

    def close(self) -> None:
        """Close the socket."""
        self._report(self._full.rest())
        super().close()

    def _take(self, frames: list[bytes]) -> None:
        """Add the second frame of the next message to `frames`; the first is its filter text.

        This runs once a message. Hence it does not ask whether the first frame is the last one: asking ZeroMQ after
        the second frame is enough to detect messages that are not pairs.
        """
        receive = self.socket.recv
        first = receive(_NOW)
        try:
            second = receive(_NOW, False)
        except zmq.Again:
            frames.append(first)  # of a single frame
            return
        if second.more:
            frames += self._out_of_step(first)
        else:
            frames.append(second.bytes)

    def _out_of_step(self, first: bytes) -> list[bytes]:
        """Return the frames to pass on, of a message of more than two frames, or of one single frame and a pair.

        The last frame is right in both cases. The first one is passed on too, to be recognised as malformed, unless
        it is empty: then it was a filter text.
        """
        last = self.socket.recv_multipart(_NOW)[-1]
        return [first, last] if first else [last]

    def _report(self, times: int) -> None:
        if times:
            library_log.warning(
                "the queue for %s was full %d times: the publisher waited, or dropped messages",
                self._url,
                times,
            )
