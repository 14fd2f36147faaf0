"""Examines the samples in a message, for the detector's service: the same message gets the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from google.protobuf.message import DecodeError

from anomaly import report
from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from anomaly.detector import Detector
from anomaly.Window_pb2 import WindowPB
from anomaly.windows import cut
from streams.samples import Sample

TYPE = WindowPB.DESCRIPTOR.full_name
MOST_SAMPLES = 10_000  # bounds the time that others wait


LONGEST = 1000  # characters of a request's names in an answer


class BadRequest(ValueError):
    """Samples that cannot be examined; the text says why."""


def answer(detector: Detector, streams: Sequence[str], data: bytes, type_name: str = "") -> AnomalyScorePB:
    """Return what a detector that starts with the samples of a serialized WindowPB finds in their newest window.

    `detector`: one with a stride of 1. `streams`: its columns. `type_name`: of the message, "" if unknown. If the
    samples cannot be examined, the answer's `error` says why.
    """
    try:
        samples = _samples(streams, _window(data, type_name), detector.n_steps)
    except BadRequest as error:
        return AnomalyScorePB(timestamp=0, sample=0, mse=0, state=AnomalyScorePB.UNKNOWN, error=str(error))
    detector.start()
    lots = cut([samples], detector.n_steps, detector.stride)
    return report.message(detector.examine(list(chain.from_iterable(lots)))[-1], streams)


def _window(data: bytes, type_name: str) -> WindowPB:
    try:
        if type_name not in ("", TYPE):
            raise BadRequest(f"the request is a {type_name}, not a {TYPE}")
        window = WindowPB.FromString(data)
    except DecodeError:
        raise BadRequest(f"the request is not a {TYPE}") from None
    if not window.IsInitialized():
        raise BadRequest(f"the request is an incomplete {TYPE}: each stream needs a name")
    return window


def _samples(streams: Sequence[str], window: WindowPB, n_steps: int) -> list[Sample]:
    """Return the samples of a window, the columns in the order of `streams`."""
    names = [stream.name for stream in window.streams]
    if sorted(map(str, names)) != sorted(streams):
        raise BadRequest(
            f"the streams must be {', '.join(streams)}, but they are {', '.join(map(str, names))[:LONGEST] or 'none'}"
        )
    lengths = {stream.name: len(stream.values) for stream in window.streams}
    if len(set(lengths.values())) > 1:
        raise BadRequest(f"the streams must have as many values as each other, but they have {_listed(lengths)}")
    count = lengths[streams[0]]
    if not n_steps <= count <= MOST_SAMPLES:
        raise BadRequest(f"a stream must have {n_steps} to {MOST_SAMPLES} values, but they have {count}")
    columns = {stream.name: np.array(stream.values, np.float32) for stream in window.streams}
    if bad := [name for name, values in columns.items() if not np.isfinite(values).all()]:
        raise BadRequest(f"the values must be finite, but some of {', '.join(bad)} are not")
    rows = np.stack([columns[name] for name in streams], axis=1).tolist()
    return [Sample(window.timestamp, tuple(row)) for row in rows]


def _listed(lengths: dict[str, int]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in lengths.items())
