"""Alarms on real sensors: `python -m benchmarks.skab FOLDER` with files in the layout of SKAB.

SKAB (Katser and Kozitsin, "Skoltech Anomaly Benchmark", 2020) records a water circuit with eight sensors, a row
a second. Each file is a run of its own: a detector is fitted to the first 400 rows, which are normal, and judges
each later row by the rows up to it. All files are pooled. The settings are those of the shipped example, the same
for all files.

F1 is that of the anomalous rows; FAR % is the share of normal rows with an alarm, MAR % that of anomalous rows
without. `always` and `clock` need no data: they show what the labels' layout alone is worth.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import contenders
from benchmarks.contenders import Contender
from benchmarks.report import Row, describe, table, write_json

N_STEPS = 20
TRAINING_ROWS = 400
NOT_SENSORS = ("datetime", "anomaly", "changepoint")
CLOCK = (0.24, 0.78)  # of a file's test part

Flags = NDArray[np.bool_]


class Run(NamedTuple):
    """A file: its sensors, shape (n_rows, n_sensors), and which rows are labelled anomalous."""

    name: str
    sensors: NDArray[np.float64]
    anomalous: Flags


def read(file: Path) -> Run:
    """Read a file; raise ValueError, which names it, if it has another layout."""
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    try:
        sensors = [[float(row[name]) for name in row if name not in NOT_SENSORS] for row in rows]
        anomalous = np.array([float(row["anomaly"]) for row in rows]) > 0
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: not in SKAB's layout ({error!r})") from None
    if len(rows) <= TRAINING_ROWS:
        raise ValueError(f"{file}: {len(rows)} rows, but more than {TRAINING_ROWS} are needed")
    return Run(file.name, np.array(sensors), anomalous)


def judge(run: Run, kind: str, seed: int) -> Flags:
    """Return which rows after the training rows a contender gives an alarm for."""
    n_test = len(run.sensors) - TRAINING_ROWS
    if kind == "always":
        return np.ones(n_test, bool)
    if kind == "clock":
        part = np.arange(n_test) / n_test
        return (CLOCK[0] <= part) & (part < CLOCK[1])
    windows = contenders.windows(run.sensors, N_STEPS)
    training, test = windows[: TRAINING_ROWS - N_STEPS + 1], windows[TRAINING_ROWS - N_STEPS + 1 :]
    contender: Contender = contenders.PrincipalComponents(training)
    if kind == "detector":
        contender = contenders.detector(training, seed)
    return np.array([finding.verdict is not None and finding.verdict.alarm for finding in contender.examine(test)])


def figures(found: list[Flags], runs: list[Run]) -> tuple[float, float, float]:
    """Return F1, the false-alarm rate in % and the missed-alarm rate in %, over all files together."""
    alarm = np.concatenate(found)
    true = np.concatenate([run.anomalous[TRAINING_ROWS:] for run in runs])
    hits, false, missed = (alarm & true).sum(), (alarm & ~true).sum(), (~alarm & true).sum()
    return 2 * hits / (2 * hits + false + missed), 100 * false / (~true).sum(), 100 * missed / true.sum()


def main() -> int:
    """Read the command line, print a row for each contender, write JSON if asked; return the exit code."""
    parser = argparse.ArgumentParser(description="Alarms on files in SKAB's layout.")
    parser.add_argument("folder", type=Path, help="its *.csv files are read")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the result there, too")
    arguments = parser.parse_args()
    try:
        runs = [read(file) for file in sorted(arguments.folder.glob("*.csv"))]
    except (OSError, ValueError) as error:
        print(f"benchmarks.skab: {error}", file=sys.stderr)
        return 1
    if not runs:
        print(f"benchmarks.skab: no *.csv file in {arguments.folder}", file=sys.stderr)
        return 1
    about = describe("tensorflow", "keras", "numpy", data=f"{len(runs)} files, {arguments.seeds} seeds")
    rows: list[Row] = []
    for kind in ("detector", "pca", "always", "clock"):
        seeds = range(arguments.seeds if kind == "detector" else 1)  # the others draw nothing
        found = np.array([figures([judge(run, kind, seed) for run in runs], runs) for seed in seeds])
        row: Row = {"mean ± spread over the seeds": kind}
        for name, mean, spread, digits in zip(
            ("F1", "FAR %", "MAR %"), found.mean(0), found.std(0), (3, 1, 1), strict=True
        ):
            row[name] = f"{mean:.{digits}f} ± {spread:.{digits}f}"
        rows.append(row)
    print(table(str(arguments.folder), rows))
    if arguments.json:
        write_json(arguments.json, {"machine": about, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
