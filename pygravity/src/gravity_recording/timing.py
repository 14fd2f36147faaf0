"""When recorded messages are due. Times are seconds: `now` on any steady clock, `at` from the beginning."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from .model import Recorded


def timed(messages: Iterable[Recorded], begin: int | None = None) -> Iterator[tuple[float, Recorded]]:
    """Yield each message with the seconds from `begin` to its receipt, 0 if the clock had gone backwards.

    `begin`: in microseconds since the epoch; by default the receipt of the first message.
    """
    for message in messages:
        if begin is None:
            begin = message.received
        yield max(0, message.received - begin) / 1e6, message


class Pace:
    """How playing advances, at a speed that may change, or paused."""

    def __init__(self, now: float, speed: float = 1.0, *, paused: bool = False) -> None:
        self.speed = speed
        self.paused = paused
        self._at = 0.0
        self._since = now

    def at(self, now: float) -> float:
        """Return how far playing has come."""
        return self._at if self.paused else self._at + (now - self._since) * self.speed

    def wait(self, at: float, now: float) -> float:
        """Return how long to wait until `at` is reached: infinitely if paused, not at all if the result is <= 0."""
        return math.inf if self.paused else (at - self.at(now)) / self.speed

    def change(self, now: float, *, speed: float | None = None, paused: bool | None = None) -> None:
        """Go on from here at another speed, or paused or not."""
        self.move(self.at(now), now)
        self.speed = self.speed if speed is None else speed
        self.paused = self.paused if paused is None else paused

    def move(self, at: float, now: float) -> None:
        """Go on from `at`."""
        self._at, self._since = at, now
