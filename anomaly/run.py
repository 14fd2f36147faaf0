"""What a run of the detector has shown so far, in bounded memory."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from streams.samples import Sample

if TYPE_CHECKING:
    from anomaly.detector import Finding
    from anomaly.diagnosis import Diagnosis

REMEMBERED = 1000  # alarms, and gaps: the latest


@dataclass
class AlarmSpan:
    """An alarm from its first to its last window, by times (microseconds since the epoch) and samples.

    `diagnosis`: the latest. `highest`: the highest score. `over`: whether it has ended.
    """

    begin: int
    first: int
    end: int
    last: int
    diagnosis: Diagnosis | None
    highest: float
    over: bool = False


class Gap(NamedTuple):
    """Missing samples between two times, in microseconds since the epoch."""

    begin: int
    end: int


class Run:
    """Counts samples, windows, gaps and alarms, and remembers the latest of them.

    `losses`: points that were lost, by (kind, stream), see `SampleAssembler.losses`.
    """

    def __init__(self, streams: Sequence[str], losses: Counter[tuple[str, str]] | None = None) -> None:
        self.streams = tuple(streams)
        self.losses: Counter[tuple[str, str]] = Counter() if losses is None else losses
        self.samples = self.windows = self.n_gaps = self.n_alarms = 0
        self.begin: int | None = None  # of the first sample, microseconds since the epoch
        self.end = 0  # of the last
        self.score: float | None = None  # the latest
        self.gaps: deque[Gap] = deque(maxlen=REMEMBERED)
        self.alarms: deque[AlarmSpan] = deque(maxlen=REMEMBERED)

    @property
    def alarm(self) -> AlarmSpan | None:
        """The present alarm, if there is one."""
        return self.alarms[-1] if self.alarms and not self.alarms[-1].over else None

    def noting(self, lots: Iterable[list[Sample]]) -> Iterator[list[Sample]]:
        """Yield what comes, and note it."""
        for samples in lots:
            self.samples += len(samples)
            for sample in samples:
                if sample.after_gap:
                    self.n_gaps += 1
                    self.gaps.append(Gap(self.end, sample.timestamp))
                self.end = sample.timestamp
            if self.begin is None:
                self.begin = samples[0].timestamp
            yield samples

    def add(self, found: Iterable[Finding]) -> None:
        """Note the findings for the next windows."""
        for finding in found:
            window, verdict, diagnosis = finding.window, finding.verdict, finding.diagnosis
            self.windows += 1
            if verdict is None:
                continue
            self.score = verdict.score
            if verdict.alarm and verdict.changed:
                self.n_alarms += 1
                self.alarms.append(
                    AlarmSpan(
                        window.timestamp, window.number, window.timestamp, window.number, diagnosis, verdict.score
                    )
                )
            elif alarm := self.alarm:
                alarm.end, alarm.last, alarm.over = window.timestamp, window.number, not verdict.alarm
                if verdict.alarm:
                    alarm.diagnosis, alarm.highest = diagnosis, max(alarm.highest, verdict.score)
