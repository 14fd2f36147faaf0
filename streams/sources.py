"""What a publisher publishes: sine waves, a CSV file or a recording. A source yields each message when it is due."""

from __future__ import annotations

import logging
import math
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from node.membership import product_of
from node.settings import Settings

from streams import decoding, points, replay
from streams.csv_file import CsvFile, Row

from gravity import GravityDataProduct
from gravity_recording import Recording

LONG_PAUSE = 10.0  # seconds until the next data, from which on the wait is logged

log = logging.getLogger(__name__)

T = TypeVar("T")
Samples = Iterator[tuple[int, dict[str, float]]]  # microseconds since the epoch, and the streams' values


class Source(NamedTuple):
    """Data products to publish, a description for the user, and whether they come to an end.

    `channels`: their ids. A timestamp that is not 0 is that of their first publication.
    """

    channels: tuple[str, ...]
    products: Iterator[GravityDataProduct]
    description: str
    ends: bool


def choose(options: Namespace, settings: Settings, file: CsvFile | Recording | None) -> Source:
    """Return the source that the publisher's options ask for. A setting is checked only if it is used."""
    if isinstance(file, Recording):
        decoder = decoding.configured(settings)
        recorded = replay.messages(file, decoder.products)
        products = replay.products(in_time(recorded, options.speed), decoder.points)
        channels = tuple(channel for channel in decoder.products if channel in file.products)
        return Source(channels, products, f"{options.replay} at {options.speed:g} times its speed", ends=True)
    channel = settings.text("subscription_name")
    if file and options.time:
        description = f"{', '.join(file.columns)} of {options.csv} at {options.speed:g} times their speed"
        samples = at_own_times(file, options.speed)
        return Source((channel,), products_of(channel, file.columns, samples), description, ends=True)
    rate = options.rate or settings.number("sample_rate", above=0)
    pace = f"at {rate:g} samples per second"
    if file:
        description = f"{', '.join(file.columns)} of {options.csv} {pace}"
        return Source((channel,), products_of(channel, file.columns, at_rate(file, rate)), description, ends=True)
    increments = (settings.number("increment1"), settings.number("increment2"))
    streams = ("sin", "cos")
    waves = sine_waves(rate, increments, options.anomaly_start)
    return Source((channel,), products_of(channel, streams, waves), f"{' and '.join(streams)} {pace}", ends=False)


def products_of(channel: str, streams: tuple[str, ...], samples: Samples) -> Iterator[GravityDataProduct]:
    """Yield a data product for each point, and then one that ends the streams."""
    count = 0
    for timestamp, values in samples:
        for stream, value in values.items():
            yield product_of(channel, points.message(stream, timestamp, value))
        count += bool(values)  # a row may have no usable value
    yield product_of(channel, points.end_message(streams))
    log.info("the data ended: %d samples published", count)


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
    return in_time(((row.timestamp, row.values) for row in rows), speed)


def in_time(items: Iterable[tuple[int, T]], speed: float) -> Iterator[tuple[int, T]]:
    """Yield items that have times (microseconds since the epoch) at their intervals ÷ `speed`."""
    start, first = 0.0, None
    for time_of_item, item in items:
        if first is None:
            start, first = time.monotonic(), time_of_item
        due = start + (time_of_item - first) / 1e6 / speed
        if due - time.monotonic() > LONG_PAUSE:
            log.info("the next data are due in %.0f s", due - time.monotonic())
        _sleep_until(due)
        yield time_of_item, item


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
