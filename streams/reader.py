"""From what a subscriber has received to complete samples; trouble with points and losses are logged."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

from node.errors import UserError
from node.progress import counted
from node.settings import Settings

from streams import decoding
from streams.decoding import Decoder, PointDecoder
from streams.inbox import Inbox
from streams.points import END_TYPE, BadPoint, Point, ended_streams
from streams.samples import INTERPOLATED, LATE, MISSING, Sample, SampleAssembler
from streams.tolerance import learn_tolerance

from gravity import GravityDataProduct

LEARNING_POINTS = 20  # of the fastest stream: looked at to learn which streams there are, and their tolerance
ENOUGH = 0.9  # of the samples that training asks for
MOST_STREAMS = 10_000
SILENCE = 5.0  # seconds without a point until that is logged
LAG = 2.0  # seconds that a point has waited for its turn, from which on a growing lag is logged
OVERLOAD = "dropped at overload"
LOSSES = {
    MISSING: "dropped incomplete sample: missing %s",
    INTERPOLATED: "interpolated missing value of %s",
    LATE: "dropped duplicate or late value of %s",
}

log = logging.getLogger(__name__)


class StreamReader:
    """Reads the points that a subscriber puts into an inbox, in the thread that asks for them.

    What it returns depends on the points and their order only, not on the lots in which they arrive.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        lateness: float,
        max_gap: int,
        tolerance: float | None,
        decoder: Decoder | None = None,
    ) -> None:
        """Points that get lost are counted in `losses`, by (kind, stream).

        `lateness`: seconds, by the points' own time, that a sample waits for a point before it counts as lost.

        `max_gap`: how many lost points of a stream in a row are interpolated. `tolerance`: the most seconds between
        the timestamps of one sample's points; None: learned from the first points. `decoder`: by default, that of
        DataPointPB.
        """
        self.losses: Counter[tuple[str, str]] = Counter()
        self.decoder = decoder or PointDecoder("the data product")
        self._inbox = inbox
        self._lateness = lateness
        self._max_gap = max_gap
        self._tolerance = tolerance
        self._live: set[str] = set()  # streams that have sent a point and have not ended
        self._ended = False  # whether all have
        self._stopped = False
        self._looked_at: list[Point] = []

    @classmethod
    def configured(cls, inbox: Inbox, settings: Settings) -> StreamReader:
        """Return a reader with the settings of Gravity.ini."""
        return cls(
            inbox,
            lateness=settings.number("lateness", above=0),
            max_gap=settings.integer("max_gap", at_least=0),
            tolerance=settings.number_or_auto("tolerance", at_least=0),
            decoder=decoding.configured(settings),
        )

    def stop(self) -> None:
        """End the data within a second, from another thread."""
        self._stopped = True

    def streams(self, at_least: int) -> tuple[str, ...]:
        """Return the names of the streams that arrive, in alphabetical order; wait for `at_least` of them.

        The points looked at are kept for `samples`, except old ones of too few streams. Raises UserError if the data
        end before that.
        """
        counts: Counter[str] = Counter()
        arrived: set[str] = set()
        looked_at: list[Point] = []
        for points in self._points():
            for number, point in enumerate(points, start=1):
                looked_at.append(point)
                counts[point.name] += 1
                arrived.add(point.name)
                if counts[point.name] <= LEARNING_POINTS:
                    continue
                if len(counts) >= at_least:
                    if self._tolerance is None:
                        self._learn_tolerance(looked_at)
                    self._looked_at = looked_at + points[number:]
                    return tuple(sorted(counts))
                log.warning("waiting for %d streams; so far, there is only %s", at_least, ", ".join(counts))
                looked_at = [earlier for earlier in looked_at if earlier.timestamp == point.timestamp]
                counts = Counter(earlier.name for earlier in looked_at)
        raise UserError(
            f"the data ended too early: only {', '.join(sorted(arrived)) or 'nothing'} arrived; "
            f"{at_least} streams of more than {LEARNING_POINTS} samples are needed"
        )

    def expect(self, streams: list[str] | None, n_streams: int, model_file: str) -> tuple[str, ...]:
        """Return the streams that a model was trained on, or those that arrive if it does not say (None).

        Raises UserError if Gravity.ini asks for other streams, or if others arrive, or not as many as the model has
        columns.
        """
        configured = self.decoder.streams
        if configured and streams is not None and set(streams) != set(configured):
            raise UserError(
                f"{model_file} was trained on {', '.join(streams)}, but Gravity.ini asks for "
                f"{', '.join(configured)}; train a model for these"
            )
        arriving = self.streams(at_least=len(configured) or 1)
        expected = tuple(arriving if streams is None else streams)
        unknown = set(arriving) - set(expected)
        if len(expected) != n_streams or (unknown and set(expected) - set(arriving)):
            trained_on = ", ".join(streams) if streams else f"{n_streams} streams"
            raise UserError(
                f"{model_file} was trained on {trained_on}, but these streams are arriving: "
                f"{', '.join(arriving)}; train a model for them with ./train.sh"
            )
        return expected

    def collect(
        self, streams: tuple[str, ...], count: int, watch: Callable[[list[Sample]], object] = len
    ) -> list[Sample]:
        """Return the first `count` samples of `streams`, or nearly as many if the data end.

        `watch` is called with the samples so far after each. Raises UserError if the data end earlier.
        """
        samples: list[Sample] = []
        for sample in counted(chain.from_iterable(self.samples(streams)), count, "samples collected"):
            samples.append(sample)
            watch(samples)
        if len(samples) < ENOUGH * count:
            raise UserError(f"the data ended after {len(samples)} samples; lower training_size in Gravity.ini")
        if len(samples) < count:
            log.info("the data ended after %d samples, which is enough", len(samples))
        return samples

    def samples(self, streams: tuple[str, ...]) -> Iterator[list[Sample]]:
        """Yield the samples of `streams` that are complete, in order of time, whenever there are any.

        Goes on until all streams that have sent points have ended.
        """
        assembler = SampleAssembler(streams, self._lateness, max_gap=self._max_gap, tolerance=self._tolerance or 0.0)
        known = frozenset(streams)
        looked_at, self._looked_at = self._looked_at, []
        before = assembler.losses.copy()
        for points in chain([looked_at], self._points()):
            samples: list[Sample] = []
            for point in points:
                if point.name in known:
                    samples += assembler.add(point)
                else:
                    log.warning("ignored unknown stream %s", point.name)
            if assembler.losses != before:
                lost = assembler.losses - before
                self.losses += lost
                for (kind, stream), count in lost.items():
                    log.warning(LOSSES[kind], stream, extra={"count": count})
                before = assembler.losses.copy()
            if samples:
                yield samples
        if samples := assembler.rest():
            yield samples

    def _points(self) -> Iterator[list[Point]]:
        """Yield the points that have arrived, whenever there are any, until all streams have ended."""
        silent_since = time.monotonic()
        where = ", ".join(self.decoder.products)
        lag_before = math.inf  # points have waited while TensorFlow was imported; that is soon made up for
        while not (self._ended or self._stopped):
            products = self._inbox.take(timeout=1.0)
            if dropped := self._inbox.dropped():
                self.losses[OVERLOAD, "all streams"] += dropped
                log.warning(
                    "more arrives than can be scored: dropped the oldest points; raise window_stride in Gravity.ini",
                    extra={"count": dropped},
                )
            if not products:
                if (silent := time.monotonic() - silent_since) >= SILENCE:
                    log.warning("nothing has arrived for %.0f s on %s; is the publisher running?", silent, where)
                continue
            received = products[0].receivedTimestamp
            lag = time.time() - received / 1e6 if received else 0.0
            if lag > lag_before > LAG:  # once only is a clock that was set forward
                log.warning("%.0f s behind the publisher; if that grows, raise window_stride in Gravity.ini", lag)
            lag_before = lag
            if points := list(self._decoded(products)):
                yield points
                silent_since = time.monotonic()

    def _decoded(self, products: list[GravityDataProduct]) -> Iterator[Point]:
        for product in products:
            try:
                if product.typeName != END_TYPE:
                    for point in self.decoder.points(product):
                        if point.name not in self._live and len(self._live) >= MOST_STREAMS:
                            raise BadPoint(f"ignored streams beyond the first {MOST_STREAMS}")
                        self._live.add(point.name)
                        yield point
                elif not product.isCachedDataproduct:  # a cached one was sent before this node subscribed
                    self._live -= ended_streams(product.data)
                    if not self._live:
                        self._ended = True
                        return
            except BadPoint as error:
                log.warning("%s", str(error))

    def _learn_tolerance(self, points: list[Point]) -> None:
        learned = learn_tolerance(points)
        if learned is None:
            log.warning(
                "the streams' timestamps do not show which points belong together; "
                "set tolerance in Gravity.ini to the seconds by which those of one sample differ"
            )
        elif learned:
            log.info("points up to %g ms apart make one sample (tolerance = auto)", learned / 1000)
        self._tolerance = (learned or 0) / 1e6
