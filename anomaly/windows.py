"""Cuts samples into windows, the arrays that the autoencoder works on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from node.errors import UserError

import numpy as np
from numpy.typing import NDArray

from streams.samples import Sample

ROWS = 1000  # of an array: long enough that starting a new one costs little
MOST_GAPS = 10  # in a row without a window between them, until that is logged

log = logging.getLogger(__name__)


class NoWindow(UserError):
    """The samples hold no window without a gap."""


class Window(NamedTuple):
    """Consecutive samples without a gap: `values` is float32 of shape (n_steps, n_streams), not to be written to.

    `number` and `timestamp` (microseconds since the epoch) are its last sample's; samples count from 1. `after_gap`:
    whether this is the first window after a gap. `recent` ends with the same samples and goes back so far that at a
    stride of 1 it holds all windows since the one before (ROWS at most).
    """

    number: int
    timestamp: int
    values: NDArray[np.float32]
    after_gap: bool
    recent: NDArray[np.float32]


class WindowBuilder:
    """Cuts samples into windows of `n_steps` samples, one every `stride` samples; none spans a gap."""

    def __init__(self, n_steps: int, stride: int) -> None:
        self.gaps = 0
        self._n_steps = n_steps
        self._stride = stride
        self._number = 0
        self._next = n_steps  # number of the sample that completes the next window
        self._first = n_steps  # number of the first new sample that completes a window at a stride of 1
        self._rows = np.empty((0, 0), np.float32)  # the last samples' values, oldest first
        self._count = 0  # of rows in use
        self._after_gap = False

    def add(self, sample: Sample) -> Window | None:
        """Add the next sample; return the window that it completes, if any."""
        self._number += 1
        if sample.after_gap:
            self.gaps += 1
            self._after_gap = True
            self._first = self._next = self._number + self._n_steps - 1
        self._append(sample.values)
        if self._number < self._next:
            return None
        values = self._rows[self._count - self._n_steps : self._count]
        first = max(self._first, self._number - ROWS + 1)
        recent = self._rows[self._count - self._n_steps - self._number + first : self._count]
        after_gap, self._after_gap = self._after_gap, False
        self._first = self._number + 1
        self._next = self._number + self._stride
        return Window(self._number, sample.timestamp, values, after_gap, recent)

    def _append(self, values: tuple[float, ...]) -> None:
        """Add a row. Windows are views: rows are never overwritten, but go on in a new array when one is full."""
        if self._count == len(self._rows):
            kept = self._rows[max(0, self._count - self._n_steps - min(self._stride, ROWS) + 2) :]
            self._rows = np.empty((self._n_steps + 2 * ROWS, len(values)), np.float32)
            self._count = len(kept)
            if self._count:
                self._rows[: self._count] = kept
        self._rows[self._count] = values
        self._count += 1


def cut(lots: Iterable[Iterable[Sample]], n_steps: int, stride: int) -> Iterator[list[Window]]:
    """Yield the windows that each lot of samples completes, if any. Raises NoWindow if there was none at the end."""
    builder = WindowBuilder(n_steps, stride)
    gaps = 0  # when the last window was complete
    any_window = False
    for samples in lots:
        if windows := [window for sample in samples if (window := builder.add(sample))]:
            any_window, gaps = True, builder.gaps
            yield windows
        elif builder.gaps - gaps >= MOST_GAPS:
            log.warning(
                "no %d samples in a row without a gap: stop a second publisher, raise max_gap in Gravity.ini if "
                "messages get lost, or raise tolerance if the streams' timestamps differ",
                n_steps,
            )
    if not any_window:
        raise NoWindow(f"the data ended without {n_steps} samples in a row")


def sliding(samples: Iterable[Sample], n_steps: int) -> tuple[NDArray[np.float32], int]:
    """Return all sliding windows, float32 of shape (n_windows, n_steps, n_streams), and the number of gaps.

    Raises NoWindow if there is no window.
    """
    builder = WindowBuilder(n_steps, stride=1)
    values = [window.values for sample in samples if (window := builder.add(sample))]
    if not values:
        raise NoWindow(f"the samples, with {builder.gaps} gaps, hold no {n_steps} in a row; train on more")
    return np.array(values, dtype=np.float32), builder.gaps
