"""What waits between the thread that receives and the one that works."""

from __future__ import annotations

import contextlib
from queue import Empty, SimpleQueue

from gravity import GravityDataProduct

MOST = 10_000  # data products taken at once, about: bounds how long the first of a backlog waits for the last


class Arrivals:
    """A queue of data products; all that wait are taken at once: the longer the work, the larger the lot."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[list[GravityDataProduct] | None] = SimpleQueue()

    def put(self, products: list[GravityDataProduct] | None) -> None:
        """Add products, or None: nothing more will come. A signal's handler may do this, too."""
        self._queue.put(products)

    def get(self, timeout: float) -> list[GravityDataProduct] | None:
        """Return what waits, or None at the end; raise queue.Empty if nothing comes within `timeout` seconds."""
        first = self._queue.get(timeout=timeout)
        if first is None:
            return None
        products = list(first)
        with contextlib.suppress(Empty):
            while len(products) < MOST:
                more = self._queue.get_nowait()
                if more is None:
                    self._queue.put(None)  # for the next call
                    break
                products += more
        return products
