"""One value of one stream, and the message that carries it."""

from __future__ import annotations

import math
from typing import NamedTuple

from google.protobuf.message import DecodeError

from anomaly.DataPoint_pb2 import DataPointPB

# Microseconds from 1970 to the year 9892: datetime ends a little later, and what counts in a finer unit (or in
# milliseconds, taken for seconds) comes out beyond.
TIME_END = 250_000_000_000_000_000


class Point(NamedTuple):
    """`value` of stream `name` at `timestamp`, in microseconds since the epoch."""

    name: str
    timestamp: int
    value: float


class BadPoint(ValueError):
    """A message is no usable point; the text says why."""


def message(name: str, timestamp: int, value: float) -> DataPointPB:
    """Return the message that carries a point; `value` is rounded to float32 there."""
    return DataPointPB(name=name, timestamp=timestamp, value=value)


def decode(data: bytes) -> Point:
    """Return the point in the serialized message `data`; raise BadPoint if it holds none or no finite value."""
    try:
        pb = DataPointPB.FromString(data)
        point = Point(pb.name, pb.timestamp, pb.value)
    except (DecodeError, UnicodeDecodeError):
        raise BadPoint("a message is no DataPointPB") from None
    if not pb.IsInitialized():
        raise BadPoint("a message is no complete DataPointPB (value, timestamp and name)")
    if not math.isfinite(point.value):
        raise BadPoint(f"stream {point.name} has sent {point.value}")
    if point.timestamp >= TIME_END:
        raise BadPoint(f"stream {point.name} has sent the time {point.timestamp}, which is not in microseconds")
    return point
