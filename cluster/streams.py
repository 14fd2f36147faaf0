"""From the subscriber's queue to samples and windows; whatever is amiss with the streams is said, never raised."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, pairwise
from queue import Empty
from typing import NamedTuple, Protocol

from anomaly.DataPoint_pb2 import DataPointPB
from anomaly.points import BadPoint, Point, decode
from anomaly.samples import Sample, SampleAssembler
from anomaly.windows import Window, WindowBuilder
from cluster.errors import UserError
from cluster.notices import Notices

from gravity import GravityDataProduct

LEARNING_TIMES = 20  # as many different times are looked at to learn which streams there are
SILENCE = 5.0  # seconds without a point until that is said
LAG = 2.0  # seconds that a point has waited for its turn, from which on a growing lag is said
GAPS = 10  # in a row without a window between them, until that is said

POINT_TYPE = DataPointPB.DESCRIPTOR.full_name


class Arrived(Protocol):
    """Where data products wait in lots; cluster.arrivals has the detector's."""

    def get(self, *, timeout: float) -> list[GravityDataProduct] | None:
        """Return the next lot, or None at the end; raise queue.Empty if nothing comes within `timeout` seconds."""


class StreamReader:
    """Reads the points that a subscriber has put into its queue, in the thread that asks for them."""

    def __init__(self, arrived: Arrived, lateness: float, max_gap: int = 0, tolerance: float = 0.0) -> None:
        """The numbers are those of `SampleAssembler`."""
        self._arrived = arrived
        self._notices = Notices(print)
        self._assembler = partial(SampleAssembler, lateness=lateness, max_gap=max_gap, tolerance=tolerance)
        self._tolerance = tolerance
        self._looked_at: list[list[Point]] = []

    def streams(self, at_least: int) -> tuple[str, ...]:
        """Return the names of the streams that arrive, in alphabetical order; wait for `at_least` of them.

        The points looked at are not lost, `samples` begins with them, except those of too few streams.
        """
        names: set[str] = set()
        times: set[int] = set()
        count = 0
        for points in self._receive():
            self._looked_at.append(points)
            for point in points:
                names.add(point.name)
                times.add(point.timestamp)
                count += 1
            if len(times) > LEARNING_TIMES:
                if len(names) >= at_least:
                    if len(times) == count and len(names) > 1 and not self._tolerance:
                        self._say_tolerance(times)
                    return tuple(sorted(names))
                self._say("few", f"only {', '.join(sorted(names))} arrives; waiting for {at_least} streams")
                self._looked_at, times, count = [], set(), 0  # nothing can be made of these
        raise UserError(
            f"the data have ended, and only {', '.join(sorted(names)) or 'nothing'} has arrived; "
            f"{at_least} streams and more than {LEARNING_TIMES} samples are needed"
        )

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

    def windows(self, streams: tuple[str, ...], n_steps: int, stride: int) -> Iterator[list[Window]]:
        """Yield the windows that are complete, at least one, whenever there are any, until the data end."""
        builder = WindowBuilder(n_steps, stride)
        any_window, gaps = False, 0  # the gaps when the last window was complete
        for samples in self.samples(streams):
            if windows := [window for sample in samples if (window := builder.add(sample))]:
                any_window, gaps = True, builder.gaps
                yield windows
            elif builder.gaps - gaps >= GAPS:
                self._say(
                    "gaps",
                    f"no {n_steps} samples in a row without a gap: is there a second publisher, are messages lost "
                    "(then raise max_gap in Gravity.ini), or do the streams' times differ (then raise tolerance)?",
                    0,
                )
        if not any_window:
            raise UserError(f"the data have ended without {n_steps} samples in a row of {', '.join(streams)}")

    def samples(self, streams: tuple[str, ...]) -> Iterator[list[Sample]]:
        """Yield the samples of `streams` that are complete, in the order of time, whenever there are any.

        Goes on until the data end, which those of a file do.
        """
        assembler = self._assembler(streams)
        known = frozenset(streams)
        looked_at, self._looked_at = self._looked_at, []
        before = _counts(assembler)
        for points in chain(looked_at, self._receive()):
            samples: list[Sample] = []
            for point in points:
                if point.name in known:
                    samples += assembler.add(point)
                else:
                    self._say(f"stream {point.name}", f"an unknown stream {point.name!r} arrives; it is ignored")
            self._tell_losses(streams, before, now := _counts(assembler))
            before = now
            if samples:
                yield samples
        if samples := assembler.rest():
            yield samples

    def _tell_losses(self, streams: tuple[str, ...], before: _Counts, after: _Counts) -> None:
        if before == after:
            return
        for name in streams:
            if count := after.missing[name] - before.missing[name]:
                self._say(f"lacks {name}", f"a sample is incomplete, it lacks {name}; dropped", count)
            if count := after.filled[name] - before.filled[name]:
                self._say(f"filled {name}", f"a point of {name} is missing; filled in from its neighbours", count)
        if count := after.late - before.late:
            self._say("late", "a point came twice or too late; dropped", count)

    def _receive(self) -> Iterator[list[Point]]:
        """Yield the points that have arrived, whenever there are any."""
        silent_since = time.monotonic()
        lag_before = math.inf  # while TensorFlow was imported points have waited, but that is made up for
        while True:
            try:
                products = self._arrived.get(timeout=1.0)
            except Empty:
                silent = time.monotonic() - silent_since
                if silent >= SILENCE:
                    self._say(
                        "silence",
                        f"nothing has arrived for {silent:.0f} s; is the publisher running? "
                        "If it is, and the Service Directory was restarted, restart the publisher, then this",
                        0,
                    )
                continue
            if products is None:
                return
            received = products[0].receivedTimestamp
            lag = time.time() - received / 1e6 if received else 0.0
            if lag > max(LAG, lag_before):
                self._say("lag", f"{lag:.0f} s behind what arrives; if that grows, raise window_stride", 0)
            lag_before = lag
            if points := list(self._decoded(products)):
                yield points
            silent_since = time.monotonic()

    def _decoded(self, products: list[GravityDataProduct]) -> Iterator[Point]:
        for product in products:
            try:
                yield _decode(product)
            except BadPoint as error:
                self._say("bad", f"{error}; ignored")

    def _say_tolerance(self, times: Iterable[int]) -> None:
        closest = min(later - earlier for earlier, later in pairwise(sorted(times))) / 1e6
        self._say(
            "tolerance",
            f"no two streams have a point at the same time, the closest are {closest:g} s apart; "
            "if these belong together, set tolerance in Gravity.ini to a little more",
        )

    def _say(self, kind: str, text: str, count: int = 1) -> None:
        self._notices.add(time.monotonic(), kind, text, count)


class _Counts(NamedTuple):
    late: int
    missing: dict[str, int]
    filled: dict[str, int]


def _counts(assembler: SampleAssembler) -> _Counts:
    return _Counts(assembler.late, dict(assembler.missing), dict(assembler.filled))


def _decode(product: GravityDataProduct) -> Point:
    if product.typeName not in ("", POINT_TYPE):
        raise BadPoint(f"a message is a {product.typeName}, no DataPointPB")
    return decode(product.data)
