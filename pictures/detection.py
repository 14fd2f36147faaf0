"""The picture of a run of the detector: streams, score, alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomaly import report
from anomaly.run import Gap, Run
from pictures.page import Chart, Floats, Page, Span, Table
from pictures.thinned import Thinned
from streams.samples import Sample

if TYPE_CHECKING:
    from anomaly.detector import Finding

NUMBERS = 250_000  # of all streams' lines: bounds the memory and the size of the file
MOST, LEAST = 16_384, 64  # buckets of a line
MOST_STREAMS = 64  # in a picture; those to blame come first
SMALLEST, LARGEST = 1e-30, 1e30  # of what a logarithmic axis shows
MOST_ALARMS = 200  # the latest


class Recording(Run):
    """A run that can be drawn."""

    def __init__(self, streams: Sequence[str], losses: Counter[tuple[str, str]] | None = None) -> None:
        super().__init__(streams, losses)
        most = min(MOST, max(LEAST, NUMBERS // (2 * len(streams)))) // 2 * 2
        self.values = Thinned(len(streams), most)
        self.scores = Thinned(1, MOST)  # the MSE if there are no scores

    def noting(self, lots: Iterable[list[Sample]]) -> Iterator[list[Sample]]:
        """Yield what comes, and note it."""
        for samples in super().noting(lots):
            self.values.add([sample.timestamp for sample in samples], [sample.values for sample in samples])
            yield samples

    def add(self, found: Iterable[Finding]) -> None:
        """Note the findings for the next windows."""
        found = list(found)
        super().add(found)
        self.scores.add(
            [finding.window.timestamp for finding in found],
            [[finding.verdict.score if finding.verdict else finding.mse] for finding in found],
        )


def page(recording: Recording) -> Page:
    """Return what a picture of the run shows."""
    streams, alarms = recording.streams, list(recording.alarms)[-MOST_ALARMS:]
    summary = report.summary(recording)
    if recording.begin is None:
        return Page("Anomaly detection", tuple(summary), ())
    zone = datetime.fromtimestamp(recording.begin / 1e6).astimezone()
    offset = (zone.utcoffset() or zone - zone).total_seconds() * 1e3

    def local(microseconds: int) -> float:
        return microseconds / 1e3 + offset

    blamed = [alarm.diagnosis.column if alarm.diagnosis else None for alarm in alarms]
    rows = [report.alarm_cells(alarm, streams) for alarm in alarms]
    first = recording.n_alarms - len(alarms) + 1

    def spans(column: int | None) -> tuple[Span, ...]:
        """Return the alarms as a stream's chart shows them; None: as the score's does."""
        return tuple(
            Span(local(a.begin), local(a.end), str(n), f"{n}: {row[3]}", column is None or column == to_blame)
            for n, (a, row, to_blame) in enumerate(zip(alarms, rows, blamed, strict=True), start=first)
        )

    gaps = tuple(Span(local(gap.begin), local(gap.end)) for gap in recording.gaps if gap.end > gap.begin)
    times, values = _parted(*recording.values.lines(), recording.gaps)
    x = times / 1e3 + offset
    order = sorted(range(len(streams)), key=lambda column: (-blamed.count(column), column))[:MOST_STREAMS]
    charts = [
        Chart(streams[column], x, values[:, column], time=True, alarms=spans(column), gaps=gaps) for column in order
    ]
    times, scores = _parted(*recording.scores.lines(), recording.gaps)
    scored = recording.score is not None
    charts.insert(
        0,
        Chart(
            "score" if scored else "mean squared error of a window",
            times / 1e3 + offset, np.clip(scores[:, 0], SMALLEST, LARGEST),
            time=True, log=True, limit=(1.0, "alarm above 1") if scored else None, alarms=spans(None), gaps=gaps,
        ),
    )  # fmt: skip
    remarks = [next(summary), f"Times are local, UTC{zone.isoformat()[-6:]}."]
    if len(order) < len(streams):
        remarks.append(f"{len(order)} of {len(streams)} streams are shown, those to blame first.")
    if first > 1 and alarms:
        remarks.append(f"The last {len(alarms)} of {recording.n_alarms:,} alarms are shown.")
    header = ("", "begin", "length", "samples", "kind, stream to blame", "highest score")
    cells = [(str(n), *row) for n, row in enumerate(rows, start=first)]
    tables = [Table("Alarms", header, tuple(cells))] if cells else []
    lost = recording.losses.most_common(report.SUMMARISED)
    if lost:
        told = tuple((kind, stream, f"{count:,}") for (kind, stream), count in lost)
        tables.append(Table("Lost messages", ("", "stream", "points"), told))
    title = f"Anomaly detection, {datetime.fromtimestamp(recording.begin / 1e6):%Y-%m-%d %H:%M}"
    return Page(title, tuple(remarks), (*charts, *tables))


def _parted(times: NDArray[np.int64], values: Floats, gaps: Iterable[Gap]) -> tuple[NDArray[np.int64], Floats]:
    """Break lines at gaps: put a row of NaN before the first point after each."""
    at = np.searchsorted(times, [gap.end for gap in gaps])
    return np.insert(times, at, [gap.begin for gap in gaps]), np.insert(values, at, np.nan, axis=0)
