"""When a sample's time has come."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from cluster.replay import Row

LONG_PAUSE = 10.0  # seconds until the next row, from which on that is said

Samples = Iterator[tuple[int, dict[str, float]]]  # microseconds since the epoch, and the streams' values


def clock(rate: float) -> Iterator[tuple[int, int]]:
    """Yield a sample's number (from 1 on) and its time in microseconds since the epoch, when that time has come.

    The times are counted from the first one, so that they do not drift, however long a sample takes.
    """
    start, start_time = time.monotonic(), time.time()
    number = 1
    while True:
        elapsed = (number - 1) / rate
        _sleep_until(start + elapsed)
        yield number, round((start_time + elapsed) * 1e6)
        number += 1


def at_rate(rows: Iterable[Row], rate: float) -> Samples:
    """Yield `rate` rows a second, with the time at which they are due."""
    for row, (_, timestamp) in zip(rows, clock(rate), strict=False):
        yield timestamp, row.values


def at_own_times(rows: Iterable[Row], speed: float) -> Samples:
    """Yield the rows with their own times, `speed` times as fast as these go by."""
    start, first = time.monotonic(), None
    for row in rows:
        if first is None:
            first = row.timestamp
        due = start + (row.timestamp - first) / 1e6 / speed
        if due - time.monotonic() > LONG_PAUSE:
            print(f"the next row is due in {due - time.monotonic():.0f} s")
        _sleep_until(due)
        yield row.timestamp, row.values


def _sleep_until(due: float) -> None:
    while (pause := due - time.monotonic()) > 0:
        time.sleep(min(pause, 1e6))  # a bad time in a file may be centuries away, which time.sleep refuses
