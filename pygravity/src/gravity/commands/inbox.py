"""Received data products that wait to be recorded."""

from __future__ import annotations

import threading
from collections import deque

from ..callbacks import GravitySubscriber
from ..GravityDataProduct import GravityDataProduct

CAPACITY = 256 << 20  # bytes


class Inbox(GravitySubscriber):
    """A bounded queue of serialized data products, which counts what it has no room for."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.dropped = 0
        self._room = capacity
        self._taken = 0
        self._waiting: deque[bytes] = deque()
        self._arrived = threading.Condition()

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Queue data products."""
        frames = [product.serializeToString() for product in dataProducts]
        with self._arrived:
            for frame in frames:
                if len(frame) > self._room:
                    self.dropped += 1
                else:
                    self._room -= len(frame)
                    self._waiting.append(frame)
            self._arrived.notify()

    def take(self, seconds: float) -> deque[bytes]:
        """Return what waits, as soon as there is anything, but after `seconds` at the latest.

        Its room is free again with the next call.
        """
        with self._arrived:
            self._room += self._taken
            self._arrived.wait_for(lambda: self._waiting, seconds)
            taken, self._waiting = self._waiting, deque()
            self._taken = sum(map(len, taken))
            return taken
