"""Samples → windows, the arrays that the autoencoder sees."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.samples import Sample


class Window(NamedTuple):
    """Consecutive samples without a gap: `values` is float32 of shape (n_steps, n_streams).

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
        self.windows = 0
        self._n_steps = n_steps
        self._stride = stride
        self._number = 0
        self._next = n_steps  # number of the sample that completes the next window
        self._samples: deque[Sample] = deque(maxlen=n_steps)
        self._after_gap = False

    def add(self, sample: Sample) -> Window | None:
        """Take the next sample; return the window that it completes, if any."""
        self._number += 1
        if sample.after_gap:
            self.gaps += 1
            self._after_gap = True
            self._next = self._number + self._n_steps - 1
        self._samples.append(sample)
        if self._number < self._next:
            return None
        self._next = self._number + self._stride
        self.windows += 1
        values = np.array([sample.values for sample in self._samples], dtype=np.float32)
        after_gap, self._after_gap = self._after_gap, False
        return Window(self._number, sample.timestamp, values, after_gap)


def windows(samples: Iterable[Sample], n_steps: int) -> tuple[NDArray[np.float32], int]:
    """Return all sliding windows of `samples` as float32 of shape (n_windows, n_steps, n_streams), and the gaps."""
    builder = WindowBuilder(n_steps, stride=1)
    values = [window.values for sample in samples if (window := builder.add(sample))]
    n_streams = values[0].shape[1] if values else 0
    return np.array(values, dtype=np.float32).reshape(len(values), n_steps, n_streams), builder.gaps
