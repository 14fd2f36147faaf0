"""How soon changes are found, and how often there is a false alarm: `python -m benchmarks.detection`.

Streams cos(phase), a start phase for each, all phases growing by 0.05 a sample. Each seed trains on 2000 samples;
the threshold comes from these alone. Then, at stride 1:

- false alarms: 36,000 clean samples, an hour at 10 a second, from a start phase of its own for each seed;
- changes: the last stream changes after 400 clean samples, at 12 start phases for each seed. A change is found if
  an alarm begins within 400 samples of it, and its delay is the number of changed samples up to the alarm.

Lost points are filled in or left out as in the detector (`SampleAssembler`), which waits for late points for a
second: delays count samples by their own time, to which that is added where a point is lost.

The contender `pca` has the same windows and the reconstruction's rule for the threshold, with principal components in
the place of the autoencoder, and no further checks.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.windows import Window, WindowBuilder
from benchmarks import contenders
from benchmarks.contenders import Contender
from benchmarks.report import Row, describe, table, write_json
from streams.points import Point
from streams.samples import Sample, SampleAssembler

N_STEPS = 20
STEP = 0.05  # growth of a phase a sample
RATE = 10  # samples a second
TRAINING, CLEAN, BEFORE, AFTER = 2000, 36_000, 400, 400  # samples
STARTS = 12  # start phases for each seed and change
MAX_GAP, LATENESS = 2, 1.0  # as in Gravity.ini

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """Streams to train on: `shape` of each phase's cosine, and what is done to the values and points."""

    name: str
    n_streams: int = 2
    noise: float = 0.0
    lost: float = 0.0
    scale: tuple[float, float] = (1.0, 0.0)  # factor and offset of the first stream
    nonlinear: bool = False  # the last stream is tanh(3 cos p)


CASES = (
    Case("as shipped"),
    Case("noise 0.05", noise=0.05),
    Case("1 % of points lost", lost=0.01),
    Case("5 % of points lost", lost=0.05),
    Case("tanh(3 cos p)", nonlinear=True),
    Case("one × 1000 + 5000", scale=(1000.0, 5000.0)),
    Case("4 streams", n_streams=4),
    Case("8 streams", n_streams=8),
)


class Change(NamedTuple):
    """A change of the last stream: of its phase or its values."""

    name: str
    phase: Callable[[Array], Array] = lambda since: np.zeros_like(since)
    factor: float = 1.0
    frozen: bool = False


CHANGES = (
    Change("increment × 2", lambda since: STEP * since),
    Change("increment × 1.1", lambda since: 0.1 * STEP * since),
    Change("increment × 1.02", lambda since: 0.02 * STEP * since),
    Change("phase + 0.3", lambda since: np.full_like(since, 0.3)),
    Change("amplitude + 5 %", factor=1.05),
    Change("frozen", frozen=True),
)


def values(case: Case, start: float, count: int, change: Change | None, random: np.random.Generator) -> Array:
    """Return `count` samples, shape (count, n_streams); the change comes after the first BEFORE."""
    steps = np.arange(count, dtype=np.float64)
    offsets = -np.pi / 2 * np.arange(case.n_streams)[::-1] / max(1, case.n_streams - 1)  # the first is a sine for two
    phases = start + offsets + STEP * steps[:, None]
    if change:
        phases[BEFORE:, -1] += change.phase(steps[BEFORE:] - BEFORE + 1)
    streams = np.cos(phases)
    if case.nonlinear:
        streams[:, -1] = np.tanh(3 * streams[:, -1])
    if change:
        streams[BEFORE:, -1] = streams[BEFORE - 1, -1] if change.frozen else change.factor * streams[BEFORE:, -1]
    streams += case.noise * random.normal(size=streams.shape)
    streams[:, 0] = streams[:, 0] * case.scale[0] + case.scale[1]
    return streams


def cut(case: Case, samples: Array, random: np.random.Generator) -> list[Window]:
    """Return all windows; samples are numbered from 1."""
    if not case.lost:
        return contenders.windows(samples, N_STEPS)
    kept = random.random(samples.shape) >= case.lost
    names = [f"s{column}" for column in range(case.n_streams)]
    assembler = SampleAssembler(names, LATENESS, max_gap=MAX_GAP)
    arrived = (
        Point(names[column], round(1e6 * (number + 1) / RATE), float(samples[number, column]))
        for number, column in zip(*np.nonzero(kept), strict=True)
    )
    assembled: list[Sample] = [sample for point in arrived for sample in assembler.add(point)]
    builder = WindowBuilder(N_STEPS, 1)
    windows: list[Window] = [window for sample in assembled if (window := builder.add(sample))]
    return [window._replace(number=round(window.timestamp * RATE / 1e6)) for window in windows]  # lost ones count


class Found(NamedTuple):
    """When an alarm began, in changed samples (NaN: not at all), and who was blamed (-1: no single stream)."""

    delay: float
    blamed: float


def detect(case: Case, detector: Contender, change: Change, start: float, random: np.random.Generator) -> Found:
    """Return what is found of a change."""
    windows = cut(case, values(case, start, BEFORE + AFTER, change, random), random)
    # What is filled in before a change may know of it: two points after a gap are looked at.
    begin = BEFORE - MAX_GAP if case.lost else BEFORE + 1
    detector.start()
    for finding in detector.examine(windows):
        window, verdict, diagnosis = finding.window, finding.verdict, finding.diagnosis
        if verdict and verdict.changed and window.number >= begin:
            column = diagnosis.column if diagnosis else None
            return Found(max(1, window.number - BEFORE), -1 if column is None else column)
    return Found(np.nan, -1)


def false_alarms(case: Case, detector: Contender, start: float, random: np.random.Generator) -> int:
    """Return how many alarms begin in an hour without a change."""
    windows = cut(case, values(case, start, CLEAN, None, random), random)
    detector.start()
    verdicts = [finding.verdict for finding in detector.examine(windows)]
    return sum(verdict is not None and verdict.alarm and verdict.changed for verdict in verdicts)


def measure(case: Case, kind: str, seeds: int) -> Iterator[Row]:
    """Train `seeds` detectors and yield a row for each change."""
    false: list[int] = []
    found: dict[str, list[Found]] = {change.name: [] for change in CHANGES}
    for seed in range(seeds):
        random = np.random.default_rng(1000 + seed)
        training = cut(case, values(case, random.uniform(0, 2 * np.pi), TRAINING, None, random), random)
        detector: Contender = contenders.PrincipalComponents(training)
        if kind == "detector":
            detector = contenders.detector(training, seed)
        false.append(false_alarms(case, detector, random.uniform(0, 2 * np.pi), random))
        for change in CHANGES:
            starts = random.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(STARTS) / STARTS
            found[change.name] += [detect(case, detector, change, start, random) for start in starts]
    for name, all_found in found.items():
        delays, blamed = np.array([each for each in all_found if np.isfinite(each.delay)]).reshape(-1, 2).T
        names = kind == "detector" and len(delays) > 0
        yield {
            "change": name,
            "found": f"{len(delays)}/{len(all_found)}",
            "median delay": float(np.median(delays)) if len(delays) else None,
            "worst": float(delays.max()) if len(delays) else None,
            "blamed right": f"{(blamed == case.n_streams - 1).mean():.1%}" if names else None,
            "wrong": f"{np.isin(blamed, range(case.n_streams - 1)).mean():.1%}" if names else None,
            "false alarms": f"{sum(false)} in {seeds} h",
        }


def main() -> None:
    """Read the command line, print the tables, write JSON if asked."""
    parser = argparse.ArgumentParser(description="Detection, delay in samples and false alarms, at stride 1.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--cases", default="", help="only cases whose name contains this")
    parser.add_argument("--json", metavar="FILE", help="write the result there, too")
    given = parser.parse_args()
    result: dict[str, object] = {"machine": describe("tensorflow", "keras", "numpy")}
    for case in CASES:
        if given.cases in case.name:
            for kind in ("detector", "pca"):
                result[f"{case.name}, {kind}"] = rows = list(measure(case, kind, given.seeds))
                print(table(f"{case.name}, {kind}", rows), flush=True)
    if given.json:
        write_json(given.json, result)


if __name__ == "__main__":
    main()
