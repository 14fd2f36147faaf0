"""Counts what may happen too often to be told each time: pure, the time is an argument."""

from __future__ import annotations

import math


class ThrottledCount:
    """Tells of the first event at once, then of those in between at most every `pause` seconds."""

    def __init__(self, pause: float = 10.0) -> None:
        self.total = 0
        self._pause = pause
        self._told = 0
        self._told_at = -math.inf

    def add(self, now: float) -> int:
        """Count an event; return how many there are to tell of, 0 while it is too early to tell again."""
        self.total += 1
        if now - self._told_at < self._pause:
            return 0
        self._told_at = now
        return self.rest()

    def rest(self) -> int:
        """Return how many have not been told of, for the last time they can be."""
        untold, self._told = self.total - self._told, self.total
        return untold
