"""Faults: each affects one sensor of a plant, or swaps two.

A fault is only put where it can be detected in principle: in a stream that is measured with noise and, if it changes
the relation between streams, in one that moves together with others. Its size follows from the stream's normal
behaviour: its spread σ without noise, its noise, and how fast it moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from benchmarks.plants.kinds import Array, Random
from benchmarks.plants.plant import Plant, Run

LENGTH = 800  # samples of a fault
BIAS, SPIKE = 0.9, 4.0  # σ
DRIFT = 2.0  # σ, reached at the end
GAIN = 1.4
NOISE_UP = 0.2  # σ of the white noise that comes on top, or twice the stream's own noise if this is more
NOISE_DOWN = 0.1  # of the noise is left
PHASE = 1.2  # radians, reached after half of the fault
DELAYS = range(7, 61)  # samples: the least that changes the stream by LEAST σ (RMS)
LEAST = 0.5


class Fault(NamedTuple):
    """`change(run, plant, columns, start, random)` returns the samples with the fault in `columns`.

    `columns(plant)` returns the choices of streams that may have it; `length` is in samples.
    """

    name: str
    change: Callable[[Run, Plant, tuple[int, ...], int, Random], Array]
    columns: Callable[[Plant], list[tuple[int, ...]]]
    length: int = LENGTH


def _measured(plant: Plant) -> list[tuple[int, ...]]:
    return [(j,) for j in range(plant.n_streams) if plant.noise_spread[j] > 0]


def _related(plant: Plant) -> list[tuple[int, ...]]:
    groups = plant.structure.groups
    return [(j,) for (j,) in _measured(plant) if groups.count(groups[j]) > 1]


def _periodic(plant: Plant) -> list[tuple[int, ...]]:
    return [(j,) for (j,) in _related(plant) if plant.structure.periods[j]]


def _delayable(plant: Plant) -> list[tuple[int, ...]]:
    return [(j,) for (j,) in _related(plant) if _delay(plant, j)]


def _unlike(plant: Plant) -> list[tuple[int, ...]]:
    """Pairs that differ by at least LEAST σ once both have the same scale."""
    usual = (plant.usual.signal - plant.mean) / plant.spread
    measured = [j for (j,) in _related(plant)]
    return [(i, j) for i in measured for j in measured if i < j and _rms(usual[:, i] - usual[:, j]) >= LEAST]


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _delay(plant: Plant, j: int) -> int | None:
    usual = plant.usual.signal[:, j]
    return next((d for d in DELAYS if _rms(usual[d:] - usual[:-d]) >= LEAST * plant.spread[j]), None)


def _after(run: Run, start: int) -> Array:
    """Return how many samples the fault has lasted with each sample: 1 with the first, 0 before it."""
    return np.maximum(0.0, np.arange(len(run.signal)) - start + 1)


def _added(
    amount: Callable[[Array], Any], run: Run, plant: Plant, columns: tuple[int, ...], start: int, random: Random
) -> Array:
    samples = run.signal + run.noise
    (j,) = columns
    samples[:, j] += random.choice([-1, 1]) * plant.spread[j] * amount(_after(run, start))
    return samples


def _stuck(run: Run, plant: Plant, columns: tuple[int, ...], start: int, random: Random, noisy: bool) -> Array:
    samples = run.signal + run.noise
    for j in columns:
        held = run.signal[start - 1, j] + run.noise[start:, j] if noisy else samples[start - 1, j]
        samples[start:, j] = held
    return samples


def _dropout(run: Run, plant: Plant, columns: tuple[int, ...], start: int, random: Random) -> Array:
    samples = run.signal + run.noise
    samples[start : start + DROPOUT.length, columns] = 0
    return samples


def _noise(run: Run, plant: Plant, columns: tuple[int, ...], start: int, random: Random, up: bool) -> Array:
    noise = run.noise.copy()
    for j in columns:
        if up:
            more = max(NOISE_UP * plant.spread[j], 2 * plant.noise_spread[j])
            noise[start:, j] += more * random.normal(size=len(noise) - start)
        else:
            noise[start:, j] *= NOISE_DOWN
    return run.signal + noise


def _gain(run: Run, plant: Plant, columns: tuple[int, ...], start: int, random: Random) -> Array:
    signal = run.signal.copy()
    signal[start:, columns] += (GAIN - 1) * (signal[start:, columns] - plant.mean[list(columns)])
    return signal + run.noise


def _late(run: Run, plant: Plant, columns: tuple[int, ...], start: int, random: Random, drifts: bool) -> Array:
    signal, (j,) = run.signal.copy(), columns
    if drifts:
        turns = PHASE / (2 * np.pi) * np.minimum(1, 2 * _after(run, start) / LENGTH)
        late = turns * plant.structure.periods[j]
    else:
        late = (_delay(plant, j) or 0) * np.sign(_after(run, start))
    at = np.arange(len(signal))
    signal[:, j] = np.interp(at - late, at, run.signal[:, j])
    return signal + run.noise


def _swapped(run: Run, plant: Plant, columns: tuple[int, ...], start: int, random: Random) -> Array:
    samples, (i, j) = run.signal + run.noise, columns
    usual = (samples[start:] - plant.mean) / plant.spread
    for to, other in ((i, j), (j, i)):
        samples[start:, to] = plant.mean[to] + plant.spread[to] * usual[:, other]
    return samples


DROPOUT = Fault("dropout to zero", _dropout, _measured, 100)
FAULTS = (
    Fault("bias 0.9 σ", partial(_added, lambda since: BIAS * (since > 0)), _measured),
    Fault("drift", partial(_added, lambda since: DRIFT / LENGTH * since), _related),
    Fault("stuck", partial(_stuck, noisy=False), _measured),
    Fault("frozen, noisy", partial(_stuck, noisy=True), _related),
    Fault("noise up", partial(_noise, up=True), _measured),
    Fault("noise down", partial(_noise, up=False), _measured),
    Fault("gain × 1.4", _gain, _related),
    Fault("delay", partial(_late, drifts=False), _delayable),
    Fault("phase drift", partial(_late, drifts=True), _periodic),
    Fault("two swapped", _swapped, _unlike),
    Fault("spike 4 σ", partial(_added, lambda since: SPIKE * (since == 1)), _measured, 60),
    DROPOUT,
)


def injected(
    plant: Plant, fault: Fault, before: int, count: int, random: Random
) -> Iterator[tuple[Array, int, tuple[int, ...]]]:
    """Yield `count` runs with `fault` after at least `before` calm samples: samples, start, columns of the fault.

    None are yielded if no stream of the plant can have it.
    """
    columns = fault.columns(plant)
    for _ in range(count if columns else 0):
        where = columns[random.integers(len(columns))]
        start = before + int(random.integers(100))
        samples = fault.change(plant.run(start + fault.length, random), plant, where, start, random)
        yield plant.received(samples, random), start, where
