"""Whether a node is there, as far as its messages tell."""

from __future__ import annotations

from enum import Enum

import numpy as np

LEAST = 3.0  # seconds of silence after which a node is missed, if it usually sends more often
USUAL = 4.0  # usual intervals between messages after which it is missed
WEIGHT = 0.2  # of the latest interval in the usual one
MOST = 2.0  # usual intervals that the latest counts at most
WORKS = 90.0  # seconds that a node may be silent while it is known to work: it imports TensorFlow, or trains


class State(Enum):
    """Of a node."""

    WAITING = "waiting"  # never seen
    HERE = "here"
    GONE = "gone"
    ENDED = "ended"  # it said so
    UNKNOWN = "unknown"  # it has nothing to say


class Presence:
    """When a node was last heard of. Times are monotonic, in seconds."""

    def __init__(self) -> None:
        self.heard: float | None = None
        self.ended = False
        self.works = False  # silently
        self._interval = 0.0

    def hear(self, now: float) -> None:
        """Note a message, or several at once."""
        if self.heard is not None:
            interval = now - self.heard
            if self._interval:  # an absence does not count in full
                interval = min(interval, MOST * self._interval)
            self._interval += (WEIGHT if self._interval else 1) * (interval - self._interval)
        self.heard, self.ended = now, False

    def silent(self, now: float) -> float:
        """Return the seconds since the last message, infinite before the first."""
        return np.inf if self.heard is None else now - self.heard

    @property
    def patience(self) -> float:
        """The seconds of silence after which the node counts as gone."""
        return WORKS if self.works else max(LEAST, USUAL * self._interval)

    def state(self, now: float) -> State:
        """Return what can be said now."""
        if self.heard is None:
            return State.WAITING
        if self.ended:
            return State.ENDED
        return State.HERE if self.silent(now) <= self.patience else State.GONE
