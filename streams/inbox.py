"""What has arrived and waits for its turn, in bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from streams.points import END_TYPE

from gravity import GravityDataProduct, GravitySubscriber

MOST = 10_000  # data products taken at once: bounds how long the first of a backlog waits for the last
# What waits if more arrives than can be scored: data products, about 200 MB of them, and bytes in them.
MOST_WAITING, MOST_BYTES = 300_000, 200_000_000


class Inbox(GravitySubscriber):
    """A subscriber that hands data products to another thread, in order, so that receiving never waits.

    If too many wait, the oldest are dropped and counted, but not the latest news that streams have ended.
    """

    def __init__(self, taken: Callable[[list[GravityDataProduct]], object] = len) -> None:
        """`taken` is called with what is taken each time, also if that is nothing."""
        GravitySubscriber.__init__(self)
        self._taken = taken
        self._waiting: deque[GravityDataProduct] = deque()
        self._bytes = 0  # in them
        self._dropped = 0  # since the last question
        self._changed = threading.Condition()

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Take what has arrived since the last call."""
        self.put(dataProducts)

    def put(self, products: Iterable[GravityDataProduct]) -> None:
        """Add what has arrived."""
        with self._changed:
            for product in products:
                self._waiting.append(product)
                self._bytes += len(product.data)
            oldest = []
            while len(self._waiting) > MOST_WAITING or self._bytes > MOST_BYTES:
                oldest.append(self._pop())
            ends = [product for product in oldest if product.typeName == END_TYPE][-MOST:]
            self._waiting.extendleft(reversed(ends))
            self._bytes += sum(len(product.data) for product in ends)
            self._dropped += len(oldest) - len(ends)
            self._changed.notify()

    def take(self, timeout: float) -> list[GravityDataProduct]:
        """Return what waits, up to MOST; nothing if nothing comes within `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, timeout)
            products = [self._pop() for _ in range(min(MOST, len(self._waiting)))]
        self._taken(products)
        return products

    def _pop(self) -> GravityDataProduct:
        product = self._waiting.popleft()
        self._bytes -= len(product.data)
        return product

    def dropped(self) -> int:
        """Return how many were dropped since the last call."""
        with self._changed:
            dropped, self._dropped = self._dropped, 0
            return dropped
