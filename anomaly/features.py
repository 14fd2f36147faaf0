"""Describes each stream's part of a window by a few numbers, from which streams can be predicted.

Means of segments, short for recent samples and longer for older ones, keep what a prediction needs. Hinges,
max(0, mean - knot), let a linear model also learn relations that are not straight lines (Friedman, "Multivariate
Adaptive Regression Splines", 1991).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.25, 0.5, 0.75)  # of a stream's values: the knots of its hinges
HINGED = 140  # windows for each stream: fewer are too few to learn hinges from

LARGEST = 1e6  # standard deviations: what is further away, or not a number, counts as much
LEAST_RANGE = 1e-3  # of a stream that did not change, in its unit

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """Takes normalised windows and returns each stream's hinges, then its segments' means, the newest sample last.

    `mean` and `spread` (standard deviation) normalise the streams, `low` and `high` are their normalised range in
    training; all have the shape (n_streams,). `knots` has the shape (n_knots, n_streams), `hinge_spread`, by which
    hinges are divided, (n_streams, n_hinges); they are empty if there were too few windows.
    """

    mean: Array
    spread: Array
    low: Array
    high: Array
    knots: Array
    hinge_spread: Array

    @classmethod
    def learn(cls, windows: NDArray[np.float32]) -> Features:
        """Learn from training windows, shape (n, n_steps, n_streams), in order of time."""
        samples = np.concatenate([windows[0, :-1], windows[:, -1]]).astype(np.float64)
        n_streams = samples.shape[1]
        mean, spread = samples.mean(axis=0), samples.std(axis=0)
        spread = np.where(spread > np.finfo(np.float32).eps * np.abs(mean), spread, 1)
        normal = (samples - mean) / spread
        low, high = normal.min(axis=0), normal.max(axis=0)
        quantiles = QUANTILES if len(windows) >= HINGED * n_streams else ()
        knots = np.array([np.quantile(normal, quantile, axis=0) for quantile in quantiles]).reshape(-1, n_streams)
        features = cls(mean, spread, low, high, knots, np.zeros((n_streams, 0)))
        if not quantiles:
            return features
        hinges = features._hinges(features.normal(windows)).astype(np.float64)
        usual = hinges.std(axis=0)
        return replace(features, hinge_spread=np.where(usual > 1e-6, usual, 1))

    @property
    def n_hinges(self) -> int:
        """Number of a stream's features that are hinges."""
        return int(self.hinge_spread.shape[1])

    def normal(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return windows, or samples, in units of each stream's standard deviation, with a mean of 0."""
        normal = (windows - self.mean) / self.spread
        # fmax and fmin take the bound for what is not a number.
        result: NDArray[np.float32] = np.fmin(np.fmax(normal, -LARGEST), LARGEST).astype(np.float32)
        return result

    def beyond(self, normal: NDArray[np.float32]) -> Array:
        """Return how far normalised samples are out of the trained range, relative to it; 0 inside of it."""
        out: Array = np.maximum(np.maximum(normal - self.high, self.low - normal), 0)
        return out / self._range

    @cached_property
    def _range(self) -> Array:
        return np.maximum(self.high - self.low, LEAST_RANGE)

    def __call__(self, normal: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the features of normalised windows, shape (n, n_steps, n_streams): (n, n_streams, n_features)."""
        means: NDArray[np.float32] = np.matmul(segments(normal.shape[1]), normal).transpose(0, 2, 1)
        if not self.n_hinges:
            return means
        hinges = self._hinges(normal) / self.hinge_spread
        return np.concatenate([hinges.astype(np.float32), means], axis=2)

    def _hinges(self, normal: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return by how much the means of three segments exceed the knots, shape (n, n_streams, n_hinges)."""
        means = np.matmul(_three(normal.shape[1]), normal).transpose(0, 2, 1)
        # Hinges do not extrapolate. (np.clip takes twice as long for a single window.)
        means = np.minimum(np.maximum(means, self.low[:, None]), self.high[:, None])
        above = np.maximum(0, means[:, :, None, :] - self.knots.T[:, :, None])
        hinges: NDArray[np.float32] = above.reshape(len(normal), len(self.mean), -1).astype(np.float32)
        return hinges


@cache
def segments(n_steps: int) -> NDArray[np.float32]:
    """Return the matrix, shape (n_segments, n_steps), that takes a window's steps to the means of its segments.

    From the newest on, they are 1, 1, 1, 1, 2, 2, 4, 8, 8, ... samples long.
    """
    lengths: list[int] = []
    while (left := n_steps - sum(lengths)) > 0:
        lengths.append(min(left, (1, 1, 1, 1, 2, 2, 4)[len(lengths)] if len(lengths) < 7 else 8))
    return _means(lengths[::-1])


@cache
def _three(n_steps: int) -> NDArray[np.float32]:
    """Return the same for three segments: a half, three tenths and a fifth of the window, the newest last."""
    return _means([n_steps // 2, 3 * n_steps // 10, n_steps - n_steps // 2 - 3 * n_steps // 10])


def _means(lengths: list[int]) -> NDArray[np.float32]:
    matrix = np.repeat(np.eye(len(lengths)), lengths, axis=1)
    means: NDArray[np.float32] = (matrix / np.array(lengths)[:, None]).astype(np.float32)
    return means
