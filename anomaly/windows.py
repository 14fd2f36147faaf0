"""Samples → windows, the arrays that the autoencoder sees."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.samples import Sample

ROWS = 1000  # of an array: long enough that starting a new one costs little


class Window(NamedTuple):
    """Consecutive samples without a gap: `values` is float32 of shape (n_steps, n_streams), not to be written to.

    `number` and `timestamp` (microseconds since the epoch) are those of the last sample; the first sample
    that ever came has number 1. `after_gap`: whether it is the first window after a gap.
    """

    number: int
    timestamp: int
    values: NDArray[np.float32]
    after_gap: bool


class WindowBuilder:
    """Cuts samples into windows of `n_steps` that follow each other by `stride`; none has a gap in it."""

    def __init__(self, n_steps: int, stride: int) -> None:
        self.gaps = 0
        self._n_steps = n_steps
        self._stride = stride
        self._number = 0
        self._next = n_steps  # number of the sample that completes the next window
        self._rows = np.empty((0, 0), np.float32)  # the last samples' values, oldest first
        self._count = 0  # of rows in use
        self._after_gap = False

    def add(self, sample: Sample) -> Window | None:
        """Take the next sample; return the window that it completes, if any."""
        self._number += 1
        if sample.after_gap:
            self.gaps += 1
            self._after_gap = True
            self._next = self._number + self._n_steps - 1
        self._append(sample.values)
        if self._number < self._next:
            return None
        self._next = self._number + self._stride
        values = self._rows[self._count - self._n_steps : self._count]
        after_gap, self._after_gap = self._after_gap, False
        return Window(self._number, sample.timestamp, values, after_gap)

    def _append(self, values: tuple[float, ...]) -> None:
        """Add a row. Windows are views: rows are never overwritten, but go on in a new array when one is full."""
        if self._count == len(self._rows):
            kept = self._rows[max(0, self._count - self._n_steps + 1) :]
            self._rows = np.empty((self._n_steps + ROWS, len(values)), np.float32)
            self._count = len(kept)
            if self._count:
                self._rows[: self._count] = kept
        self._rows[self._count] = values
        self._count += 1


def windows(samples: Iterable[Sample], n_steps: int) -> tuple[NDArray[np.float32], int]:
    """Return all sliding windows of `samples` as float32 of shape (n_windows, n_steps, n_streams), and the gaps."""
    builder = WindowBuilder(n_steps, stride=1)
    values = [window.values for sample in samples if (window := builder.add(sample))]
    n_streams = values[0].shape[1] if values else 0
    return np.array(values, dtype=np.float32).reshape(len(values), n_steps, n_streams), builder.gaps
