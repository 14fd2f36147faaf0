"""Five kinds of plants without faults, each with a structure drawn at random.

A kind is a function of the number of streams and of a generator that draws the structure: gains, delays, periods.
It returns a `Structure`, whose `simulate` makes any number of samples without noise, each run from a start of its
own. All that moves is kept within a range that 5,000 samples cover, so that one run is like another; rhythms, too,
differ so much that they meet in every phase.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Random = np.random.Generator
BEFORE = 500  # samples that are cut off, so that the start no longer matters


class Structure(NamedTuple):
    """A plant without noise.

    `simulate(count, random)` returns float64 of shape (count, n_streams). `groups` has a number for each stream;
    streams of the same number move together; `periods` its main period in samples, 0 if it has none;
    `commands` the streams that are set rather than measured.
    """

    simulate: Callable[[int, Random], Array]
    groups: tuple[int, ...]
    periods: tuple[float, ...]
    commands: tuple[int, ...] = ()


def setpoints(n_streams: int, structure: Random) -> Structure:
    """Set-points that jump between levels, followers with lags and delays, functions of these, pairs of sines."""
    roles = ("set", "follow", "tanh", "square", "sine", "sine", "follow", "set", "follow", "sum")
    role = [roles[j % len(roles)] for j in range(n_streams)]
    if role[-1] == "set" or role.count("sine") % 2:
        role[-1] = "follow"  # so that every stream has a partner
    loop = np.cumsum([r == "set" for r in role]) - 1
    lag, delay = structure.uniform(2, 10, n_streams), structure.integers(2, 9, n_streams)
    gain = structure.uniform(0.7, 1.3, n_streams) * structure.choice([-1, 1], n_streams)
    phase = structure.uniform(0, 2 * np.pi, n_streams)
    sines = [j for j in range(n_streams) if role[j] == "sine"]
    pair, period = np.zeros(n_streams, int), np.zeros(n_streams)
    pair[sines] = np.arange(len(sines)) // 2
    period[sines] = _periods(80, 300, len(sines) // 2, structure)[pair[sines]]

    def simulate(count: int, random: Random) -> Array:
        n = count + BEFORE
        starts = random.uniform(0, 2 * np.pi, n_streams)
        streams = np.empty((n, n_streams))
        for j, what in enumerate(role):
            if what == "set":
                levels = streams[:, j] = _levels(n, random)
                last = levels
            elif what == "sine":
                streams[:, j] = np.sin(starts[pair[j]] + phase[j] + 2 * np.pi * np.arange(n) / period[j])
            elif what == "follow":
                last = streams[:, j] = gain[j] * lagged(_shifted(levels, delay[j]), lag[j])
            elif what == "sum":
                streams[:, j] = levels + gain[j] * last
            else:
                streams[:, j] = np.tanh(2 * last) if what == "tanh" else np.square(last)
        return streams[BEFORE:]

    groups = tuple(int(-1 - pair[j] if what == "sine" else loop[j]) for j, what in enumerate(role))
    commands = tuple(j for j, what in enumerate(role) if what == "set")
    return Structure(simulate, groups, tuple(period), commands)


def oscillators(n_streams: int, structure: Random) -> Structure:
    """Oscillations whose amplitude and phase wander, each seen by several streams at phases of their own."""
    n_modes = max(1, n_streams // 3)
    period = _periods(20, 120, n_modes, structure)
    phase = structure.uniform(0, 2 * np.pi, (n_modes, n_streams))
    amplitude = np.zeros((n_modes, n_streams))
    for j in range(n_streams):
        amplitude[j % n_modes, j] = 1
        amplitude[structure.integers(n_modes), j] += structure.uniform(0.3, 0.7)

    def simulate(count: int, random: Random) -> Array:
        n = count + BEFORE
        turn = 2 * np.pi / period + 0.02 * random.normal(size=(n, n_modes))
        angle = random.uniform(0, 2 * np.pi, n_modes) + np.cumsum(turn, axis=0)
        slow = random.uniform(0, 2 * np.pi, n_modes) + 2 * np.pi * np.arange(n)[:, None] / (11 * period)
        size = 1 + 0.3 * np.sin(slow)
        waves = sum(size[:, m, None] * amplitude[m] * np.cos(angle[:, m, None] + phase[m]) for m in range(n_modes))
        return np.asarray(waves)[BEFORE:]

    return Structure(simulate, (0,) * n_streams, tuple(period[j % n_modes] for j in range(n_streams)))


def walk(n_streams: int, structure: Random) -> Structure:
    """Random walks within a range and what follows from them: each stream a lagged mixture of at most three."""
    n_walks = max(1, n_streams // 3)
    mixture = np.zeros((n_walks, n_streams))
    for j in range(n_streams):
        for m in {j % n_walks, *structure.integers(n_walks, size=2)}:
            mixture[m, j] = structure.uniform(0.5, 1) * structure.choice([-1, 1])
    lag = structure.uniform(1, 6, n_streams)

    def simulate(count: int, random: Random) -> Array:
        n = count + BEFORE
        free = random.uniform(-1, 1, n_walks) + np.cumsum(0.06 * random.normal(size=(n, n_walks)), axis=0)
        return lagged(_reflected(free) @ mixture, lag)[BEFORE:]

    return Structure(simulate, (0,) * n_streams, (0.0,) * n_streams)


def batch(n_streams: int, structure: Random) -> Structure:
    """Batches of five phases, never equally long, after recipes that vary: streams rise, rest and fall with them."""
    n_phases = 5
    length = structure.uniform(20, 50, n_phases)
    profile = structure.uniform(-1, 1, (n_phases, n_streams))
    resting = structure.random((n_phases - 1, n_streams)) < 0.4
    for phase in range(1, n_phases):
        profile[phase] = np.where(resting[phase - 1], profile[phase - 1], profile[phase])
    profile -= profile.mean(axis=0)
    profile /= np.maximum(profile.std(axis=0), 0.1)
    share = structure.uniform(0.5, 1.5, n_streams)
    lag = structure.uniform(1, 5, n_streams)

    def simulate(count: int, random: Random) -> Array:
        n = count + BEFORE
        times, corners = [0.0], [profile[-1]]
        while times[-1] < n:
            recipe = random.uniform(0.8, 1.2)
            for phase in range(n_phases):
                times.append(times[-1] + length[phase] * random.uniform(0.9, 1.1))
                corners.append(profile[phase] * (1 + share * (recipe - 1)))
        at, corner = np.arange(n), np.array(corners)
        return lagged(np.stack([np.interp(at, times, c) for c in corner.T], axis=1), lag)[BEFORE:]

    return Structure(simulate, (0,) * n_streams, (0.0,) * n_streams)


def daily(n_streams: int, structure: Random) -> Structure:
    """A day's cycle with a harmonic, weather that all share, and a trend that comes and goes over many days."""
    day, trend = structure.uniform(150, 300), structure.uniform(1200, 1800)
    n_weather = max(1, n_streams // 4)
    phase = structure.uniform(0, 2 * np.pi) + structure.uniform(-0.8, 0.8, n_streams)
    harmonic = structure.uniform(0.1, 0.4, n_streams)
    slope = structure.uniform(0.3, 0.8, n_streams) * structure.choice([-1, 1], n_streams)
    weight = structure.uniform(0.3, 0.8, n_streams)
    slope *= n_streams >= 4  # two streams cannot distinguish day, trend and weather
    weight *= n_streams >= 6

    def simulate(count: int, random: Random) -> Array:
        n = count + BEFORE
        hour = random.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(n)[:, None] / day
        cycle = np.cos(hour + phase) + harmonic * np.cos(2 * hour + phase)
        ramp = _reflected(random.uniform(-2, 2) + 4 * np.arange(n)[:, None] / trend)
        weather = _reflected(np.cumsum(0.05 * random.normal(size=(n, n_weather)), axis=0))
        return np.asarray(cycle + slope * ramp + weight * weather[:, np.arange(n_streams) % n_weather])[BEFORE:]

    return Structure(simulate, (0,) * n_streams, (day,) * n_streams)


def lagged(values: Array, lag: Array | float) -> Array:
    """Return `values`, along axis 0, behind first-order lags of `lag` samples, like those of a tank or an oven."""
    weight, state = 1 / (1 + np.asarray(lag)), values[0]
    result = np.empty_like(values)
    for step, value in enumerate(values):
        state = state + weight * (value - state)
        result[step] = state
    return result


def _levels(count: int, random: Random) -> Array:
    """Hold levels for 30 samples or more; each round of ten has one from every tenth of the range."""
    holds = (30 + random.exponential(90, 10 * (1 + count // 300))).astype(int)
    tenths = np.concatenate([random.permutation(10) for _ in range(len(holds) // 10)])
    return np.repeat((tenths + random.random(len(holds))) / 5 - 1, holds)[:count]


def _periods(shortest: float, longest: float, count: int, structure: Random) -> Array:
    """Draw periods whose frequencies are spread over the range, in random order."""
    part = (structure.permutation(count) + structure.uniform(0.25, 0.75, count)) / max(1, count)
    return np.asarray(1 / (1 / longest + part * (1 / shortest - 1 / longest)))


def _shifted(values: Array, by: int) -> Array:
    return np.concatenate([np.full(by, values[0]), values[:-by]])


def _reflected(values: Array) -> Array:
    """Fold what leaves -1..1 back, as a ball between two walls."""
    folded: Array = 1 - np.abs((values + 1) % 4 - 2)
    return folded


KINDS: dict[str, Callable[[int, Random], Structure]] = {
    "set-points": setpoints,
    "oscillators": oscillators,
    "walk": walk,
    "batch": batch,
    "daily": daily,
}
