"""The past of a series of values: bounded in memory, thinned so that peaks stay."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

CAPACITY = 2048  # points of a level
BLOCK = 8  # points of a level that become two of the next, coarser one


def thin(times: Array, values: Array, block: int) -> tuple[Array, Array]:
    """Return the least and the greatest value of each `block` of points, in order of time, with their times."""
    whole = len(times) // block * block
    parts = [slice(0, whole), slice(whole, None)] if whole < len(times) else [slice(0, whole)]
    thinned = [_extremes(times[part], values[part], block if part.stop else len(times) - whole) for part in parts]
    return np.concatenate([t for t, _ in thinned]), np.concatenate([v for _, v in thinned])


def _extremes(times: Array, values: Array, block: int) -> tuple[Array, Array]:
    if not len(times):
        return times, values
    blocks = values.reshape(-1, block)
    both = np.sort(np.stack([blocks.argmin(axis=1), blocks.argmax(axis=1)], axis=1), axis=1)
    index = (both + np.arange(len(blocks))[:, None] * block).ravel()
    return times[index], values[index]


class _Level:
    """The newest points of one resolution: at least CAPACITY of them, if there have been so many."""

    def __init__(self) -> None:
        self._points = np.empty((2, 2 * CAPACITY))
        self._count = 0
        self.total = 0  # points ever
        self.passed = 0  # of them passed on to the next level

    @property
    def points(self) -> Array:
        """Times and values, shape (2, n)."""
        return self._points[:, : self._count]

    @property
    def rest(self) -> Array:
        """The points that have not been passed on."""
        return self._points[:, max(0, self._count - (self.total - self.passed)) : self._count]

    @property
    def is_full(self) -> bool:
        """Whether it begins to forget."""
        return self._count >= CAPACITY

    def append(self, points: Array) -> None:
        """Add no more than CAPACITY points."""
        if self._count + points.shape[1] > 2 * CAPACITY:
            self._points[:, :CAPACITY] = self._points[:, self._count - CAPACITY : self._count]
            self._count = CAPACITY
        self._points[:, self._count : self._count + points.shape[1]] = points
        self._count += points.shape[1]
        self.total += points.shape[1]


class Series:
    """Values over time, in levels of ever coarser resolution, of which the finest that reaches far enough is shown.

    Two of eight points pass from each level to the next, the least and the greatest, so that a peak is never lost.
    """

    def __init__(self, span: float) -> None:
        """`span`: how far back to remember, in the unit of the times."""
        self._span = span
        self._levels = [_Level()]

    @property
    def newest(self) -> float | None:
        """The time of the newest point, if there is one."""
        points = self._levels[0].points
        return float(points[0, -1]) if points.shape[1] else None

    def extend(self, times: ArrayLike, values: ArrayLike) -> None:
        """Add finite points, shape (n,); those that are not later than all before them are ignored."""
        times, values = np.asarray(times, np.float64), np.asarray(values, np.float64)
        newest = self.newest
        before = np.concatenate([[-np.inf if newest is None else newest], times[:-1]])
        later = times > np.maximum.accumulate(before)
        points = np.stack([times[later], values[later]])
        for start in range(0, points.shape[1], CAPACITY):
            self._append(0, points[:, start : start + CAPACITY])

    def between(self, begin: float, end: float, most: int) -> tuple[Array, Array]:
        """Return up to about `most` points from `begin` to `end`, and one on either side."""
        number = next(
            (n for n, level in enumerate(self._levels) if level.total and level.points[0, 0] <= begin),
            len(self._levels) - 1,
        )
        points = np.concatenate(
            [self._levels[number].points, *(level.rest for level in self._levels[:number][::-1])], axis=1
        )
        first = max(0, int(np.searchsorted(points[0], begin)) - 1)
        last = int(np.searchsorted(points[0], end, side="right")) + 1
        block = 2
        while (last - first) / block * 2 > most:
            block *= 2
        if block > 2:
            level = self._levels[number]
            forgotten = level.total - level.points.shape[1]
            first = max(0, first - (forgotten + first) % block)  # the same blocks each time, or the picture flickers
            return thin(points[0, first:last], points[1, first:last], block)
        return points[0, first:last].copy(), points[1, first:last].copy()

    def _append(self, number: int, points: Array) -> None:
        level = self._levels[number]
        level.append(points)
        if number + 1 == len(self._levels):
            held = level.points
            if not level.is_full or held[0, -1] - held[0, 0] >= self._span:
                return
            self._levels.append(_Level())
            level.passed = level.total - held.shape[1]
        rest = level.rest
        whole = rest.shape[1] // BLOCK * BLOCK
        if whole:
            level.passed += whole
            self._append(number + 1, np.stack(thin(rest[0, :whole], rest[1, :whole], BLOCK)))
