"""Points of parallel streams → complete samples → windows.

Everything goes by the points' own time, never by the order of arrival, so that whatever is lost, late or
repeated costs the samples and windows that it belongs to and never shifts one stream against another.
"""

from __future__ import annotations

import heapq
import statistics
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.points import Point

GAP_FACTOR = 1.5  # two samples further apart than this many usual distances have a gap between them


class Sample(NamedTuple):
    """The values of all streams, in the streams' order, at `timestamp` (microseconds since the epoch)."""

    timestamp: int
    values: tuple[float, ...]


class Window(NamedTuple):
    """Consecutive samples without a gap: `values` is float32 of shape (n_steps, n_streams).

    `number` and `timestamp` (microseconds since the epoch) are those of the last sample; the first sample
    that ever came has number 1. `after_gap`: whether it is the first window after a gap.
    """

    number: int
    timestamp: int
    values: NDArray[np.float32]
    after_gap: bool


class SampleAssembler:
    """Puts points of the same timestamp together and returns complete samples in the order of time.

    A complete sample is returned at once if it follows the one before at the usual distance. Else something
    may be on its way that belongs before it, and it waits: until that has come, or until points more than
    `lateness` newer have. A sample that still lacks a stream then is dropped.
    """

    def __init__(self, streams: Iterable[str], lateness: float) -> None:
        """`streams`: the names, in the order of the columns; `lateness` in seconds."""
        self.streams = tuple(streams)
        self.dropped = 0  # samples that lacked a stream
        self.missing: dict[str, int] = dict.fromkeys(self.streams, 0)  # in dropped samples, by stream
        self.late = 0  # points that came when their sample was returned or dropped already
        self._columns = {name: column for column, name in enumerate(self.streams)}
        self._lateness = round(lateness * 1e6)
        self._pending: dict[int, list[float | None]] = {}
        self._times: list[int] = []  # a heap of what is pending
        self._newest = 0
        self._done = 0  # all samples up to this time are returned or dropped
        self._late_since: int | None = None
        self._distances: deque[int] = deque(maxlen=21)  # between the last samples

    def add(self, point: Point) -> list[Sample]:
        """Take a point; return the samples that are complete now. KeyError if its stream is not one of `streams`."""
        column = self._columns[point.name]
        if point.timestamp <= self._done and not self._clock_went_back(point.timestamp):
            self.late += 1
            return []
        values = self._pending.get(point.timestamp)
        if values is None:
            values = self._pending[point.timestamp] = [None] * len(self.streams)
            heapq.heappush(self._times, point.timestamp)
            self._newest = max(self._newest, point.timestamp)
        values[column] = point.value
        return self._complete()

    def _complete(self) -> list[Sample]:
        samples = []
        while self._times:
            time = self._times[0]
            values = self._pending[time]
            known = tuple(v for v in values if v is not None)
            complete = len(known) == len(values)
            overdue = self._newest - time > self._lateness
            if not overdue and not (complete and self._follows(time)):
                break
            if complete:
                samples.append(Sample(time, known))
                self._late_since = None
            else:
                self.dropped += 1
                for name, value in zip(self.streams, values, strict=True):
                    self.missing[name] += value is None
            heapq.heappop(self._times)
            del self._pending[time]
            if self._done:
                self._distances.append(time - self._done)
            self._done = time
        return samples

    def _follows(self, time: int) -> bool:
        """Return whether nothing can be missing between the sample before and one at `time`."""
        return not self._distances or time - self._done <= GAP_FACTOR * statistics.median(self._distances)

    def _clock_went_back(self, time: int) -> bool:
        """Return whether late points have been going on for so long that they are the new present."""
        if self._late_since is None or time < self._late_since:
            self._late_since = time
        if time - self._late_since <= self._lateness:
            return False
        self._pending.clear()
        self._times.clear()
        self._newest = self._done = 0
        self._late_since = None
        return True


class WindowBuilder:
    """Cuts samples into windows of `n_steps` that follow each other by `stride`; none has a gap in it.

    The usual distance of two samples is the median within the window, so a window is judged by the rate at
    which its own samples came.
    """

    def __init__(self, n_steps: int, stride: int) -> None:
        """`n_steps` is at least 3, since a median of fewer distances tells nothing."""
        self.gaps = 0
        self._stride = stride
        self._number = 0
        self._next = n_steps  # number of the sample that completes the next window
        self._n_steps = n_steps
        self._samples: deque[Sample] = deque(maxlen=n_steps + 1)  # the window, and the sample before it
        self._after_gap = False

    def add(self, sample: Sample) -> Window | None:
        """Take the next sample; return the window that it completes, if any."""
        self._number += 1
        self._samples.append(sample)
        if self._number < self._next or len(self._samples) < self._n_steps:
            return None
        if before_gap := self._before_gap():
            self.gaps += 1
            self._after_gap = True
            for _ in range(before_gap):
                self._samples.popleft()
            if len(self._samples) < self._n_steps:
                self._next = self._number + self._n_steps - len(self._samples)
                return None
        self._next = self._number + self._stride
        values = np.array([s.values for s in self._samples][-self._n_steps :], dtype=np.float32)
        after_gap, self._after_gap = self._after_gap, False
        return Window(self._number, sample.timestamp, values, after_gap)

    def _before_gap(self) -> int:
        """Return how many of the samples lie before their last gap, 0 if they have none."""
        distances = np.diff([s.timestamp for s in self._samples])
        broken = np.flatnonzero((distances <= 0) | (distances > GAP_FACTOR * np.median(distances)))
        return int(broken[-1]) + 1 if broken.size else 0


def windows(samples: Iterable[Sample], n_steps: int) -> tuple[NDArray[np.float32], int]:
    """Return all sliding windows of `samples` as float32 of shape (n_windows, n_steps, n_streams), and the gaps."""
    builder = WindowBuilder(n_steps, stride=1)
    values = [window.values for sample in samples if (window := builder.add(sample))]
    n_streams = values[0].shape[1] if values else 0
    return np.array(values, dtype=np.float32).reshape(len(values), n_steps, n_streams), builder.gaps
