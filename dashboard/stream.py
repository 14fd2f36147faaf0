"""One stream as it arrives: its values, its rhythm, and what is missing."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from dashboard.history import Array, Series

GAP = 1.5  # usual distances between points from which on something is missing, as in streams.samples
REMEMBERED = 21  # distances whose median is the usual one
FEWEST = 5  # distances that show what is usual
PAUSE = 3.0  # seconds without arrivals after which the publisher was silent, and nothing was lost on the way


class Stream:
    """A stream's values and the gaps between them. Times are in milliseconds since the epoch."""

    def __init__(self, name: str, span: float) -> None:
        """`span`: milliseconds that are remembered."""
        self.name = name
        self.values = Series(span)
        self.rebuilt = Series(span)
        self.last = math.nan  # value
        self.error: float | None = None  # of its reconstruction, relative to its variance in training
        self.count = 0
        self.lost = 0  # messages, as far as the rhythm tells
        self.gaps: list[tuple[float, float]] = []  # newly found, from time to time; whoever looks empties it
        self._distances: deque[float] = deque(maxlen=REMEMBERED)
        self.arrived = math.nan  # when the last point did

    def extend(self, times: Array, values: Array, arrived: Array) -> None:
        """Add points, with the monotonic times in seconds at which they arrived."""
        newest = self.values.newest
        self.values.extend(times, values)
        self.count += len(times)
        self.last = float(values[-1])
        before = [] if newest is None else [newest]
        distances = np.diff(times, prepend=before)
        waited = np.diff(arrived, prepend=[] if newest is None else [self.arrived])
        self.arrived = float(arrived[-1])
        if usual := self.period or _median(distances[distances > 0]):
            for index in np.flatnonzero(distances > GAP * usual):
                end = float(times[index + len(times) - len(distances)])
                self.gaps.append((end - float(distances[index]), end))
                if waited[index] < PAUSE:
                    self.lost += round(float(distances[index]) / usual) - 1
        self._distances.extend(distances[distances > 0][-REMEMBERED:].tolist())

    @property
    def period(self) -> float:
        """The usual distance between points in milliseconds, 0 if unknown."""
        return _median(self._distances)


def _median(distances: Array | deque[float]) -> float:
    return float(np.median(distances)) if len(distances) >= FEWEST else 0.0
