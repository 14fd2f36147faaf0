"""Findings as text, for people and scripts, and as messages, for other nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from anomaly.detector import Finding


def opening(threshold: float | None, model_file: str) -> str:
    """Return the line that precedes all others: the threshold of the alarm, or why there is no alarm."""
    if threshold is None:
        return f"no alarms: {model_file} holds no error statistics of normal windows; train a model with ./train.sh"
    return f"an alarm starts when the score exceeds {threshold:.2f}; the average in training was about 1"


def lines(found: Iterable[Finding], streams: Sequence[str]) -> Iterator[str]:
    """Yield a line for each window, followed by one for an alarm that starts or ends with it."""
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
    """Return the line for an alarm that starts or ends with this window, None if it does neither."""
    verdict = finding.verdict
    if verdict is None or not verdict.changed:
        return None
    since = f"since {_time(finding.window.timestamp)}, sample {finding.window.number}"
    if not verdict.alarm:
        return f"NORMAL {since}"
    if finding.blame is None:
        return f"ANOMALY {since}: no single stream"
    return f"ANOMALY {since}: stream {streams[finding.blame.column]} ({finding.blame.share:.0%} of the error)"


def message(finding: Finding, streams: Sequence[str], threshold: float | None) -> AnomalyScorePB:
    """Return a window's message; `threshold` is that of the score, None if there is no alarm."""
    pb = AnomalyScorePB(
        timestamp=finding.window.timestamp,
        sample=finding.window.number,
        mse=finding.mse,
        state=AnomalyScorePB.UNKNOWN,
    )
    for name, error in zip(streams, finding.errors.tolist(), strict=True):
        pb.streams.add(name=name, error=error)
    if finding.verdict:
        pb.state = AnomalyScorePB.ANOMALY if finding.verdict.alarm else AnomalyScorePB.NORMAL
        pb.score = finding.verdict.score
    if threshold is not None:
        pb.threshold = threshold
    if finding.blame:
        pb.blamed = streams[finding.blame.column]
    return pb


def _time(timestamp: int) -> str:
    seconds, microseconds = divmod(timestamp, 1_000_000)
    return f"{_second(seconds)}.{microseconds // 1000:03}"


@lru_cache(maxsize=16)
def _second(timestamp: int) -> str:
    """Return a second as local time; cached, because the windows of a fast stream share it."""
    return datetime.fromtimestamp(timestamp).isoformat(" ")
