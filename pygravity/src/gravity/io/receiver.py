"""The subscriber's end of a data product."""

from __future__ import annotations

import time

import zmq

from ..log import library_log
from ..protocol.throttle import ThrottledCount
from .watched_socket import WatchedSocket

_BATCH = 1000  # messages handed on at a time, so that a flood does not starve the other sockets

_NOW = int(zmq.NOBLOCK)  # a plain number, since that of an enumeration takes longer to be read


class Receiver(WatchedSocket):
    """A SUB socket on one publisher. Belongs to its loop's thread."""

    looks_first = False

    def __init__(self, subscriber: zmq.Socket[bytes], url: str, capacity: int) -> None:
        """`capacity`: how many messages the socket's queue takes, 0 for any number."""
        super().__init__(subscriber)
        self._url = url
        self._capacity = capacity
        self._batch = max(_BATCH, capacity)
        self._full = ThrottledCount()

    def add_topic(self, topic: bytes) -> None:
        """Receive what begins with `topic`; the publisher answers with its cached messages."""
        self.socket.subscribe(topic)

    def remove_topic(self, topic: bytes) -> None:
        """Take one `add_topic` back."""
        self.socket.unsubscribe(topic)

    def receive(self) -> list[bytes]:
        """Return the frames with data products that have arrived, at most a batch of them."""
        frames: list[bytes] = []
        try:
            self._take(frames)
            if self.readable():  # a look costs less than Again does: running into that pays for many only
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

        This runs once a message. Hence the first frame is taken without asking whether it is the last, too:
        only for the second ZeroMQ is asked whether there are more, and that shows what was no such pair.
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
        """Return what to hand on of one message of more than two frames, or of one frame and a pair.

        The last frame is right in both cases. The first one is given to those who tell garbage from messages,
        unless it is empty: then it was a filter text.
        """
        last = self.socket.recv_multipart(_NOW)[-1]
        return [first, last] if first else [last]

    def _report(self, times: int) -> None:
        if times:
            library_log.warning(
                "the queue for what %s publishes was full %d times: the publisher had to wait, or dropped messages",
                self._url,
                times,
            )
