"""What has arrived and waits for its turn, in bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from streams.points import END_TYPE

from gravity import GravityDataProduct, GravitySubscriber

MOST = 10_000  # data products taken at once: bounds how long the first of a backlog waits for the last
MOST_WAITING = 300_000  # data products: bounds the memory to about 200 MB if more arrives than can be scored


class Inbox(GravitySubscriber):
    """A subscriber that hands data products to another thread, in order, so that receiving never waits.

    If too many wait, the oldest are dropped and counted, but not the latest news that streams have ended.
    """

    def __init__(self) -> None:
        GravitySubscriber.__init__(self)
        self._waiting: deque[GravityDataProduct] = deque()
        self._dropped = 0  # since the last question
        self._changed = threading.Condition()

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Take what has arrived since the last call."""
        self.put(dataProducts)

    def put(self, products: Iterable[GravityDataProduct]) -> None:
        """Add what has arrived."""
        with self._changed:
            self._waiting.extend(products)
            if (excess := len(self._waiting) - MOST_WAITING) > 0:
                oldest = [self._waiting.popleft() for _ in range(excess)]
                ends = [product for product in oldest if product.typeName == END_TYPE][-MOST:]
                self._waiting.extendleft(reversed(ends))
                self._dropped += excess - len(ends)
            self._changed.notify()

    def take(self, timeout: float) -> list[GravityDataProduct]:
        """Return what waits, up to MOST; nothing if nothing comes within `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, timeout)
            return [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]

    def dropped(self) -> int:
        """Return how many were dropped since the last call."""
        with self._changed:
            dropped, self._dropped = self._dropped, 0
            return dropped
