"""Puts the points of parallel streams together into complete samples.

Only the points' own time counts, never the order of arrival: a lost, late or repeated point costs the sample that it
belongs to, and never shifts one stream against another.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from streams.points import Point

MISSING = "missing"  # in a sample that was dropped
INTERPOLATED = "interpolated"
LATE = "late"  # came after its sample was returned or dropped, or twice
GAP_FACTOR = 1.5  # samples further apart than this many periods have a gap between them
REMEMBERED = 21  # distances whose median is the period


class Sample(NamedTuple):
    """The values of all streams, in the streams' order, at `timestamp` (microseconds since the epoch).

    `after_gap`: whether something is missing between this sample and the one before.
    """

    timestamp: int
    values: tuple[float, ...]
    after_gap: bool = False


_Value = tuple[int, float]  # of a stream, at a time


class _Rhythm:
    """The period of a series of times: the median of their last distances."""

    def __init__(self) -> None:
        self._period: int | None = 0
        self.last: int | None = None
        self._last_real: int | None = None
        self._distances: deque[int] = deque(maxlen=REMEMBERED)

    def add(self, time: int, real: bool = True) -> None:
        """Add the next time; one that is not later than the last starts over.

        A time that is not `real` was interpolated one period later, so it must not confirm the period.
        """
        self.last = time
        if not real:
            return
        if self._last_real is not None and time > self._last_real:
            distance, distances = time - self._last_real, self._distances
            if len(distances) < REMEMBERED or distances[0] != distance:  # else the one for the other
                self._period = None
            distances.append(distance)
        self._last_real = time

    @property
    def period(self) -> int:
        """The period in microseconds, 0 if unknown; computed only if it may have changed."""
        if self._period is None:
            self._period = sorted(self._distances)[len(self._distances) // 2]
        return self._period

    def lost(self, time: int) -> int:
        """Return how many times are missing between the last one and `time`."""
        assert self.last is not None and self.period
        return round((time - self.last) / self.period) - 1


class SampleAssembler:
    """Puts points of the same time together and returns complete samples in order of time.

    A complete sample that follows the one before after one period is returned at once. Otherwise a point may still be
    on its way that belongs before it or into it; the sample waits until that has come, or points more than `lateness`
    newer have. Points that are missing then count as lost.

    Up to `max_gap` lost points of a stream in a row are interpolated, on the cubic through the two neighbours on
    either side (on the straight line if these are not near); longer gaps are left. A stream that is slower than the
    others is interpolated between its points in any case. A sample that is still incomplete is dropped, and the next
    one is marked `after_gap`.
    """

    def __init__(self, streams: Iterable[str], lateness: float, *, max_gap: int = 0, tolerance: float = 0.0) -> None:
        """`streams`: the names, in the order of the columns. `lateness`: seconds.

        `tolerance`: the most seconds between the timestamps of a sample's points and that of its first to arrive.
        """
        self.streams = tuple(streams)
        self.dropped = 0  # incomplete samples; the very first one does not count
        self.losses: Counter[tuple[str, str]] = Counter()  # points: (MISSING, INTERPOLATED or LATE, stream)
        self._columns = {name: column for column, name in enumerate(self.streams)}
        self._lateness = round(lateness * 1e6)
        self._tolerance = round(tolerance * 1e6)
        self._max_gap = max_gap
        self._pending: dict[int, list[float | None]] = {}
        self._times: list[int] = []  # of what is pending, in order
        self._waiting: list[list[_Value]] = [[] for _ in self.streams]  # each stream's points in it, in order
        self._newest = -1
        self._done = -1  # all samples up to this time are returned or dropped
        self._late_since: int | None = None
        self._last: Sample | None = None
        self._gap = False  # whether a sample has been dropped since
        self._rhythm = _Rhythm()  # of returned samples
        self._rhythms = [_Rhythm() for _ in self.streams]  # of each stream's points up to _done
        self._last_points = [_last_two() for _ in self.streams]  # of these

    def add(self, point: Point) -> list[Sample]:
        """Add a point; return the samples that are complete now. KeyError if its stream is not one of `streams`."""
        column = self._columns[point.name]
        time = point.timestamp
        if time not in self._pending:
            if time <= self._done + self._tolerance and self._done >= 0 and not self._clock_went_back(time):
                self.losses[LATE, point.name] += 1
                return []
            time = self._near(time, column)
        values = self._pending.get(time) or self._open(time)
        if values[column] is not None:
            self.losses[LATE, point.name] += 1
            return []
        values[column] = point.value
        insort(self._waiting[column], (time, point.value))
        if None in values and self._newest - self._times[0] <= self._lateness:
            return []  # a shortcut: this sample is not complete yet, and no other has changed
        return self._complete()

    def rest(self) -> list[Sample]:
        """Return the samples that still wait, at the end of the data."""
        self._newest = sys.maxsize
        return self._complete()

    def _near(self, time: int, column: int) -> int:
        """Return the time of a pending sample within the tolerance that is missing this stream; else `time`."""
        if self._tolerance:
            for near in self._times[bisect_left(self._times, time - self._tolerance) :]:
                if near > time + self._tolerance:
                    break
                if self._pending[near][column] is None:
                    return near
        return time

    def _open(self, time: int) -> list[float | None]:
        values: list[float | None] = [None] * len(self.streams)
        self._pending[time] = values
        insort(self._times, time)
        self._newest = max(self._newest, time)
        return values

    def _complete(self) -> list[Sample]:
        samples: list[Sample] = []
        while self._times:
            time = self._times[0]
            values = self._pending[time]
            whole, follows = None not in values, self._follows(time)
            if not (whole and follows) and self._newest - time <= self._lateness:
                break
            if not follows and self._open_lost(time):
                continue
            filled = values
            if not whole:
                if self._may_be_filled_later(time, values):
                    break
                filled = self._filled(time, values)
            if None not in filled:
                real = whole or any(value is not None for value in values)
                samples.append(self._returned(time, cast("tuple[float, ...]", tuple(filled)), real))
            elif self._done >= 0:  # the very first sample may be half, if somebody subscribes between its points
                self.dropped += 1
                self._gap = self._last is not None
                self.losses.update(
                    (MISSING, s) for s, value in zip(self.streams, filled, strict=True) if value is None
                )
            for column, value in enumerate(values):
                if value is not None:
                    self._rhythms[column].add(time)
                    self._last_points[column].append(self._waiting[column].pop(0))
            del self._times[0], self._pending[time]
            self._done = time
        return samples

    def _follows(self, time: int) -> bool:
        """Return whether nothing is missing between the sample before and one at `time`."""
        return not self._rhythm.period or time - self._done <= GAP_FACTOR * self._rhythm.period

    def _may_be_filled_later(self, time: int, values: list[float | None]) -> bool:
        """Return whether a stream missing at `time` may still go on soon enough to interpolate it."""
        waited = self._newest - time - self._lateness
        return any(
            value is None and waited <= (self._max_gap + 1) * rhythm.period and not self._waiting[column]
            for column, (value, rhythm) in enumerate(zip(values, self._rhythms, strict=True))
        )

    def _filled(self, time: int, values: list[float | None]) -> list[float | None]:
        """Return `values` with missing ones interpolated where points lie close enough before and after."""
        values = list(values)
        for column, rhythm in enumerate(self._rhythms):
            before, after = self._last_points[column], self._waiting[column][:2]
            if values[column] is None and before and after and rhythm.period:
                near = (self._max_gap + 1.5) * rhythm.period
                if after[0][0] - before[-1][0] <= near:
                    outer = [
                        p for p, q in ((before[0], before[-1]), (after[-1], after[0])) if 0 < abs(p[0] - q[0]) <= near
                    ]
                    values[column] = _through([before[-1], after[0], *outer], time)
                    self.losses[INTERPOLATED, self.streams[column]] += 1
        return values

    def _open_lost(self, time: int) -> bool:
        """Open samples for the times before `time` at which all streams lost their point, if they are few enough."""
        if not self._rhythm.period or self._rhythm.last != self._done:
            return False
        lost = self._rhythm.lost(time)
        if not 0 < lost <= self._max_gap:
            return False
        start = self._done
        for number in range(1, lost + 1):
            self._open(start + round(number * (time - start) / (lost + 1)))
        return True

    def _returned(self, time: int, values: tuple[float, ...], real: bool) -> Sample:
        """Return the sample at `time`, with its mark; `real`: whether a point of it has come."""
        after_gap = False
        if self._last is not None:
            distance = time - self._last.timestamp
            period = self._rhythm.period
            irregular = period > 0 and distance > GAP_FACTOR * period
            after_gap = distance <= 0 or irregular or (self._gap and not period)
        self._rhythm.add(time, real)
        self._last = Sample(time, values, after_gap)
        self._gap = False
        self._late_since = None
        return self._last

    def _clock_went_back(self, time: int) -> bool:
        """Return whether late points have gone on for so long that the publisher's clock must have gone back."""
        if self._late_since is None or time < self._late_since:
            self._late_since = time
        if time - self._late_since <= self._lateness:
            return False
        self._pending.clear()
        self._times.clear()
        self._waiting = [[] for _ in self.streams]
        self._rhythms = [_Rhythm() for _ in self.streams]
        self._last_points = [_last_two() for _ in self.streams]
        self._newest = self._done = -1
        self._late_since = None
        return True


def _last_two() -> deque[_Value]:
    return deque(maxlen=2)


def _through(points: Sequence[_Value], time: int) -> float:
    """Return the value at `time` of the polynomial through `points` (Lagrange's form)."""
    return sum(
        value * math.prod((time - other) / (at - other) for other, _ in points if other != at) for at, value in points
    )
