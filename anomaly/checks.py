"""Checks what streams have to do with each other, and whether each moves as usual: statistics and their limits.

A check is, for each stream, a moving average of a prediction's residuals or of the changes from sample to sample,
divided by a limit: above 1, something is wrong. Limits come from the residuals of training windows that had been left
out of learning. An exponential tail extends them to what is rarer than the training could show (Davison and Smith,
"Models for exceedances over high thresholds", 1990), and the less the training says about a residual's spread, the
higher they are, as Student's t distribution has them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.features import Array
from anomaly.prediction import BOTH, OTHERS, OWN, Prediction

RARE = 1e-7  # probability that a check of a stream exceeds its limit at a sample, as its tail says
TAIL = 0.98  # quantile of a statistic where its tail begins
ABOVE_HIGHEST = 1.3  # a limit ÷ the highest statistic in training, at least
MARGIN = 1.15  # of all limits, for what the training does not show
RESOLVED = 1e-4  # smaller residuals, relative to what the weights make of a spread of 1, are rounding
CLIP = 1.3  # residuals count up to so many times the largest in training,
STEADY = 8.0  # or up to so many robust standard deviations if none in training exceeded that
MOST_SQUARE = 1e3
MOST_NOISE = 9.0  # squared residuals count up to this as noise: a single spike is not noise
LOUDEST = 8.5  # a higher limit cannot be reached then
SHORTEST_RUN = 5  # equal values in a row that are a stuck sensor, at least
FLAT = 1e-6  # smaller changes, relative to a stream's spread, are none
LONGEST_RUN = 19  # that fits into a window
RARE_SQUARE = 28.0  # squared standard deviations that a normal residual exceeds with the probability RARE
NEVER = 1e30  # a limit that is not reached
BLOCK = 128  # values that are smoothed at once
HISTORY = 64  # samples from which an alarm is explained,
RECENT = 20  # or, where it is about their order, so many


class Form(Enum):
    """How a moving average becomes a statistic."""

    MEAN = auto()
    SQUARE = auto()  # ÷ what it is on average for white noise
    INVERSE = auto()


class Subject(Enum):
    """What a check is about."""

    TOGETHER = auto()  # how a stream belongs to the others
    JUMP = auto()  # what it does next, as far as its own past tells
    LOUD = auto()  # more noise
    QUIET = auto()  # less noise, or less motion
    STUCK = auto()


class Check(NamedTuple):
    """A statistic for each stream.

    `source`: the prediction whose residuals are averaged; None: changes from sample to sample. `weight`: that of a
    sample in the average. `least`: the least limit, that of white noise. `tail`: the least scale of the tail, for
    INVERSE that of the logarithm, otherwise relative to the mean.
    """

    name: str
    subject: Subject
    source: int | None
    weight: float
    form: Form
    least: float = 0
    tail: float = 0


CHECKS = (
    Check("both, squared", Subject.TOGETHER, BOTH, 0.1, Form.MEAN, 2.9, 0.2),
    Check("others, squared", Subject.TOGETHER, OTHERS, 0.1, Form.MEAN, 2.9, 0.2),
    Check("own, squared", Subject.JUMP, OWN, 0.1, Form.MEAN, 2.9, 0.2),
    Check("both", Subject.TOGETHER, BOTH, 0.1, Form.SQUARE, 28, 2),
    Check("both, slow", Subject.TOGETHER, BOTH, 0.03, Form.SQUARE, 28, 2),
    Check("others", Subject.TOGETHER, OTHERS, 0.1, Form.SQUARE, 28, 2),
    Check("others, slow", Subject.TOGETHER, OTHERS, 0.03, Form.SQUARE, 28, 2),
    Check("loud", Subject.LOUD, BOTH, 0.1, Form.MEAN, 2.7, 0.1),
    Check("loud, own", Subject.LOUD, OWN, 0.1, Form.MEAN, 2.7, 0.1),
    Check("loud, slow", Subject.LOUD, OWN, 0.03, Form.MEAN, 1.7, 0.055),
    Check("quiet", Subject.QUIET, OWN, 0.05, Form.INVERSE, 0, 0.1),
    Check("quiet, slow", Subject.QUIET, OWN, 0.015, Form.INVERSE, 0, 0.045),
    Check("flat", Subject.QUIET, None, 1, Form.INVERSE, 0, 0.1),
    Check("flat, slow", Subject.QUIET, None, 0.05, Form.INVERSE, 0, 0.1),
    Check("run", Subject.STUCK, None, 1, Form.MEAN),
)
NAMES = tuple(check.name for check in CHECKS)
N_RESIDUAL = 7  # the first checks, of residuals and their squares


def about(*subjects: Subject) -> NDArray[np.bool_]:
    """Return which of CHECKS are about these subjects."""
    return np.array([check.subject in subjects for check in CHECKS])


_SOURCES = np.array([-1 if check.source is None else check.source for check in CHECKS])
_WEIGHTS = np.array([check.weight for check in CHECKS])[:, None]
_BY_WEIGHT = [(weight, np.flatnonzero(_WEIGHTS[:, 0] == weight)) for weight in sorted({*_WEIGHTS[:, 0]} - {1.0})]
_SQUARES, _INVERSES = (np.array([check.form is form for check in CHECKS]) for form in (Form.SQUARE, Form.INVERSE))
_WHITE = (_WEIGHTS / (2 - _WEIGHTS))[_SQUARES]  # mean square of an average of white noise


@dataclass(frozen=True)
class Usual:
    """What is usual in training, in normalised units.

    `spread`, `robust` and `largest` are the residuals' standard deviation, the same as estimated from their median,
    and the largest residual, of shape (N_PREDICTIONS, n_streams); `change` is each stream's mean squared change from
    sample to sample, shape (n_streams,), infinite if it often does not change at all. `start` and `limits`, of shape
    (len(CHECKS), n_streams), are where the averages start, and the limits of the statistics.
    """

    spread: Array
    robust: Array
    largest: Array
    change: Array
    start: Array
    limits: Array

    @cached_property
    def most(self) -> Array:
        """The most that residuals count, shape (N_PREDICTIONS, n_streams)."""
        steady = (self.largest < STEADY * self.robust).all()
        most: Array = np.maximum(CLIP * self.largest, STEADY * self.robust * steady)
        return most


def learn(normal: NDArray[np.float32], prediction: Prediction) -> Usual:
    """Learn from normalised training windows, shape (n, n_steps, n_streams), and what was predicted of them."""
    held_out = prediction.held_out.astype(np.float64)
    floor = RESOLVED * np.linalg.norm(prediction.weights, axis=0)
    squared = np.square(np.subtract(normal[:, -1], normal[:, -2], dtype=np.float64))
    none = np.zeros((len(CHECKS), normal.shape[2]))
    usual = Usual(
        spread=np.maximum(held_out.std(axis=0), floor),
        robust=np.maximum(1.4826 * np.median(np.abs(held_out), axis=0), floor),
        largest=np.maximum(np.abs(held_out).max(axis=0), 5 * floor),
        change=np.where(np.median(squared, axis=0) > 0, squared.mean(axis=0), np.inf),
        start=none,
        limits=none + 1,
    )
    usual = replace(usual, start=np.where(_SQUARES[:, None], 0, _terms(usual, held_out, normal).mean(axis=0)))
    statistics = Checks(usual).levels(held_out, normal)  # divided by 1
    limits = [_limit(check, statistics[:, index], usual, held_out) for index, check in enumerate(CHECKS)]
    return replace(usual, limits=np.array(limits))


class Evidence(NamedTuple):
    """Of a window: `levels`, shape (len(CHECKS), n_streams), and `jitter`, shape (n_streams,).

    `jitter` is von Neumann's ratio (1941) of the latest residuals of the prediction from others: about 2 if they are
    white noise, near 0 if they stay on one side.
    """

    levels: Array
    jitter: Array


class Checks:
    """The checks of windows in order of time."""

    def __init__(self, usual: Usual) -> None:
        self._usual = usual
        self._averages = usual.start
        self._levels = self._residuals = np.empty((0, *usual.spread.shape))  # the last ones

    def levels(self, residuals: Array, normal: NDArray[np.float32]) -> Array:
        """Return all checks of the next windows, shape (n, len(CHECKS), n_streams).

        `residuals` have the shape (n, N_PREDICTIONS, n_streams), `normal`, the windows, (n, n_steps, n_streams).
        """
        averages = _terms(self._usual, residuals, normal)
        if len(averages) == 1:
            averages = self._averages + _WEIGHTS * (averages - self._averages)
        else:
            for weight, checks in _BY_WEIGHT:
                averages[:, checks] = smoothed(averages[:, checks], weight, self._averages[checks])
        self._averages = averages[-1].copy()
        self._residuals = np.concatenate([self._residuals[-HISTORY:], residuals])
        self._levels = _statistics(averages) / self._usual.limits
        return self._levels

    def evidence(self, index: int) -> Evidence:
        """Return what the checks of a window of the last `levels` are without clipping, and more.

        A level says when to alarm, and must fall soon after the worst of anomalies; evidence says what is wrong.
        """
        levels = self._levels[index].copy()
        end = len(self._residuals) - len(self._levels) + index + 1
        relative = self._residuals[max(0, end - HISTORY) : end] / self._usual.spread
        weights = _WEIGHTS[:N_RESIDUAL]
        faded = weights * (1 - weights) ** np.arange(len(relative))[::-1]
        averages = np.einsum("ca,acs->cs", faded, _residual_terms(relative))
        levels[:N_RESIDUAL] = _statistics(averages[None])[0] / self._usual.limits[:N_RESIDUAL]
        others = relative[-RECENT:, OTHERS]
        return Evidence(levels, np.square(np.diff(others, axis=0)).sum(axis=0) / np.square(others).sum(axis=0))


def smoothed(values: Array, weight: float, start: Array) -> Array:
    """Return the exponentially weighted moving average of `values` along axis 0, after `start`.

    `weight`: of a value. Computed in blocks, each a product with a triangular matrix.
    """
    result = np.empty_like(values)
    for begin in range(0, len(values), BLOCK):
        block = values[begin : begin + BLOCK]
        of_values, of_start = _fading(weight, len(block))
        result[begin : begin + BLOCK] = np.tensordot(of_values, block, 1) + np.multiply.outer(of_start, start)
        start = result[begin + len(block) - 1]
    return result


@lru_cache(maxsize=32)
def _fading(weight: float, count: int) -> tuple[Array, Array]:
    """Return the weights of up to `count` values and of the average before them, in the average after each."""
    left: Array = (1 - weight) ** np.arange(count + 1.0)
    age = np.subtract.outer(np.arange(count), np.arange(count))
    return weight * np.tril(left[np.maximum(0, age)]), left[1:]


def _terms(usual: Usual, residuals: Array, normal: NDArray[np.float32]) -> Array:
    """Return what the checks average, shape (n, len(CHECKS), n_streams)."""
    residuals = np.maximum(np.minimum(residuals, usual.most), -usual.most)
    noise = np.minimum(np.square(residuals / usual.robust), MOST_NOISE)
    changes = normal[:, 1:] - normal[:, :-1]
    energy = np.square(changes) / usual.change
    terms = np.empty((len(normal), len(CHECKS), normal.shape[2]))
    terms[:, :N_RESIDUAL] = _residual_terms(residuals / usual.spread)
    terms[:, N_RESIDUAL:-3] = noise[:, _SOURCES[N_RESIDUAL:-3]]
    terms[:, -3] = energy.mean(axis=1)
    terms[:, -2] = np.minimum(energy[:, -1], MOST_NOISE)
    terms[:, -1] = _run(np.abs(changes) > FLAT)
    return terms


def _residual_terms(relative: Array) -> Array:
    """Return what the first checks average, shape (n, N_RESIDUAL, n_streams), from residuals ÷ spread."""
    terms = relative[:, _SOURCES[:N_RESIDUAL]]
    terms[:, ~_SQUARES[:N_RESIDUAL]] = np.square(terms[:, ~_SQUARES[:N_RESIDUAL]])
    return terms


def _run(changed: NDArray[np.bool_]) -> Array:
    """Return for how many samples at the end of a window nothing changed."""
    run: Array = np.where(changed.any(axis=1), changed[:, ::-1].argmax(axis=1), changed.shape[1]).astype(np.float64)
    return run


def _statistics(averages: Array) -> Array:
    """Turn averages, shape (n, all checks or the first few, n_streams), into statistics, in place."""
    n_checks = averages.shape[1]
    averages[:, _SQUARES[:n_checks]] = np.square(averages[:, _SQUARES[:n_checks]]) / _WHITE
    averages[:, _INVERSES[:n_checks]] = 1 / (np.maximum(averages[:, _INVERSES[:n_checks]], 0) + FLAT)
    return averages


def _limit(check: Check, statistic: Array, usual: Usual, held_out: Array) -> Array:
    """Return a check's limit for each stream, from its statistic in training, shape (n, n_streams)."""
    highest = statistic.max(axis=0)
    if check.subject is Subject.STUCK:
        limit = np.maximum(SHORTEST_RUN - 0.5, 2 * highest + 2.5)
        return np.where(np.isfinite(usual.change) & (limit < LONGEST_RUN), limit, NEVER)
    if check.form is Form.INVERSE:
        energy = np.log(statistic)
        limit = MARGIN * np.exp(np.maximum(_tail(energy, check.tail), energy.max(axis=0) + np.log(ABOVE_HIGHEST)))
        return np.where(np.isfinite(usual.change) & (highest < MOST_SQUARE), limit, NEVER)
    limit = np.maximum(_tail(statistic, check.tail * statistic.mean(axis=0)), ABOVE_HIGHEST * highest)
    limit = MARGIN * np.maximum(limit, check.least) * _doubt(check, usual, held_out)
    return np.where(limit < MARGIN * LOUDEST, limit, NEVER) if check.subject is Subject.LOUD else limit


def _tail(statistic: Array, least: Array | float) -> Array:
    """Return what an exponential tail exceeds with the probability RARE, shape (n_streams,); `least`: its scale."""
    begin = np.quantile(statistic, TAIL, axis=0)
    above = np.maximum(statistic - begin, 0)
    scale = above.sum(axis=0) / np.maximum((above > 0).sum(axis=0), 1)
    end: Array = begin + np.maximum(scale, least) * np.log((1 - TAIL) * statistic.shape[1] / RARE)
    return end


def freedom(check: Check, usual: Usual, held_out: Array) -> Array:
    """Return how many independent averages of a check the training holds, shape (n_streams,).

    `held_out`: its residuals, shape (n, N_PREDICTIONS, n_streams). The longer their memory, the fewer these are.
    """
    assert check.source is not None
    relative = held_out[:, check.source] / usual.spread[check.source]
    slow = NAMES.index("both, slow")
    weight, average = CHECKS[slow].weight, np.zeros(relative.shape[1])
    averages = np.array([average := average + weight * (row - average) for row in relative])
    memory = np.square(averages).mean(axis=0) * (2 - weight) / weight
    memory /= np.maximum(np.square(relative).mean(axis=0), 1e-12)
    independent: Array = len(held_out) / (2 / check.weight + 2 * (np.maximum(1, memory) - 1))
    return independent


def _doubt(check: Check, usual: Usual, held_out: Array) -> Array:
    """Return how many times higher a limit must be because the training is short.

    As a quantile of Student's t² is higher than that of the normal distribution, in Peizer and Pratt's approximation
    (1968), with the degrees of freedom that the training has effectively.
    """
    degrees = np.maximum(3.0, freedom(check, usual, held_out))
    exponent = np.minimum(RARE_SQUARE * (degrees - 1.5) / np.square(degrees - 1), 50)
    times: Array = np.minimum(degrees * np.expm1(exponent) / RARE_SQUARE, 1e6)
    return times
