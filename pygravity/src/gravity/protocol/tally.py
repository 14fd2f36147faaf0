"""Counts events that are too frequent to log one by one. The time is an argument."""

from __future__ import annotations

import math


class Tally:
    """Reports the first event at once, and the later ones together, at most every `pause` seconds."""

    def __init__(self, pause: float = 10.0) -> None:
        self.total = 0
        self._pause = pause
        self._told = 0
        self._told_at = -math.inf

    def add(self, now: float) -> int:
        """Count an event; return how many to report now, 0 while it is too early to report again."""
        self.total += 1
        if now - self._told_at < self._pause:
            return 0
        self._told_at = now
        return self.rest()

    def rest(self) -> int:
        """Return how many have not been reported, for a last report."""
        untold, self._told = self.total - self._told, self.total
        return untold
