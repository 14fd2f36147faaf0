"""Where a publisher's samples come from: sine waves or a CSV file. A source yields each sample when it is due."""

from __future__ import annotations

import logging
import math
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from node.settings import Settings

from streams.csv_file import CsvFile, Row

LONG_PAUSE = 10.0  # seconds until the next row, from which on the wait is logged

log = logging.getLogger(__name__)

Samples = Iterator[tuple[int, dict[str, float]]]  # microseconds since the epoch, and the streams' values


class Source(NamedTuple):
    """The names of the streams, their samples, a description for the user, and whether the samples come to an end."""

    streams: tuple[str, ...]
    samples: Samples
    description: str
    ends: bool


def choose(options: Namespace, settings: Settings, csv_file: CsvFile | None) -> Source:
    """Return the source that the publisher's options ask for. A setting is checked only if it is used."""
    if csv_file and options.time:
        description = f"{', '.join(csv_file.columns)} of {options.csv} at {options.speed:g} times their speed"
        return Source(csv_file.columns, at_own_times(csv_file, options.speed), description, ends=True)
    rate = options.rate or settings.number("sample_rate", above=0)
    pace = f"at {rate:g} samples per second"
    if csv_file:
        description = f"{', '.join(csv_file.columns)} of {options.csv} {pace}"
        return Source(csv_file.columns, at_rate(csv_file, rate), description, ends=True)
    increments = (settings.number("increment1"), settings.number("increment2"))
    waves = sine_waves(rate, increments, options.anomaly_start)
    return Source(("sin", "cos"), waves, f"sin and cos {pace}", ends=False)


def sine_waves(rate: float, increments: tuple[float, float], anomaly_start: int | None) -> Samples:
    """Yield sin and cos forever, `rate` samples per second; their phases grow by `increments` (radians).

    From sample `anomaly_start` on, the phase of cos grows twice as fast.
    """
    sin_step, cos_step = increments
    sin_phase, cos_phase = -sin_step, -cos_step  # so that the first sample's are 0
    for number, timestamp in clock(rate):
        if number == anomaly_start:
            cos_step *= 2
            log.warning("the anomaly starts at sample %d", number)
        sin_phase, cos_phase = sin_phase + sin_step, cos_phase + cos_step
        yield timestamp, {"sin": math.sin(sin_phase), "cos": math.cos(cos_phase)}


def at_rate(rows: Iterable[Row], rate: float) -> Samples:
    """Yield `rate` rows per second, with the time at which each is due."""
    for row, (_, timestamp) in zip(rows, clock(rate), strict=False):
        yield timestamp, row.values


def at_own_times(rows: Iterable[Row], speed: float) -> Samples:
    """Yield the rows with their own times, `speed` times as fast as recorded."""
    start, first = 0.0, None
    for row in rows:
        if first is None:
            start, first = time.monotonic(), row.timestamp
        due = start + (row.timestamp - first) / 1e6 / speed
        if due - time.monotonic() > LONG_PAUSE:
            log.info("the next row is due in %.0f s", due - time.monotonic())
        _sleep_until(due)
        yield row.timestamp, row.values


def clock(rate: float) -> Iterator[tuple[int, int]]:
    """Yield the samples' numbers, from 1 on, each when it is due, with that time in microseconds since the epoch.

    The times are counted from the first one, so they do not drift however long a sample takes.
    """
    start, start_time = time.monotonic(), time.time()
    number = 1
    while True:
        elapsed = (number - 1) / rate
        _sleep_until(start + elapsed)
        yield number, round((start_time + elapsed) * 1e6)
        number += 1


def _sleep_until(due: float) -> None:
    while (pause := due - time.monotonic()) > 0:
        time.sleep(min(pause, 1e6))  # a bad time in a file may be centuries away, which time.sleep refuses
