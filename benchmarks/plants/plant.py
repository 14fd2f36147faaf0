"""A plant as seen by its sensors: in their units, with noise and lost points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.plants.kinds import KINDS, Array, Random

SIZES = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # streams of the plants of a kind
REFERENCE = 20_000  # samples that define the normal behaviour of a plant
LOST = 0.01  # of the points, in every third plant


class Run(NamedTuple):
    """A plant's `signal` and the `noise` on it, float64 of shape (n_samples, n_streams), in the streams' units."""

    signal: Array
    noise: Array


class Plant:
    """Number `number` of a kind, the same each time.

    Its streams have scales and offsets over several decades. The noise has 3 to 15 % of a stream's spread; it is
    white in plants of even number, otherwise AR(1) with a coefficient of 0.5 to 0.9. In plants of eight or more
    streams, set-points have none. `mean`, `spread` (standard deviation without noise) and `noise_spread` have the
    shape (n_streams,); `usual` is a run of REFERENCE samples.
    """

    def __init__(self, kind: str, number: int) -> None:
        random = np.random.default_rng([list(KINDS).index(kind), number])
        self.name = f"{kind} {number}"
        self.n_streams = SIZES[number % len(SIZES)]
        self.structure = KINDS[kind](self.n_streams, random)
        self.lost = LOST if number % 3 == 2 else 0.0
        self._scale = 10 ** random.uniform(-1, 2, self.n_streams)
        self._offset = self._scale * random.uniform(-6, 6, self.n_streams)
        self._memory = np.where(number % 2, random.uniform(0.5, 0.9, self.n_streams), 0)
        signal = self.structure.simulate(REFERENCE, np.random.default_rng(0))
        self._noise = random.uniform(0.03, 0.15, self.n_streams) * signal.std(axis=0)
        if self.n_streams >= 8:
            self._noise[list(self.structure.commands)] = 0
        self.usual = self.run(REFERENCE, np.random.default_rng(1))
        self.mean, self.spread = self.usual.signal.mean(axis=0), self.usual.signal.std(axis=0)
        self.noise_spread = self._noise * self._scale

    def run(self, count: int, random: Random) -> Run:
        """Return `count` samples without a fault."""
        signal = self.structure.simulate(count, random)
        innovations = random.normal(size=(count, self.n_streams))
        innovations[1:] *= np.sqrt(1 - self._memory**2)
        state = np.zeros(self.n_streams)
        noise = np.array([state := self._memory * state + innovation for innovation in innovations])
        return Run(self._offset + self._scale * signal, self._scale * self._noise * noise)

    def received(self, samples: Array, random: Random) -> Array:
        """Return `samples` with lost points interpolated as streams.samples does.

        A lost point is replaced by the cubic through two neighbours on either side or, if one of these is lost too,
        by the line between the nearest.
        """
        lost = random.random(samples.shape) < self.lost
        lost[:2] = lost[-2:] = False
        filled = samples.copy()
        for j in np.flatnonzero(lost.any(axis=0)):
            at = np.flatnonzero(lost[:, j])
            kept = np.flatnonzero(~lost[:, j])
            filled[at, j] = np.interp(at, kept, samples[kept, j])
            alone = at[~lost[at[:, None] + np.array([-2, -1, 1, 2]), j].any(axis=1)]
            near, far = samples[alone - 1, j] + samples[alone + 1, j], samples[alone - 2, j] + samples[alone + 2, j]
            filled[alone, j] = (4 * near - far) / 6
        return filled
