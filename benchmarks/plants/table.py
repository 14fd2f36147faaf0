"""The results for all plants as tables and as a picture."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from anomaly.diagnosis import Kind
from benchmarks.plants.faults import FAULTS
from benchmarks.report import Row

NEVER = float("inf")
DETECTOR = "detector"
BESIDE = ("detector, level",)  # not a simple method either


def delays(rows: Iterable[Row], contender: str, fault: str) -> list[float]:
    """Return all delays in samples, infinite where a fault was not found."""
    found = [row["delays"][fault] for row in rows if row["contender"] == contender]  # type: ignore[index]
    return [NEVER if delay is None else delay for each in found for delay in each]


def summary(found: Sequence[float]) -> tuple[float, float]:
    """Return the share found, 0 to 1, and the median delay of all, infinite if half of them were not found."""
    return sum(delay < NEVER for delay in found) / len(found), statistics.median(found)


def table_rows(rows: Sequence[Row]) -> list[Row]:
    """Return a row for each fault with a cell for each contender: found, median delay."""
    names = list(dict.fromkeys(str(row["contender"]) for row in rows))
    result: list[Row] = []
    for fault in (fault.name for fault in FAULTS):
        if not delays(rows, DETECTOR, fault):
            continue
        line: Row = {"fault": fault}
        line["within 20"] = f"{_within(delays(rows, DETECTOR, fault), 20):.0%}"
        figures = {name: summary(delays(rows, name, fault)) for name in names}
        line |= {name: _cell(*figures[name]) for name in names}
        line["best simple"] = best([name for name in names if name != DETECTOR and name not in BESIDE], figures)
        result.append(line)
    calm: Row = {"fault": "false alarms", "within 20": None}
    for name in names:
        calm[name] = sum(int(str(row["false"])) for row in rows if row["contender"] == name)
    over: Row = {"fault": "calm ÷ training, highest", "within 20": None}
    for name in names:
        over[name] = f"{max(float(str(row['over'])) for row in rows if row['contender'] == name):.2f}"
    return [*result, {**calm, "best simple": None}, {**over, "best simple": None}]


def told_rows(rows: Sequence[Row]) -> list[Row]:
    """Return a row for each fault: what share of the detector's alarms named each kind, and the right stream."""
    of_detector = [row["told"] for row in rows if row["contender"] == DETECTOR]
    result: list[Row] = []
    for fault in FAULTS:
        told = [each for of_plant in of_detector for each in of_plant[fault.name]]  # type: ignore[index]
        if told:
            kinds, blamed = zip(*told, strict=True)
            shares = {kind.name.lower(): kinds.count(kind.name.lower()) / len(told) for kind in Kind}
            shares |= {f"{name} stream": blamed.count(name) / len(told) for name in ("right", "wrong", "no")}
            result.append({"fault": fault.name, **{name: f"{share:.1%}" for name, share in shares.items()}})
    return result


def best(names: Iterable[str], figures: dict[str, tuple[float, float]]) -> str:
    """Return the name of the contender that finds most, of several the soonest."""
    return min(names, key=lambda name: (-figures[name][0], figures[name][1]))


def plot(rows: Sequence[Row], path: str, title: str) -> None:
    """Draw the table of faults and contenders: dark where all is found, with the median delay in each cell."""
    import matplotlib  # type: ignore[import-not-found,unused-ignore]

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(str(row["contender"]) for row in rows))
    faults = [fault.name for fault in FAULTS if delays(rows, DETECTOR, fault.name)]
    figures = [[summary(delays(rows, name, fault)) for name in names] for fault in faults]
    figure, axis = pyplot.subplots(figsize=(2 + 1.1 * len(names), 1.5 + 0.42 * len(faults)), layout="constrained")
    axis.imshow([[share for share, _ in line] for line in figures], cmap="Blues", vmin=0, vmax=1.2, aspect="auto")
    for y, line in enumerate(figures):
        for x, (share, delay) in enumerate(line):
            colour = "white" if share > 0.6 else "black"
            axis.text(x, y, _cell(share, delay), ha="center", va="center", fontsize=8, color=colour)
    axis.set_xticks(range(len(names)), names, rotation=30, ha="left")
    axis.xaxis.tick_top()
    axis.set_yticks(range(len(faults)), faults)
    axis.tick_params(length=0)
    axis.set_title(title, fontsize=9)
    figure.savefig(path, dpi=150)


def _within(found: Sequence[float], samples: int) -> float:
    return sum(delay <= samples for delay in found) / len(found)


def _cell(share: float, delay: float) -> str:
    return f"{share:.0%}" + (f" / {delay:.0f}" if delay < NEVER else "")
