"""The state of a run as its messages tell it, shared by all who look: thread-safe, bounded, thinned."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from dashboard.alarms import Alarm, Alarms
from dashboard.history import Array, Series
from dashboard.presence import Presence, State
from dashboard.relations import order
from dashboard.stream import Stream
from streams.points import CONTROL, LONGEST_NAME, TIME_END, Point

MOST_STREAMS = 256  # of more, the first are shown
MOST_PENDING = 2000  # points that wait until they are sorted in
OFTEN = 0.5  # seconds after which they are sorted in at the latest
MOST_GAPS = 200
FORGET_AFTER = 60.0  # seconds of silence after which a stream makes way for others
RATE_TIME = 5.0  # seconds over which rates are measured
BACK = 5000.0  # milliseconds that a clock must go back for everything to start anew
LEAST_SCORE = 0.01  # shown on the logarithmic axis
STILL_VALID = 0.1  # seconds that a summary is passed on to others who look
SAYS = {
    State.WAITING: "not seen yet",
    State.ENDED: "its data have ended",
    State.UNKNOWN: "nothing to score arrives",
}
KINDS = {
    AnomalyScorePB.RELATION: "relation",
    AnomalyScorePB.LEVEL: "level",
    AnomalyScorePB.FROZEN: "frozen",
    AnomalyScorePB.NOISE: "noise",
    AnomalyScorePB.OUTSIDE: "outside of what training has seen",
}


class Training(NamedTuple):
    """How far a training has come: `collected` of `samples`; then `epoch` of `epochs`, which are 0 before."""

    collected: int
    samples: int
    epoch: int = 0
    epochs: int = 0
    loss: float = 0.0


class Shown(NamedTuple):
    """Curves and spans from `begin` to `end`; times in milliseconds since the epoch, `offset` to local time.

    `streams`: for each place on the page, the stream's name, its values and their reconstruction.
    """

    begin: float
    end: float
    offset: float
    streams: list[tuple[str, tuple[Array, Array], tuple[Array, Array]]]
    score: tuple[Array, Array]
    threshold: float
    loss: tuple[Array, Array]
    gaps: list[tuple[float, float]]
    alarms: list[Alarm]


class Live:
    """What is known of the run."""

    def __init__(self, history: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`history`: seconds that are remembered. `clock`: monotonic, in seconds."""
        self.started = uuid.uuid4().hex  # another one for each start of the program
        self._span = 1000 * history
        self._clock = clock
        self._lock = threading.RLock()
        self._pending: list[tuple[Point, float]] = []
        self._sorted = clock()  # when nothing was pending last
        self._summary: tuple[float, dict[str, Any]] | None = None
        self._publisher, self._detector, self._directory = Presence(), Presence(), Presence()
        self._ended: set[str] = set()
        self._refused = 0
        self._score_published = 0  # when the last finding was published
        self._anew()

    def _anew(self) -> None:
        """Forget everything that was drawn."""
        self._streams: dict[str, Stream] = {}
        self._alarms = Alarms()
        self._score, self._loss = Series(self._span), Series(self._span)
        self._threshold = 1.0
        self._last: AnomalyScorePB | None = None
        self._last_finding: tuple[int, float] | None = None  # its sample and time
        self._periods: deque[float] = deque(maxlen=5)  # of the last findings' samples, in ms
        self._first = math.inf  # time of the first point
        self._gaps: deque[tuple[float, float]] = deque(maxlen=MOST_GAPS)
        self._n_gaps = self._lost = 0
        # (now, newest time, samples so far), a second apart or more.
        self._marks: deque[tuple[float, float, int]] = deque(maxlen=120)
        self._training: Training | None = None
        self._shares: tuple[list[str], Array] | None = None
        self._shares_number = 0

    # ---- what arrives -----------------------------------------------------------------------------------

    def points(self, points: Iterable[Point]) -> None:
        """Take points."""
        with self._lock:
            now = self._clock()
            before = len(self._pending)
            self._pending += [(point, now) for point in points]
            if len(self._pending) > before:
                self._publisher.hear(now)
                self._ended.clear()
            if len(self._pending) > MOST_PENDING or now - self._sorted > OFTEN:
                self._sort_in(now)

    def ended(self, streams: Iterable[str]) -> None:
        """Note that streams have ended."""
        with self._lock:
            self._sort_in(self._clock())
            self._ended.update(streams)
            self._publisher.ended = self._ended >= set(self._streams)

    def refused(self) -> None:
        """Count a message that cannot be used."""
        with self._lock:
            self._refused += 1

    def directory_answered(self) -> None:
        """Note that there is a Service Directory."""
        with self._lock:
            self._directory.hear(self._clock())

    def finding(self, pb: AnomalyScorePB, published: int) -> None:
        """Take a message of the detector; `published`: when, in microseconds since the epoch.

        A new subscriber gets the last message once more, and it says nothing new then.
        """
        with self._lock:
            if published <= self._score_published or pb.timestamp >= TIME_END:
                return
            texts = [pb.blamed, *(stream.name for stream in pb.streams)]  # those that are not UTF-8 are bytes
            if not (math.isfinite(pb.threshold) and all(isinstance(text, str) for text in texts)):
                self._refused += 1
                return
            now = self._clock()
            self._sort_in(now)
            self._score_published = published
            self._detector.hear(now)
            self._detector.works = not pb.sample or pb.training.epochs > 0
            if not pb.sample:  # it has only just started
                self._training = self._last_finding = None
            elif pb.HasField("training"):
                self._train(pb)
            else:
                self._found(pb)

    def _train(self, pb: AnomalyScorePB) -> None:
        training = pb.training
        self._training = Training(pb.sample, training.samples, training.epoch, training.epochs, training.loss)
        if training.epoch == 1:
            self._loss = Series(math.inf)
        if training.epoch and math.isfinite(training.loss):
            self._loss.extend([training.epoch], [training.loss])

    def _found(self, pb: AnomalyScorePB) -> None:
        end = pb.timestamp / 1000
        if self._score.newest is not None and end < self._score.newest - BACK:
            self._anew()
        self._training = None
        if self._last_finding and pb.sample > self._last_finding[0]:
            self._periods.append((end - self._last_finding[1]) / (pb.sample - self._last_finding[0]))
        period = float(np.median(self._periods)) if self._periods else 0.0
        self._last_finding, self._last = (pb.sample, end), pb
        if pb.HasField("score") and math.isfinite(pb.score):
            self._score.extend([end], [max(pb.score, LEAST_SCORE)])
            self._threshold = pb.threshold
        for stream in pb.streams:
            if known := self._streams.get(stream.name):
                known.error = stream.error
                rebuilt = np.array(stream.rebuilt, np.float64)
                times = end - period * np.arange(len(rebuilt))[::-1]
                usable = np.isfinite(rebuilt) & (period > 0)
                known.rebuilt.extend(times[usable], rebuilt[usable])
        kind = KINDS.get(pb.kind, "") if pb.HasField("kind") else ""
        score = _number(pb.score) or 0.0
        self._alarms.found(end, pb.state == AnomalyScorePB.ANOMALY, kind, _clean(pb.blamed), score)
        self._relate(pb)

    def _relate(self, pb: AnomalyScorePB) -> None:
        n = len(pb.streams)
        if not n or any(len(stream.predicted_by) != n for stream in pb.streams):
            return
        names = [_clean(stream.name) for stream in pb.streams]
        shares = np.clip(np.nan_to_num([stream.predicted_by for stream in pb.streams]), 0, 1)
        if self._shares is None or self._shares[0] != names or not np.array_equal(self._shares[1], shares):
            self._shares = names, shares
            self._shares_number += 1

    def _sort_in(self, now: float) -> None:
        """Sort the points that wait into their streams."""
        pending, self._pending, self._sorted = self._pending, [], now
        by_stream: dict[str, list[tuple[Point, float]]] = {}
        for item in pending:
            by_stream.setdefault(item[0].name, []).append(item)
        for name, items in by_stream.items():
            stream = self._streams.get(name)
            newest = stream.values.newest if stream else None
            if newest is not None and items[-1][0].timestamp / 1000 < newest - BACK:
                self._anew()
                stream = None
            if stream is None:
                if len(self._streams) >= MOST_STREAMS:
                    self._refused += len(items)
                    continue
                for other in [s.name for s in self._streams.values() if now - s.arrived > FORGET_AFTER]:
                    del self._streams[other]
                stream = self._streams[name] = Stream(name, self._span)
                self._first = min(self._first, items[0][0].timestamp / 1000)
            stream.extend(
                np.array([point.timestamp / 1000 for point, _ in items]),
                np.array([point.value for point, _ in items]),
                np.array([arrived for _, arrived in items]),
            )
            for gap in stream.gaps:
                if not self._gaps or gap[0] >= self._gaps[-1][1]:  # the streams have most gaps in common
                    self._gaps.append(gap)
                    self._n_gaps += 1
            stream.gaps.clear()
        if by_stream and self._streams and (not self._marks or now - self._marks[-1][0] >= 1):
            self._marks.append((now, self._newest(), max(stream.count for stream in self._streams.values())))

    def _newest(self) -> float:
        return max((stream.values.newest or 0.0 for stream in self._streams.values()), default=0.0)

    # ---- what is shown ----------------------------------------------------------------------------------

    def layout(self) -> dict[str, Any]:
        """Return what the page consists of: with another layout it is another page."""
        with self._lock:
            self._sort_in(self._clock())
            names = sorted(self._streams)
            return {
                "started": self.started,
                "streams": names,
                "training": self._training is not None,
                "related": self._shares is not None,
            }

    def ordered(self) -> list[Stream]:
        """Return the streams, those to blame first."""
        blamed = [name for name in self._alarms.blamed() if name in self._streams]
        return [self._streams[name] for name in dict.fromkeys([*blamed, *sorted(self._streams)])]

    def shown(self, seconds: float, places: int, most: int) -> Shown:
        """Return what has come in the last `seconds`, in `places` places of the page, each up to `most` points."""
        with self._lock:
            now = self._clock()
            self._sort_in(now)
            end = self._newest() or 1000 * time.time()
            pace = 1000.0  # ms of the streams' time in a second; more if a recording is replayed faster
            if len(self._marks) > 1:
                (then, at, _), (until, to, _) = self._marks[0], self._marks[-1]
                pace = max((to - at) / (until - then), 1.0)
            begin = max(end - min(pace * seconds, self._span), min(self._first, end - pace))
            alarms = [a for a in self._alarms.all if a.begin <= end and (a.end is None or a.end >= begin)]
            return Shown(
                begin, end, local_offset(end),
                [
                    (stream.name, stream.values.between(begin, end, most), stream.rebuilt.between(begin, end, most))
                    for stream in self.ordered()[:places]
                ],
                self._score.between(begin, end, 2 * most), self._threshold, self._loss.between(-1, math.inf, most),
                [gap for gap in self._gaps if gap[1] >= begin], alarms,
            )  # fmt: skip

    def summary(self) -> dict[str, Any]:
        """Return all that is text on the page, as JSON can hold it."""
        with self._lock:
            now = self._clock()
            if self._summary is None or now - self._summary[0] > STILL_VALID:
                self._sort_in(now)
                self._summary = now, self._summarised(now)
            return self._summary[1]

    def relations(self) -> dict[str, Any] | None:
        """Return names and the shares that each row's stream gets predicted by each column's, in a good order."""
        with self._lock:
            if self._shares is None:
                return None
            names, shares = self._shares
        best = order(shares)
        return {"names": [names[i] for i in best], "shares": np.round(shares[np.ix_(best, best)], 3).tolist()}

    def _summarised(self, now: float) -> dict[str, Any]:
        rate = self._rate(now)
        last, present = self._last, self._alarms.present
        state = AnomalyScorePB.State.Name(last.state).lower() if last else "none"
        return {
            "nodes": self._nodes(now, rate),
            "state": "training" if self._training else state,
            "score": _number(last.score) if last and last.HasField("score") else None,
            "threshold": self._threshold,
            "samples": self._last_finding[0] if self._last_finding else 0,
            "rate": rate,
            "gaps": self._n_gaps,
            "lost": sum(stream.lost for stream in self._streams.values()),
            "refused": self._refused,
            "training": self._training and self._training._asdict() | {"loss": _number(self._training.loss)},
            "alarms": [vars(alarm) | {"said": alarm.said} for alarm in reversed(self._alarms.all)][:50],
            "total_alarms": self._alarms.total,
            "streams": [
                {
                    "name": stream.name,
                    "value": _number(stream.last),
                    "error": _number(stream.error),
                    "lost": stream.lost,
                    "blamed": present is not None and present.blamed == stream.name,
                }
                for stream in self.ordered()
            ],
            "relations": self._shares_number,
            "now": (latest := last.timestamp / 1000 if last else 1000 * time.time()),
            "offset": local_offset(latest),
        }

    def _nodes(self, now: float, rate: float) -> list[dict[str, str]]:
        publisher, detector, directory = (p.state(now) for p in (self._publisher, self._detector, self._directory))
        if detector is State.GONE and publisher is not State.HERE:
            detector = State.UNKNOWN
        nodes = (
            ("publisher", self._publisher, publisher, f"{rate:,.{0 if rate >= 100 else 1}f} samples/s"),
            ("detector", self._detector, detector, self._work()),
            ("Service Directory", self._directory, directory, "answers"),
        )
        return [
            {
                "name": name,
                "state": state.value,
                "text": SAYS.get(state, here if state is State.HERE else f"gone for {presence.silent(now):.0f} s"),
            }
            for name, presence, state, here in nodes
        ]

    def _work(self) -> str:
        """Return what the detector is doing."""
        if self._training:
            return "training" if self._training.epochs else "collecting"
        return "starting" if self._detector.works else "scoring"

    def _rate(self, now: float) -> float:
        """Return samples per second: points of the fastest stream."""
        marks = [mark for mark in self._marks if mark[0] >= now - RATE_TIME - 1]
        if len(marks) < 2:
            return 0.0
        (then, _, before), (until, _, count) = marks[0], marks[-1]
        return max(0.0, (count - before) / (until - then))


def local_offset(ms: float) -> float:
    """Return by how many milliseconds the local time is ahead of UTC at a time."""
    return 1000 * time.localtime(ms / 1000).tm_gmtoff


def _clean(name: str) -> str:
    """Return a name as it can be shown."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", name[:LONGEST_NAME])


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
