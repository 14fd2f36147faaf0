"""A point is one value of one stream; the messages that carry points and the end of the data."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import NamedTuple

from google.protobuf.message import DecodeError

from streams.DataPoint_pb2 import DataPointPB
from streams.EndOfData_pb2 import EndOfDataPB

# Microseconds from 1970 to the year 9892: datetime ends a little later, and times in a finer unit, or milliseconds
# taken for seconds, come out beyond.
TIME_END = 250_000_000_000_000_000

LONGEST_NAME = 200  # characters of a stream's
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")  # and what changes the direction of text

POINT_TYPE = DataPointPB.DESCRIPTOR.full_name
END_TYPE = EndOfDataPB.DESCRIPTOR.full_name


class Point(NamedTuple):
    """`value` of stream `name` at `timestamp`, in microseconds since the epoch."""

    name: str
    timestamp: int
    value: float


class BadPoint(ValueError):
    """A message does not hold a usable point; the text says why."""


def message(name: str, timestamp: int, value: float) -> DataPointPB:
    """Return the message that carries a point; `value` is rounded to float32 there."""
    return DataPointPB(name=name, timestamp=timestamp, value=value)


def end_message(streams: tuple[str, ...]) -> EndOfDataPB:
    """Return the message that ends `streams`."""
    return EndOfDataPB(streams=streams)


def decode(data: bytes, type_name: str = "") -> Point:
    """Return the point in a serialized message; `type_name` is the message's type, "" if unknown.

    Raises BadPoint if there is none, its value is not finite, or its name cannot be shown.
    """
    if type_name not in ("", POINT_TYPE):
        raise BadPoint(f"ignored a message of type {type_name}, not {POINT_TYPE}")
    try:
        pb = DataPointPB.FromString(data)
        point = Point(pb.name, pb.timestamp, pb.value)
    except (DecodeError, UnicodeDecodeError):
        raise BadPoint(f"ignored a message that is not a {POINT_TYPE}") from None
    if not pb.IsInitialized():
        raise BadPoint(f"ignored an incomplete {POINT_TYPE}: it needs value, timestamp and name")
    if not isinstance(point.name, str):  # proto2 keeps what is not UTF-8 as bytes
        raise BadPoint("ignored a stream whose name is not text in UTF-8")
    if not is_name(point.name):
        raise BadPoint("ignored a stream whose name is too long or holds control characters")
    if not math.isfinite(point.value):
        raise BadPoint(f"ignored a value of stream {point.name}: {point.value}")
    if point.timestamp >= TIME_END:
        raise BadPoint(f"ignored a time of stream {point.name} that is not in microseconds: {point.timestamp}")
    return point


@lru_cache(maxsize=1024)
def is_name(name: str) -> bool:
    """Return whether a name can be shown: it reaches terminals, logs and lines that scripts read."""
    return len(name) <= LONGEST_NAME and not CONTROL.search(name)


def ended_streams(data: bytes) -> frozenset[str]:
    """Return the streams that end, from a serialized EndOfDataPB; BadPoint if it is malformed."""
    try:
        return frozenset(EndOfDataPB.FromString(data).streams)
    except DecodeError:
        raise BadPoint(f"ignored a malformed {END_TYPE}") from None
