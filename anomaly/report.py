"""Findings as text, for people and scripts, and as messages, for other nodes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from anomaly.detector import Finding
from anomaly.diagnosis import Diagnosis, Kind
from anomaly.run import AlarmSpan, Run

NUMBERS = 11  # characters of the samples' numbers in a line: room for those of a day at one per second
SUMMARISED = 20  # alarms


class Line(NamedTuple):
    """A line of output, and whether it is about an alarm that goes on."""

    text: str
    alarm: bool = False


def opening(has_alarm: bool, model_file: str) -> str:
    """Return the line that precedes all others: when there is an alarm, or why there is none."""
    if not has_alarm:
        return f"no alarms: {model_file} holds no error statistics of normal windows; train a model with ./train.sh"
    return "an alarm starts when the score exceeds 1"


def lines(found: Iterable[Finding], streams: Sequence[str]) -> Iterator[Line]:
    """Yield a line for each window, followed by one for an alarm if there is something new about it."""
    for finding in found:
        alarm = finding.verdict is not None and finding.verdict.alarm
        yield Line(describe(finding, streams), alarm)
        if text := announce(finding, streams):
            yield Line(text, alarm)


def describe(finding: Finding, streams: Sequence[str]) -> str:
    """Return a window's line: time and numbers of its samples, its error, its score if there is one.

    In an alarm, the kind of the anomaly and the stream to blame follow.
    """
    window, verdict = finding.window, finding.verdict
    numbers = f"{window.number - len(window.values) + 1}-{window.number}"
    line = f"{_time(window.timestamp)[11:]}  samples {numbers:{NUMBERS}}  MSE = {finding.mse:.3e}"
    if verdict:
        line += f"  score = {verdict.score:<5.2f}"
        if verdict.alarm:
            line += f"  {_short(finding.diagnosis, streams)}"
    return line.rstrip() + "  (after a gap)" * window.after_gap


def announce(finding: Finding, streams: Sequence[str]) -> str | None:
    """Return the line for an alarm that starts, ends or has become clearer with this window, else None."""
    verdict = finding.verdict
    if verdict is None:
        return None
    since = f"since {_time(finding.window.timestamp)}, sample {finding.window.number}"
    if verdict.changed and not verdict.alarm:
        return f"NORMAL {since}"
    if verdict.changed:
        return f"ANOMALY {since}: {diagnosed(finding.diagnosis, streams)}"
    return f"DIAGNOSIS: {diagnosed(finding.diagnosis, streams)}" if finding.news else None


def diagnosed(diagnosis: Diagnosis | None, streams: Sequence[str]) -> str:
    """Return a diagnosis as text, such as `relation, stream cos`."""
    kind, column = diagnosis or (None, None)
    if kind is Kind.OUTSIDE:
        return f"{kind.value}; if this is normal, train on data that include it"
    stream = "no single stream" if column is None else f"stream {streams[column]}"
    return f"{kind.value}, {stream}" if kind else stream


def status(run: Run) -> str:
    """Return a run's present state in a line."""
    alarm = run.alarm
    since = f"ALARM since {_time(alarm.begin)[11:19]}: {_short(alarm.diagnosis, run.streams)}" if alarm else "normal"
    score = f"  score {run.score:.2f}" if run.score is not None else ""
    counts = [_count(run.samples, "sample"), _count(run.n_gaps, "gap"), f"{run.losses.total():,} lost"]
    return f"{since if run.score is not None else 'no alarms'}{score}  {', '.join(counts)}"


def summary(run: Run) -> Iterator[str]:
    """Yield what a run has shown, in lines."""
    if run.begin is None:
        yield "no samples arrived"
        return
    counts = [_count(run.n_alarms, "alarm"), _count(run.n_gaps, "gap"), _count(run.losses.total(), "lost message")]
    yield (
        f"{_count(run.windows, 'window')}, {_count(run.samples, 'sample')} in {_duration(run.end - run.begin)}: "
        + ", ".join(counts)
    )
    shown = list(run.alarms)[-SUMMARISED:]
    if len(shown) < run.n_alarms:
        yield f"the last {len(shown)} alarms:"
    cells = [alarm_cells(alarm, run.streams) for alarm in shown]
    rows = [(begin, length, f"samples {n}", what, f"score up to {high}") for begin, length, n, what, high in cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
    for (kind, stream), count in run.losses.most_common(SUMMARISED):
        yield f"  {kind}: {count:,} of {stream}"


def alarm_cells(alarm: AlarmSpan, streams: Sequence[str]) -> tuple[str, str, str, str, str]:
    """Return an alarm's time, length, samples, diagnosis and highest score as text."""
    length = _duration(alarm.end - alarm.begin)
    highest = f"{alarm.highest:.2f}" if math.isfinite(alarm.highest) else "not finite"
    return (
        _time(alarm.begin),
        length if alarm.over else f"{length}, not over",
        f"{alarm.first:,}-{alarm.last:,}",
        _short(alarm.diagnosis, streams),
        highest,
    )


def message(finding: Finding, streams: Sequence[str], shares: NDArray[np.float32] | None = None) -> AnomalyScorePB:
    """Return a window's message; with `shares`, as in Relations, it also says which streams belong together."""
    pb = AnomalyScorePB(
        timestamp=finding.window.timestamp,
        sample=finding.window.number,
        mse=finding.mse,
        state=AnomalyScorePB.UNKNOWN,
    )
    rebuilt = [[]] * len(streams) if finding.rebuilt is None else finding.rebuilt.T.tolist()
    predicted_by = [[]] * len(streams) if shares is None else shares.tolist()
    for values in zip(streams, finding.errors.tolist(), rebuilt, predicted_by, strict=True):
        pb.streams.add(**dict(zip(("name", "error", "rebuilt", "predicted_by"), values, strict=True)))
    if finding.verdict:
        pb.state = AnomalyScorePB.ANOMALY if finding.verdict.alarm else AnomalyScorePB.NORMAL
        pb.score = finding.verdict.score
        pb.threshold = 1.0
    if finding.diagnosis and finding.diagnosis.column is not None:
        pb.blamed = streams[finding.diagnosis.column]
    if finding.diagnosis and finding.diagnosis.kind:
        pb.kind = getattr(AnomalyScorePB, finding.diagnosis.kind.name)
    return pb


def _short(diagnosis: Diagnosis | None, streams: Sequence[str]) -> str:
    kind, column = diagnosis or (None, None)
    words = [kind.name.lower()] if kind else []
    return ", ".join(words if column is None else [*words, streams[column]]) or "no single stream"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _duration(microseconds: int) -> str:
    """Return a length of time in its two largest units."""
    seconds = round(microseconds / 1e6)
    if seconds < 60:
        return f"{microseconds / 1e6:.1f} s"
    units = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    first = next(index for index, (number, _) in enumerate(units) if number)
    return " ".join(f"{number} {unit}" for number, unit in units[first : first + 2] if number)


def _time(timestamp: int) -> str:
    seconds, microseconds = divmod(timestamp, 1_000_000)
    return f"{_second(seconds)}.{microseconds // 1000:03}"


@lru_cache(maxsize=16)
def _second(timestamp: int) -> str:
    """Return a second as local time; cached, because the windows of a fast stream share it."""
    return datetime.fromtimestamp(timestamp).isoformat(" ")
