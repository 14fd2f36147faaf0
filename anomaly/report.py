"""Findings as text, for people and scripts, and as messages, for other nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from anomaly.detector import Finding
from anomaly.diagnosis import Diagnosis, Kind


def opening(has_alarm: bool, model_file: str) -> str:
    """Return the line that precedes all others: when there is an alarm, or why there is none."""
    if not has_alarm:
        return f"no alarms: {model_file} holds no error statistics of normal windows; train a model with ./train.sh"
    return "an alarm starts when the score exceeds 1"


def lines(found: Iterable[Finding], streams: Sequence[str]) -> Iterator[str]:
    """Yield a line for each window, followed by one for an alarm if there is something new about it."""
    for finding in found:
        yield describe(finding)
        if line := announce(finding, streams):
            yield line


def describe(finding: Finding) -> str:
    """Return a window's line: time and numbers of its samples, its error, its score if there is one."""
    window, verdict = finding.window, finding.verdict
    first = window.number - len(window.values) + 1
    score = f"  score = {verdict.score:.2f}" if verdict else ""
    gap = "  (after a gap)" if window.after_gap else ""
    time = _time(window.timestamp)[11:]
    return f"{time}  samples {first}-{window.number}  MSE = {finding.mse:.3e}{score}{gap}"


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


def _time(timestamp: int) -> str:
    seconds, microseconds = divmod(timestamp, 1_000_000)
    return f"{_second(seconds)}.{microseconds // 1000:03}"


@lru_cache(maxsize=16)
def _second(timestamp: int) -> str:
    """Return a second as local time; cached, because the windows of a fast stream share it."""
    return datetime.fromtimestamp(timestamp).isoformat(" ")
