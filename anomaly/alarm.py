"""Decides when there is an alarm: learns what reconstruction errors are normal, then judges windows.

The relative error of a window is the highest of its streams' reconstruction errors, each divided by that stream's
mean error in training, so that a stream that is always rebuilt badly does not hide an error in one that is rebuilt
well. Relative errors are smoothed, and their limit is a margin times the highest expected of normal windows: the
highest of the training windows, times how much better a model fits these than others. That is estimated by leaving
out blocks of windows; to do this quickly, principal components with a code of the same size stand in for the
autoencoder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomaly.averages import smoothed
from anomaly.principal_components import Components

SMOOTHING = 0.1  # weight of a sample in a smoothed relative error
RELEASE = 0.8  # level below which an alarm ends
CAP = 20.0  # the most that a level counts, so that the alarm ends soon after the anomaly
MOST_STREAMS = 0.75  # quantile over the streams of how much higher errors of unseen windows get
FOLDS = 8  # blocks that are left out in turn
LEAST = 1e-15  # error that float32 cannot distinguish from zero
LEAST_PART = 0.01  # of the mean over all streams: the least that a stream's typical error counts


@dataclass(frozen=True)
class Normal:
    """Error statistics of normal windows.

    `typical`: each stream's mean error. `highest`: the highest smoothed relative error expected of normal windows at
    a stride of 1, 2, 3, ... samples.
    """

    typical: tuple[float, ...]
    highest: tuple[float, ...]

    @classmethod
    def from_metadata(cls, metadata: Any, n_streams: int) -> Normal:
        """Return the statistics that `to_metadata` returned; raise ValueError if they are malformed or do not fit."""
        try:
            normal = cls(*(tuple(float(number) for number in metadata[key]) for key in ("typical", "highest")))
        except Exception:  # metadata can be anything
            raise ValueError("no error statistics of normal windows") from None
        numbers = (*normal.typical, *normal.highest)
        if len(normal.typical) != n_streams or not normal.highest or not all(0 < n < math.inf for n in numbers):
            raise ValueError("error statistics of normal windows that do not fit the model")
        return normal

    def to_metadata(self) -> dict[str, list[float]]:
        """Return the numbers as JSON can hold them."""
        return {"typical": list(self.typical), "highest": list(self.highest)}

    def relative(self, errors: ArrayLike) -> NDArray[np.float64]:
        """Return each window's relative error, shape (n,), from its streams' errors, shape (n, n_streams)."""
        relative = np.asarray(errors, np.float64) / np.array(self.typical)
        worst: NDArray[np.float64] = relative.max(axis=1)  # NaN if one of them is
        return worst


def learn(windows: ArrayLike, errors: ArrayLike, code_size: int) -> Normal:
    """Learn from training windows, shape (n, n_steps, n_streams), in order of time.

    `errors`: the trained model's errors for them, shape (n, n_streams). `code_size`: of the model's linear path.
    """
    windows, errors = np.asarray(windows, np.float64), np.asarray(errors, np.float64)
    typical = errors.mean(axis=0)
    typical = np.maximum(typical, max(LEAST_PART * typical.mean(), LEAST))
    relative = Normal(tuple(typical), ()).relative(errors)
    optimism = _optimism(windows, code_size, floor=max(LEAST_PART * errors.mean(), LEAST))
    highest = [
        optimism
        * max(_smoothed(relative[start::stride], stride).max() for start in range(min(stride, len(relative))))
        for stride in range(1, windows.shape[1] + 1)
    ]
    return Normal(tuple(map(float, typical)), tuple(max(1.0, float(error)) for error in highest))


def levels(normal: Normal, errors: ArrayLike, stride: int, margin: float) -> NDArray[np.float64]:
    """Return errors, shape (n, n_streams), as an alarm sees them: smoothed, and divided by its limit.

    `errors` are those of windows at a stride of 1; every window counts, in runs at the given `stride`.
    """
    relative = np.asarray(errors, np.float64) / np.array(normal.typical)
    runs = [_smoothed(relative[start::stride], stride) for start in range(min(stride, len(relative)))]
    return np.concatenate(runs) / _threshold(normal, stride, margin)


class Verdict(NamedTuple):
    """A window's level, whether there is an alarm, and whether it starts or ends with this window.

    `score`: the level, above 1 if something is wrong: the higher of the smoothed reconstruction error and of the
    checks, each relative to its limit.
    """

    score: float
    alarm: bool
    changed: bool


class Alarm:
    """Judges windows in order of time: starts when their level exceeds 1, ends when it is well below.

    An error that is not finite starts an alarm at once.
    """

    def __init__(self, normal: Normal, stride: int, margin: float, release: float = RELEASE, after: int = 1) -> None:
        """`stride`: from one window to the next, in samples. `margin`: limit ÷ highest expected relative error.

        `release`: the level below which an alarm ends. `after`: how many windows in a row start an alarm.
        """
        self._threshold = _threshold(normal, stride, margin)
        self._weight = _weight(stride)
        self._release = release
        self._after = after
        self._above = 0  # windows in a row
        self._smoothed = 1 / self._threshold
        self._on = False

    def judge(self, error: float, checks: float = 0.0) -> Verdict:
        """Judge the next window by its relative error, as returned by `Normal.relative`, and its checks' level."""
        was_on = self._on
        level = error / self._threshold
        if math.isfinite(level):
            self._smoothed += self._weight * (min(level, CAP) - self._smoothed)
            level = max(self._smoothed, min(checks, CAP))
            self._above = self._above + 1 if level > 1 else 0
            self._on = level > self._release if was_on else self._above >= self._after
        else:
            self._on = True
        return Verdict(level, self._on, self._on != was_on)


def _threshold(normal: Normal, stride: int, margin: float) -> float:
    return margin * normal.highest[min(stride, len(normal.highest)) - 1]


def _weight(stride: int) -> float:
    """Return the weight of a window with which smoothing takes the same time at any stride."""
    return 1 - (1 - SMOOTHING) ** stride


def _smoothed(errors: NDArray[np.float64], stride: int) -> NDArray[np.float64]:
    """Return smoothed errors, starting from their mean; of several columns, each by itself."""
    return smoothed(errors, _weight(stride), errors.mean(axis=0))


def _optimism(windows: NDArray[np.float64], code_size: int, floor: float) -> float:
    """Return how many times higher the errors of unseen windows get than those of training windows, for most streams.

    `floor`: the autoencoder's own error, in normalised units; differences far below it do not count.
    """
    n, n_steps, n_streams = windows.shape
    spread = windows.std(axis=(0, 1))
    flat = ((windows - windows.mean(axis=(0, 1))) / np.where(spread > 0, spread, 1)).reshape(n, -1)

    def errors(known: NDArray[np.float64], judged: NDArray[np.float64]) -> NDArray[np.float64]:
        squares = Components(known, code_size).squares(judged)
        by_stream: NDArray[np.float64] = squares.reshape(-1, n_steps, n_streams).mean(axis=1)
        return by_stream

    seen = errors(flat, flat)
    unseen = np.zeros_like(seen)
    for block in np.array_split(np.arange(n), FOLDS):
        if len(block):
            away = (np.arange(n) <= block[0] - n_steps) | (np.arange(n) >= block[-1] + n_steps)  # no overlap
            if away.any():
                unseen[block] = errors(flat[away], flat[block])
    before, after = (_smoothed(each, 1).max(axis=0) + floor for each in (seen, unseen))
    return max(1.0, float(np.quantile(after / before, MOST_STREAMS)))
