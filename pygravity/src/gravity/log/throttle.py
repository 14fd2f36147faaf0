"""Limits how often a recurring event is reported."""

from __future__ import annotations

import math


class ThrottledCount:
    """Counts events: reports the first one at once, later ones in groups at most every `pause` seconds."""

    def __init__(self, pause: float = 10.0) -> None:
        self.total = 0
        self._pause = pause
        self._reported = 0
        self._reported_at = -math.inf

    def add(self, now: float) -> int:
        """Count an event at time `now`, in seconds; return how many to report, 0 if it is too early."""
        self.total += 1
        if now - self._reported_at < self._pause:
            return 0
        self._reported_at = now
        return self.take_unreported()

    def take_unreported(self) -> int:
        """Return how many events have not been reported yet, and count them as reported."""
        unreported, self._reported = self.total - self._reported, self.total
        return unreported
