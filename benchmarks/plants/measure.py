"""Measures which faults the contenders find in one plant, and when."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from anomaly.alarm import RELEASE
from anomaly.detector import Finding
from benchmarks.plants import contenders
from benchmarks.plants.contenders import N_STEPS
from benchmarks.plants.faults import FAULTS, injected
from benchmarks.plants.kinds import Array
from benchmarks.plants.plant import Plant
from benchmarks.report import Row

TRAINING = 5000  # samples
BEFORE = 400  # calm samples before a fault, at least


def alarms(levels: Array, threshold: float) -> Array:
    """Return where alarms begin: above the threshold, after the one before has fallen below RELEASE of it."""
    begun, on = [], False
    for index in np.flatnonzero((levels > threshold) | (levels < RELEASE * threshold)):
        if on != (levels[index] > threshold):
            on = not on
            if on:
                begun.append(index)
    return np.array(begun, int)


def measure(plant: Plant, calm: int, times: int) -> Iterator[Row]:
    """Train all contenders on a run of `plant`; yield a row for each, with `times` faults of each kind.

    `delays`: for each fault, for each time, the number of samples with the fault until the alarm, None if none begins
    while it lasts. `false`: alarms in `calm` samples. `over`: their highest level ÷ the highest in training. Of the
    detector also `told`: for each fault and alarm what was diagnosed, and whether a right or wrong stream was blamed.
    """
    random = np.random.default_rng(2)
    training = plant.received(_samples(plant, TRAINING, random), random)
    quiet = plant.received(_samples(plant, calm, random), random)
    runs = {fault.name: list(injected(plant, fault, BEFORE, times, random)) for fault in FAULTS}

    watched = contenders.Watched(training, seed=0)
    yield _row(plant, "detector", watched, training, quiet, runs, watched.threshold)
    yield _row(plant, "detector, level", watched, training, quiet, runs, None)
    for name, levels in contenders.simple(training, seed=0):
        yield _row(plant, name, levels, training, quiet, runs, None)


def _row(
    plant: Plant,
    contender: str,
    levels: contenders.Levels,
    training: Array,
    quiet: Array,
    runs: dict[str, list[tuple[Array, int, tuple[int, ...]]]],
    threshold: float | None,
) -> Row:
    calm = levels(quiet)
    known = float(levels(training).max())
    limit = float(calm.max()) if threshold is None else threshold
    delays: dict[str, list[int | None]] = {}
    told: dict[str, list[tuple[str, str]]] = {}
    for fault, each in runs.items():
        delays[fault], told[fault] = [], []
        for samples, start, columns in each:
            begun = alarms(levels(samples), limit) + N_STEPS - 1 - start + 1  # samples with the fault so far
            found = begun[begun > 0]
            delays[fault].append(int(found[0]) if len(found) else None)
            if len(found) and threshold is not None and isinstance(levels, contenders.Watched):
                told[fault].append(_told(levels.findings, int(found[0]) + start - N_STEPS, columns))
    return {
        "plant": plant.name,
        "contender": contender,
        "false": len(alarms(calm, limit)),
        "over": float(calm.max()) / known,
        "delays": delays,
        "told": told,
    }


def _told(findings: Sequence[Finding], begin: int, columns: tuple[int, ...]) -> tuple[str, str]:
    """Return how the alarm from window `begin` on is diagnosed: kind, and `right`, `wrong` or `no` stream."""
    during = itertools.takewhile(lambda finding: finding.verdict and finding.verdict.alarm, findings[begin:])
    diagnosis = [finding.diagnosis for finding in during][-1]
    assert diagnosis and diagnosis.kind
    if diagnosis.column is None:
        return diagnosis.kind.name.lower(), "no"
    return diagnosis.kind.name.lower(), "right" if diagnosis.column in columns else "wrong"


def _samples(plant: Plant, count: int, random: np.random.Generator) -> Array:
    run = plant.run(count, random)
    return run.signal + run.noise
