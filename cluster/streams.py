"""From the subscriber's queue to complete samples; whatever is amiss with the streams is said, never raised."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from itertools import chain
from queue import Empty, SimpleQueue

from anomaly import points
from anomaly.DataPoint_pb2 import DataPointPB
from anomaly.points import BadPoint, Point
from anomaly.samples import Sample, SampleAssembler
from cluster.errors import UserError
from cluster.notices import Notices

from gravity import GravityDataProduct

LEARNING_TIMES = 20  # as many different times are looked at to learn which streams there are
SILENCE = 5.0  # seconds without a point until that is said

Arrived = SimpleQueue[list[GravityDataProduct]]


class StreamReader:
    """Reads the points that a subscriber has put into its queue, in the thread that asks for them."""

    def __init__(self, arrived: Arrived, lateness: float, max_gap: int = 0, tolerance: float = 0.0) -> None:
        """The numbers are those of `SampleAssembler`."""
        self._arrived = arrived
        self._notices = Notices(print)
        self._assembler = partial(SampleAssembler, lateness=lateness, max_gap=max_gap, tolerance=tolerance)
        self._points = self._receive()  # one iterator for all readers: a list of points may be half read
        self._looked_at: list[Point] = []

    def streams(self, at_least: int) -> tuple[str, ...]:
        """Return the names of the streams that arrive, in alphabetical order; wait for `at_least` of them.

        The points looked at are not lost: `samples` begins with them.
        """
        names: dict[str, None] = {}
        times: set[int] = set()
        for point in self._points:
            self._looked_at.append(point)
            names.setdefault(point.name)
            times.add(point.timestamp)
            if len(times) > LEARNING_TIMES:
                if len(names) >= at_least:
                    break
                self._say("few", f"only {', '.join(names)} arrives; waiting for {at_least} streams")
        return tuple(sorted(names))

    def expect(self, streams: list[str] | None, n_streams: int, model_file: str) -> tuple[str, ...]:
        """Return the streams that a model was trained on, or those that arrive if it does not say (None).

        Raises UserError if the streams that arrive are others, or not as many as the model has columns.
        """
        arriving = self.streams(at_least=1)
        expected = tuple(arriving if streams is None else streams)
        unknown = set(arriving) - set(expected)
        if len(expected) != n_streams or (unknown and set(expected) - set(arriving)):
            trained_on = ", ".join(streams) if streams else f"{n_streams} streams"
            raise UserError(
                f"{model_file} was trained on {trained_on}, but {', '.join(arriving)} arrives; "
                "train a model for these with ./train.sh"
            )
        return expected

    def samples(self, streams: tuple[str, ...]) -> Iterator[Sample]:
        """Yield complete samples of `streams` in the order of time, for ever."""
        assembler = self._assembler(streams)
        looked_at, self._looked_at = self._looked_at, []
        begun = False
        for point in chain(looked_at, self._points):
            if point.name not in assembler.missing:
                self._say(f"stream {point.name}", f"an unknown stream {point.name!r} arrives; it is ignored")
                continue
            dropped, late, missing = assembler.dropped, assembler.late, dict(assembler.missing)
            samples = assembler.add(point)
            if assembler.dropped > dropped and (begun or dropped):  # a late subscriber misses half the first sample
                lacking = [name for name in streams if assembler.missing[name] > missing[name]]
                text = f"a sample is incomplete, it lacks {', '.join(lacking)}; dropped"
                self._say(f"lacks {lacking}", text, assembler.dropped - dropped)
            if assembler.late > late:
                self._say("late", f"a point of {point.name} came twice or too late; dropped")
            begun = begun or bool(samples)
            yield from samples

    def _receive(self) -> Iterator[Point]:
        silent_since = time.monotonic()
        while True:
            try:
                products = self._arrived.get(timeout=1.0)
            except Empty:
                silent = time.monotonic() - silent_since
                if silent >= SILENCE:
                    self._say("silence", f"nothing has arrived for {silent:.0f} s; is the publisher running?", 0)
                continue
            for product in products:
                try:
                    yield _decode(product)
                except BadPoint as error:
                    self._say("bad", f"{error}; ignored")
            silent_since = time.monotonic()

    def _say(self, kind: str, text: str, count: int = 1) -> None:
        self._notices.add(time.monotonic(), kind, text, count)


def _decode(product: GravityDataProduct) -> Point:
    if product.typeName not in ("", DataPointPB.DESCRIPTOR.full_name):
        raise BadPoint(f"a message is a {product.typeName}, no DataPointPB")
    return points.decode(product.data)
