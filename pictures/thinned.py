"""Thins rows of numbers to the lowest and highest of each stretch, so that peaks stay and memory is bounded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WAITING = 1024  # rows that are thinned at once, which costs less for each


class Thinned:
    """Rows of numbers in order of time, in buckets of `per` rows each; `per` doubles when there are too many."""

    def __init__(self, n_columns: int, most: int) -> None:
        """`most`: buckets, an even number."""
        self.per = 1
        self._most = most
        self._rows = 0
        self._waiting_times: list[int] = []
        self._waiting: list[Sequence[float]] = []
        self._times = np.zeros(most, np.int64)
        self._low = np.full((most, n_columns), np.nan, np.float32)
        self._high = self._low.copy()

    def add(self, times: Sequence[int], rows: Sequence[Sequence[float]]) -> None:
        """Add rows, each of `n_columns` numbers, with their times. NaN counts as nothing."""
        self._waiting_times += times
        self._waiting += rows
        if len(self._waiting) >= WAITING:
            self._thin()

    def _thin(self) -> None:
        """Put the rows that wait into buckets."""
        times = np.array(self._waiting_times, np.int64)
        with np.errstate(over="ignore"):
            rows = np.array(self._waiting, np.float32)
        self._waiting_times, self._waiting = [], []
        while len(rows):
            if self._rows == self._most * self.per:
                self._halve()
            taken = min(len(rows), self._most * self.per - self._rows)
            bucket = (self._rows + np.arange(taken)) // self.per
            starts = np.flatnonzero(np.diff(bucket, prepend=-1))
            at = bucket[starts]
            fresh = slice(0 if self._rows % self.per == 0 else 1, None)  # the first may be half full
            self._times[at[fresh]] = times[starts[fresh]]
            self._low[at] = np.fmin(self._low[at], np.fmin.reduceat(rows[:taken], starts))
            self._high[at] = np.fmax(self._high[at], np.fmax.reduceat(rows[:taken], starts))
            self._rows += taken
            times, rows = times[taken:], rows[taken:]

    def lines(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the points of lines through all rows: times, shape (m,), and values, shape (m, n_columns).

        They go from each bucket's lowest value to its highest, at the time of its first row.
        """
        self._thin()
        count = -(-self._rows // self.per)
        if self.per == 1:
            return self._times[:count], self._low[:count]
        values = np.stack([self._low[:count], self._high[:count]], axis=1)
        return np.repeat(self._times[:count], 2), values.reshape(2 * count, -1)

    def _halve(self) -> None:
        half = self._most // 2
        self._times[:half] = self._times[::2]
        for values, better in ((self._low, np.fmin), (self._high, np.fmax)):
            values[:half] = better(values[::2], values[1::2])
            values[half:] = np.nan
        self.per *= 2
